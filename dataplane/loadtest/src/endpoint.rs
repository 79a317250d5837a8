//! One WebRTC endpoint: a state machine and its socket. Datagrams in, datagrams out, events to a [`Part`].

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use loupe_core::units::Time;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive, Transmit};
use str0m::rtp::Extension;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig, RtcError};

use crate::burst::Burst;
use crate::light::Light;
use crate::profile::{Keying, Profile};
use crate::wire::{self, Batch};

/// How often counters such as sent NACKs are asked for.
const STATS_INTERVAL: Duration = Duration::from_secs(2);
/// Datagrams of RTCP have these payload types (RFC 5761 section 4).
const RTCP_TYPES: std::ops::Range<u8> = 64..96;

/// What an endpoint is for: it takes the events of its state machine.
pub trait Part {
    /// Something happened; `arrived` is the arrival, in nanoseconds since the epoch, of the datagram that caused it.
    fn on_event(&mut self, rtc: &mut Rtc, event: Event, arrived: u64);
}

/// Counts of one endpoint's datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// RTP datagrams that came, retransmissions included.
    pub rtp_received: u64,
    /// Datagrams sent, of every kind.
    pub sent: u64,
    /// Datagrams thrown away on purpose, to provoke repair.
    pub discarded: u64,
    /// Sends the kernel refused.
    pub send_failed: u64,
}

/// A state machine and its socket.
#[derive(Debug)]
pub struct Endpoint {
    /// The state machine.
    pub rtc: Rtc,
    /// Its socket.
    pub socket: UdpSocket,
    /// What passed.
    pub traffic: Traffic,
    /// The media that this endpoint offered: video, audio.
    pub offered: Option<(Mid, Mid)>,
    local: SocketAddr,
    burst: Burst,
    keying: Arc<OnceLock<Keying>>,
    light: Option<Light>,
    /// Where media come from, and when the state machine's time is next to be handled.
    peer: SocketAddr,
    timeout: Instant,
}

impl Endpoint {
    /// An endpoint on a socket of its own, with that socket as its only candidate.
    pub fn open(address: IpAddr, profile: Profile) -> Result<Self, String> {
        let socket = wire::open(address).map_err(|error| format!("no UDP socket on {address}: {error}"))?;
        let local = socket.local_addr().map_err(|error| error.to_string())?;
        let (provider, keying) = profile.provider();
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(provider)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_rtp_mode(true)
            .set_stats_interval(Some(STATS_INTERVAL))
            .build(Instant::now());
        let candidate = Candidate::host(local, "udp").map_err(|error| error.to_string())?;
        rtc.add_local_candidate(candidate);
        Ok(Self {
            rtc,
            socket,
            traffic: Traffic::default(),
            offered: None,
            local,
            burst: Burst::default(),
            keying,
            light: None,
            peer: local,
            timeout: Instant::now(),
        })
    }

    /// An offer of one video and one audio, both in `direction`; `finish` takes the answer.
    pub fn offer(&mut self, direction: Direction) -> Result<(String, SdpPendingOffer), String> {
        let mut changes = self.rtc.sdp_api();
        let video = changes.add_media(MediaKind::Video, direction, None, None, None);
        let audio = changes.add_media(MediaKind::Audio, direction, None, None, None);
        let (offer, pending) = changes.apply().ok_or("the offer is empty")?;
        self.offered = Some((video, audio));
        Ok((offer.to_sdp_string(), pending))
    }

    /// Takes the answer to an offer.
    pub fn finish(&mut self, pending: SdpPendingOffer, answer: &str) -> Result<(), String> {
        let answer = SdpAnswer::from_sdp_string(answer).map_err(|error| error.to_string())?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(|error| error.to_string())
    }

    /// Takes an offer and says the answer.
    pub fn answer(&mut self, offer: &str) -> Result<String, String> {
        let offer = SdpOffer::from_sdp_string(offer).map_err(|error| error.to_string())?;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(|error| error.to_string())?;
        Ok(answer.to_sdp_string())
    }

    /// From now on media is reported on and not looked into; the state machine has only ICE and DTLS. `video` is a medium
    /// that is received.
    pub fn lighten(&mut self, video: Mid) -> Result<(), String> {
        let keying = self.keying.get().ok_or("a light viewer's keys are unknown")?;
        let media = self.rtc.media(video).ok_or("a light viewer has no video")?;
        let number = media.remote_extmap().id_of(Extension::TransportSequenceNumber);
        let number = number.ok_or("the server numbers no packets transport-wide")?;
        self.light = Some(Light::new(keying, number).map_err(|error| error.to_string())?);
        Ok(())
    }

