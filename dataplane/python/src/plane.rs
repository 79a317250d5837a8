//! `DataPlane`: commands down, events up.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use loupe_core::io::{Command, Event, Handle, IceCredentials, Wish};
use loupe_core::units::Bitrate;
use loupe_driver::{Routes, SendError, WorkerEvent, Workers, WorkersConfig, duplicate};
use pyo3::exceptions::{PyIndexError, PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::convert::{PyInboundMedia, PyOutboundMedia, srtp_profile, tap_reader};
use crate::error::{bad, sent, start_failed};
use crate::events::to_python;
use crate::ice::{Fragments, LocalIce};
use crate::stats::Stats;

/// Characters of a peer's fragment (RFC 8839 section 5.4).
const MAX_UFRAG_CHARS: usize = 256;

/// The media workers of one process.
#[pyclass(module = "mediaserver._dataplane")]
pub(crate) struct DataPlane {
    workers: Workers,
    /// Instead of the bound addresses in candidates; as many as those.
    announced: Vec<IpAddr>,
    routes: Routes,
    fragments: Fragments,
}

#[pymethods]
impl DataPlane {
    #[new]
    #[pyo3(signature = (addresses, port, workers, announced=None))]
    fn new(
        addresses: Vec<String>,
        port: u16,
        workers: usize,
        announced: Option<Vec<String>>,
    ) -> PyResult<DataPlane> {
        let addresses = parse("addresses", &addresses)?;
        let announced = match announced {
            Some(announced) => parse("announced", &announced)?,
            None => addresses.clone(),
        };
        check_announced(&addresses, &announced)?;
        let config = WorkersConfig { addresses, port, workers };
        let fragments = Fragments::new()?;
        let workers = Workers::start(&config).map_err(|error| start_failed(&error))?;
        Ok(DataPlane { workers, announced, routes: Routes::default(), fragments })
    }

    /// A descriptor that is readable while events wait.
    fn fileno(&self) -> RawFd {
        self.workers.event_descriptor().as_raw_fd()
    }

    /// Takes all waiting events, oldest first.
    fn events<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let events = PyList::empty(py);
        for event in self.workers.take_events() {
            self.forget_ended(&event);
            events.append(to_python(py, event)?)?;
        }
        Ok(events)
    }

    /// A transport that waits for authenticated checks.
    #[pyo3(signature = (transport, worker, remote_ufrag=None))]
    fn open_transport(
        &mut self,
        transport: u64,
        worker: usize,
        remote_ufrag: Option<String>,
    ) -> PyResult<LocalIce> {
        let transport = self.unused("transport", transport)?;
        let Some(candidates) = self.candidates(worker) else {
            return Err(PyIndexError::new_err(format!("worker {worker}: there is none")));
        };
        let ice = self.credentials(remote_ufrag)?;
        let local = LocalIce::new(ice.local_ufrag.clone(), ice.local_pwd.clone(), candidates);
        match self.workers.send(worker, Command::OpenTransport { transport, ice }) {
            Ok(()) => self.routes.add(transport, worker, &[]),
            Err(SendError::Gone) => {
                return Err(PyIndexError::new_err(format!("worker {worker}: it has ended")));
            }
            Err(SendError::Full) => sent(Err(SendError::Full))?,
        }
        Ok(local)
    }

    /// New credentials for a living transport (the old serve until the first check with the new).
    #[pyo3(signature = (transport, remote_ufrag=None))]
    fn restart_ice(&mut self, transport: u64, remote_ufrag: Option<String>) -> PyResult<LocalIce> {
        let handle = Handle(transport);
        let place = self.routes.worker(handle).and_then(|worker| Some((worker, self.candidates(worker)?)));
        let (worker, candidates) = place.ok_or_else(|| PyKeyError::new_err(transport))?;
        let ice = self.credentials(remote_ufrag)?;
        let local = LocalIce::new(ice.local_ufrag.clone(), ice.local_pwd.clone(), candidates);
        sent(self.workers.send(worker, Command::RestartIce { transport: handle, ice }))?;
        Ok(local)
    }

    /// The peer's fragment, when it was not known at opening.
    fn set_remote_ufrag(&self, transport: u64, ufrag: String) -> PyResult<()> {
        check_ufrag("ufrag", &ufrag)?;
        let transport = Handle(transport);
        self.send(transport, Command::SetRemoteUfrag { transport, ufrag })
    }

    /// To the nominated address; dropped (and counted) while there is none.
    fn send_dtls(&self, transport: u64, datagram: &[u8]) -> PyResult<()> {
        let transport = Handle(transport);
        self.send(transport, Command::SendDtls { transport, payload: datagram.to_vec() })
    }

    /// Master key and salt, end to end, per direction (RFC 5764 section 4.2).
    fn set_srtp(&self, transport: u64, profile: &str, inbound: &[u8], outbound: &[u8]) -> PyResult<()> {
        let (profile, length) = srtp_profile(profile)?;
        for (field, key) in [("inbound", inbound), ("outbound", outbound)] {
            if key.len() != length {
                return Err(bad(field, &format!("{length} bytes for this profile")));
            }
        }
        let transport = Handle(transport);
        let (inbound, outbound) = (inbound.to_vec(), outbound.to_vec());
        self.send(transport, Command::SetSrtp { transport, profile, inbound, outbound })
    }

    fn publish(
        &mut self,
        transport: u64,
        publication: u64,
        media: &Bound<'_, PyInboundMedia>,
    ) -> PyResult<()> {
        let (transport, publication) = (Handle(transport), self.unused("publication", publication)?);
        let Some(worker) = self.routes.worker(transport) else { return Ok(()) };
        let media = media.get().0.clone();
        sent(self.workers.send(worker, Command::Publish { transport, publication, media }))?;
        self.routes.add(publication, worker, &[transport]);
        Ok(())
    }

    /// Both must live on one worker.
    fn subscribe(
        &mut self,
        publication: u64,
        subscription: u64,
        transport: u64,
        media: &Bound<'_, PyOutboundMedia>,
    ) -> PyResult<()> {
        let subscription = self.unused("subscription", subscription)?;
        let (publication, transport) = (Handle(publication), Handle(transport));
        let workers = self.routes.worker(publication).zip(self.routes.worker(transport));
        let Some((worker, other)) = workers else { return Ok(()) };
        if worker != other {
            return Err(bad("transport", "it lives on another worker than the publication"));
        }
        let media = media.get().0.clone();
        let command = Command::Subscribe { publication, subscription, transport, media };
        sent(self.workers.send(worker, command))?;
        self.routes.add(subscription, worker, &[publication, transport]);
        Ok(())
    }

    /// Layers count from the lowest; `None` takes the highest that flows.
    #[pyo3(signature = (subscription, *, layer=None, spatial=None, temporal=None, paused=false, still_seconds=None))]
    #[allow(clippy::too_many_arguments, reason = "a wish, all by name")]
    fn prefer(
        &self,
        subscription: u64,
        layer: Option<i64>,
        spatial: Option<i64>,
        temporal: Option<i64>,
        paused: bool,
        still_seconds: Option<f64>,
    ) -> PyResult<()> {
        let still = still_seconds.map(still_interval).transpose()?;
        let index = |field: &str, index: Option<i64>| {
            index.map(|index| u8::try_from(index).map_err(|_| bad(field, "0 to 255"))).transpose()
        };
        let wish = Wish {
            layer: index("layer", layer)?,
            spatial: index("spatial", spatial)?,
            temporal: index("temporal", temporal)?,
            paused,
            still,
        };
        let subscription = Handle(subscription);
        self.send(subscription, Command::Prefer { subscription, wish })
    }

    /// Up to which rate more would be useful to a transport, in bits per second with all headers; probing ends there.
    #[pyo3(signature = (transport, rate=None))]
    fn want(&self, transport: u64, rate: Option<u64>) -> PyResult<()> {
        let transport = Handle(transport);
        self.send(transport, Command::Want { transport, rate: rate.map(Bitrate) })
    }

    /// Forwards nothing of a publication while muted.
    fn mute(&self, publication: u64, muted: bool) -> PyResult<()> {
        let publication = Handle(publication);
        self.send(publication, Command::Mute { publication, muted })
    }

    /// Asks the publisher for a key frame of the layers that are watched, or of all that flow where nobody watches.
    fn request_keyframe(&self, publication: u64) -> PyResult<()> {
        let publication = Handle(publication);
        self.send(publication, Command::RequestKeyframe { publication })
    }

    /// Copies what comes in of a publication to a socket that keeps messages apart, which stays the caller's.
    fn tap(&self, publication: u64, reader: &str, descriptor: RawFd) -> PyResult<()> {
        let (publication, reader) = (Handle(publication), tap_reader(reader)?);
        let Some(worker) = self.routes.worker(publication) else { return Ok(()) };
        let own = duplicate(descriptor).map_err(|_| bad("descriptor", "an open socket"))?;
        sent(self.workers.tap(worker, publication, reader, own))
    }

    /// Ends a reader's tap of a publication. Idempotent.
    fn untap(&self, publication: u64, reader: &str) -> PyResult<()> {
        let (publication, reader) = (Handle(publication), tap_reader(reader)?);
        self.send(publication, Command::Untap { publication, reader })
    }

    /// Ends a transport, publication or subscription and all that hangs on it. Idempotent.
    fn close(&mut self, handle: u64) -> PyResult<()> {
        let handle = Handle(handle);
        let result = self.send(handle, Command::Close { handle });
        self.routes.remove(handle);
        result
    }

    fn stats(&self) -> Stats {
        Stats::new(self.workers.snapshots())
    }

    /// Ends all workers and closes their sockets. Idempotent.
    fn stop(&mut self, py: Python<'_>) {
        // Waits for the workers' current turns: others may run meanwhile.
        py.detach(|| self.workers.stop());
    }
}

