//! The links between real sockets: sleep until a datagram or an event, carry, repeat.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use loupe_netem::{Direction, Link, percentile};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::options::Options;
use crate::stamped::{ask_for_stamps, receive};

/// Kernel buffer of each socket, so that a late wake-up loses nothing that the link would have carried.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// Senders that may pass at once; datagrams of further ones are counted and dropped.
const MAX_SENDERS: usize = 64;
/// The largest UDP payload.
const MAX_DATAGRAM_BYTES: usize = 65_535;
/// Measures of lateness kept between two reports; more than one process relays in minutes.
const MAX_LATENESS: usize = 10_000_000;
/// Datagrams taken from one socket before the links' events are looked at again.
const BATCH: usize = 64;

/// A datagram between the sockets, with its sender's place.
#[derive(Clone, Debug)]
struct Parcel {
    sender: usize,
    datagram: Vec<u8>,
}

/// One who sends to `--listen`, and the socket that stands for it before `--forward`.
#[derive(Debug)]
struct Sender {
    address: SocketAddr,
    socket: UdpSocket,
}

struct Relay {
    start: Instant,
    listen: UdpSocket,
    forward: SocketAddr,
    senders: Vec<Sender>,
    up: Link<Parcel>,
    down: Link<Parcel>,
    refused: u64,
    unsent: u64,
    /// Microseconds by which datagrams left later than their links said, since the last report; none are kept when
    /// nobody asked for reports.
    lateness: Option<Vec<u64>>,
}

/// Runs until `--duration-s` ends it, or for ever.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let listen = open(options.listen).map_err(|error| format!("{}: {error}", options.listen))?;
    let mut relay = Relay {
        start: Instant::now(),
        listen,
        forward: options.forward,
        senders: Vec::new(),
        up: Link::new(options.up.config.clone(), options.up.seed, Direction::Forward),
        down: Link::new(options.down.config.clone(), options.down.seed, Direction::Backward),
        refused: 0,
        unsent: 0,
        lateness: options.report.map(|_| Vec::new()),
    };
    println!("ready {}", relay.listen.local_addr().map_err(|error| error.to_string())?);
    let end = options.duration.map(micros);
    let period = options.report.map(micros);
    let mut report_at = period;
    let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
    loop {
        let now = relay.now();
        if end.is_some_and(|end| now >= end) {
            break;
        }
        if let (Some(at), Some(period)) = (report_at, period)
            && now >= at
        {
            relay.report();
            report_at = Some(now + period);
        }
        let wake =
            [relay.up.next_event(), relay.down.next_event(), end, report_at].into_iter().flatten().min();
        relay.sleep(wake).map_err(|error| format!("cannot wait for datagrams: {error}"))?;
        relay.take_in(&mut buffer);
        relay.give_out();
    }
    if period.is_some() {
        relay.report();
    }
    Ok(())
}

impl Relay {
    fn now(&self) -> u64 {
        micros(self.start.elapsed())
    }

    /// Waits for a datagram, at most until `wake`. Poll takes nanoseconds, as ppoll does.
    fn sleep(&self, wake: Option<u64>) -> io::Result<()> {
        let timeout = wake.map(|wake| {
            let span = Duration::from_micros(wake.saturating_sub(self.now()));
            Timespec { tv_sec: span.as_secs() as i64, tv_nsec: i64::from(span.subsec_nanos()) }
        });
        let listening = std::iter::once(self.listen.as_fd());
        let mut sockets: Vec<PollFd<'_>> = listening
            .chain(self.senders.iter().map(|sender| sender.socket.as_fd()))
            .map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN))
            .collect();
        match poll(&mut sockets, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Pushes what the sockets hold, each datagram as of when the kernel had it.
    fn take_in(&mut self, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            // ICMP errors of earlier sends surface here; they concern no datagram in hand.
            let Ok(received) = receive(&self.listen, buffer) else { break };
            let place = received.source.and_then(|source| self.place(source));
            let (Some(sender), Some(datagram)) = (place, buffer.get(..received.length)) else {
                self.refused += 1;
                continue;
            };
            let came = self.now().saturating_sub(micros(received.waited));
            self.up.push(came, received.length, Parcel { sender, datagram: datagram.to_vec() });
        }
        for (place, sender) in self.senders.iter().enumerate() {
            for _ in 0..BATCH {
                let Ok(received) = receive(&sender.socket, buffer) else { break };
                let Some(datagram) = buffer.get(..received.length) else { break };
                let came = micros(self.start.elapsed().saturating_sub(received.waited));
                self.down.push(came, received.length, Parcel { sender: place, datagram: datagram.to_vec() });
            }
        }
    }

    /// The place of a sender, a new one if need be; `None` when there is none left.
    fn place(&mut self, address: SocketAddr) -> Option<usize> {
        if let Some(place) = self.senders.iter().position(|sender| sender.address == address) {
            return Some(place);
        }
        if self.senders.len() >= MAX_SENDERS {
            return None;
        }
        let any: SocketAddr = match self.forward {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = open(any).ok()?;
        socket.connect(self.forward).ok()?;
        self.senders.push(Sender { address, socket });
        Some(self.senders.len() - 1)
    }

    /// Sends what has passed the links by now.
    fn give_out(&mut self) {
        let now = self.now();
        while let Some((t_out, parcel)) = self.up.pop(now) {
            let sent = self.senders.get(parcel.sender).map(|sender| sender.socket.send(&parcel.datagram));
            self.note(t_out, matches!(sent, Some(Ok(_))));
        }
        while let Some((t_out, parcel)) = self.down.pop(now) {
            let to = self.senders.get(parcel.sender).map(|sender| sender.address);
            let sent = to.map(|to| self.listen.send_to(&parcel.datagram, to));
            self.note(t_out, matches!(sent, Some(Ok(_))));
        }
    }

    fn note(&mut self, t_out: u64, sent: bool) {
        self.unsent += u64::from(!sent);
        let late = self.now().saturating_sub(t_out);
        if let Some(lateness) = self.lateness.as_mut().filter(|lateness| lateness.len() < MAX_LATENESS) {
            lateness.push(late);
        }
    }

    /// One line: what became of the datagrams, how late this process was, how much time the machine took away.
    fn report(&mut self) {
        let mut lateness = self.lateness.replace(Vec::new()).unwrap_or_default();
        lateness.sort_unstable();
        let late = |percent| percentile(&lateness, percent).unwrap_or(0);
        let stolen = stolen_ticks().map_or_else(|| "unknown".to_owned(), |ticks| ticks.to_string());
        eprintln!(
            "t={}us up={:?} down={:?} refused={} unsent={} late_us p50={} p99={} max={} stolen_ticks={stolen}",
            self.now(),
            self.up.counts(),
            self.down.counts(),
            self.refused,
            self.unsent,
            late(50),
            late(99),
            late(100),
        );
    }
}

/// A non-blocking socket with a large buffer, forced where the process may, else what the system's limit allows.
fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    ask_for_stamps(&socket);
    #[cfg(target_os = "linux")]
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER_BYTES).is_ok() {
        return Ok(socket);
    }
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER_BYTES)
        .map_err(io::Error::from)?;
    Ok(socket)
}

/// Ticks that the host of a virtual machine took, since the start: the eighth number of the first line.
fn stolen_ticks() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    text.lines().next()?.split_whitespace().nth(8)?.parse().ok()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