    /// Feeds the datagrams of one read, each followed by all that it causes. Every `discard_every`-th RTP datagram is
    /// thrown away instead (0: none), but not of a light endpoint. Returns when time is next to be handled.
    pub fn receive(
        &mut self,
        (batch, bytes): (Batch, &[u8]),
        discard_every: u64,
        part: &mut impl Part,
    ) -> Result<Instant, RtcError> {
        let (now, arrived) = (Instant::now(), Time(batch.arrived / 1_000));
        self.peer = batch.source;
        for datagram in bytes.chunks(batch.segment.max(1)) {
            let rtp = is_rtp(datagram);
            self.traffic.rtp_received += u64::from(rtp);
            if is_media(datagram)
                && let Some(light) = &mut self.light
            {
                if rtp {
                    light.receive_rtp(arrived, datagram);
                } else {
                    light.receive_rtcp(arrived, datagram);
                }
                continue;
            }
            if rtp && discard_every > 0 && self.traffic.rtp_received.is_multiple_of(discard_every) {
                self.traffic.discarded += 1;
                continue;
            }
            // What is no datagram of WebRTC has no effect on an endpoint.
            let Ok(received) = Receive::new(Protocol::Udp, batch.source, self.local, datagram) else {
                continue;
            };
            self.rtc.handle_input(Input::Receive(now, received))?;
            self.timeout = self.drain(batch.arrived, part)?;
        }
        self.flush();
        Ok(self.due())
    }

    /// Lets time pass. Returns when it is next to be handled.
    pub fn handle_timeout(&mut self, now: Instant, part: &mut impl Part) -> Result<Instant, RtcError> {
        self.report();
        if self.light.is_none() || now >= self.timeout {
            self.rtc.handle_input(Input::Timeout(now))?;
            self.timeout = self.drain(0, part)?;
            self.flush();
        }
        Ok(self.due())
    }

    fn due(&self) -> Instant {
        let report = self.light.as_ref().map(Light::due).filter(|at| *at < Time::NEVER);
        let report = report.map(|at| Instant::now() + at.since(unix_now()));
        report.map_or(self.timeout, |at| at.min(self.timeout))
    }

    fn drain(&mut self, arrived: u64, part: &mut impl Part) -> Result<Instant, RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(transmit) => self.queue(&transmit),
                Output::Event(event) => part.on_event(&mut self.rtc, event, arrived),
            }
        }
    }

    /// Sends a light viewer's report when it is due.
    fn report(&mut self) {
        let Some(light) = &mut self.light else { return };
        let sent = match light.report(unix_now()) {
            Ok(Some(report)) => wire::send_run(&self.socket, self.peer, report, report.len()).is_ok(),
            Ok(None) => return,
            Err(_) => false,
        };
        self.traffic.sent += u64::from(sent);
        self.traffic.send_failed += u64::from(!sent);
    }

    /// Adds a datagram to the burst, sending the burst first when the datagram does not fit it.
    fn queue(&mut self, transmit: &Transmit) {
        // A light viewer's state machine saw no media: what it would say of it is wrong.
        if self.light.is_some() && is_media(&transmit.contents) {
            return;
        }
        if !self.burst.takes(transmit.destination, transmit.contents.len()) {
            self.flush();
        }
        self.burst.add(transmit.destination, &transmit.contents);
        self.traffic.sent += 1;
    }

    fn flush(&mut self) {
        let Some(to) = self.burst.to else { return };
        let sent = wire::send_run(&self.socket, to, &self.burst.bytes, self.burst.segment);
        if sent.is_err_and(|error| error.kind() != io::ErrorKind::ConnectionRefused) {
            self.traffic.send_failed += 1;
        }
        self.burst.clear();
    }
}

/// The time as the kernel stamps arrivals.
fn unix_now() -> Time {
    Time(wire::unix_nanoseconds() / 1_000)
}

/// Whether a datagram is RTP or RTCP and not ICE or DTLS (RFC 7983).
fn is_media(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| (128..192).contains(first))
}

fn is_rtp(datagram: &[u8]) -> bool {
    is_media(datagram) && datagram.get(1).is_some_and(|second| !RTCP_TYPES.contains(&(second & 0x7F)))
}

#[cfg(test)]
mod tests {
    use super::is_rtp;

    #[test]
    fn rtcp_stun_and_dtls_are_no_rtp() {
        assert!(is_rtp(&[0x80, 96]) && is_rtp(&[0x90, 0xEF]));
        assert!(
            !is_rtp(&[0x80, 200])
                && !is_rtp(&[0x81, 205])
                && !is_rtp(&[0, 1])
                && !is_rtp(&[22, 254])
                && !is_rtp(&[])
        );
    }
}