impl DataPlane {
    /// A handle that is gone has no worker, and the command no effect.
    fn send(&self, handle: Handle, command: Command) -> PyResult<()> {
        self.routes.worker(handle).map_or(Ok(()), |worker| sent(self.workers.send(worker, command)))
    }

    fn unused(&self, field: &str, handle: u64) -> PyResult<Handle> {
        let handle = Handle(handle);
        match self.routes.worker(handle) {
            None => Ok(handle),
            Some(_) => Err(PyValueError::new_err(format!("{field}: handle {} is in use", handle.0))),
        }
    }

    fn credentials(&mut self, remote_ufrag: Option<String>) -> PyResult<IceCredentials> {
        if let Some(ufrag) = &remote_ufrag {
            check_ufrag("remote_ufrag", ufrag)?;
        }
        let (local_ufrag, local_pwd) = self.fragments.new_credentials()?;
        Ok(IceCredentials { local_ufrag, local_pwd, remote_ufrag })
    }

    /// (address, port) of a worker, IPv4 first, in the order of the configuration.
    fn candidates(&self, worker: usize) -> Option<Vec<(String, u16)>> {
        let bound = self.workers.local_addresses(worker)?;
        let mut candidates: Vec<_> =
            self.announced.iter().zip(bound).map(|(ip, local)| (*ip, local.port())).collect();
        candidates.sort_by_key(|(ip, _)| ip.is_ipv6());
        Some(candidates.into_iter().map(|(ip, port)| (ip.to_string(), port)).collect())
    }

    fn forget_ended(&mut self, event: &WorkerEvent) {
        match event {
            WorkerEvent::Plane(Event::Closed { transport, .. }) => self.routes.remove(*transport),
            WorkerEvent::Plane(_) => {}
            WorkerEvent::WorkerFailed { worker, .. } => self.routes.remove_worker(*worker),
        }
    }
}

fn parse(field: &str, texts: &[String]) -> PyResult<Vec<IpAddr>> {
    let one = |text: &String| text.parse().map_err(|_| bad(field, &format!("'{text}' is no IP address")));
    texts.iter().map(one).collect()
}

/// Candidates need an address that peers can send to, of the family of the socket behind it.
fn check_announced(addresses: &[IpAddr], announced: &[IpAddr]) -> PyResult<()> {
    if addresses.len() != announced.len() {
        return Err(bad("announced", "as many as addresses, in the same order"));
    }
    for (address, announced) in addresses.iter().zip(announced) {
        if announced.is_unspecified() {
            return Err(bad("announced", &format!("{announced} needs an address that peers can send to")));
        }
        if address.is_ipv4() != announced.is_ipv4() {
            return Err(bad("announced", &format!("{announced} is not of the family of {address}")));
        }
    }
    Ok(())
}

/// Between two stills.
fn still_interval(seconds: f64) -> PyResult<Duration> {
    let sensible = (0.1..=3_600.0).contains(&seconds);
    if sensible { Ok(Duration::from_secs_f64(seconds)) } else { Err(bad("still_seconds", "0.1 to 3,600")) }
}

fn check_ufrag(field: &str, ufrag: &str) -> PyResult<()> {
    if ufrag.is_empty() || ufrag.len() > MAX_UFRAG_CHARS {
        return Err(bad(field, "1 to 256 characters"));
    }
    Ok(())
}
