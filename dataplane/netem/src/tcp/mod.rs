//! TCP as cross traffic: bulk transfers and bursts of short connections, in virtual time.
//!
//! A model of what shares the link, not of a host: no receive windows, segments of one size. What shapes the traffic is
//! there: handshakes, slow start from ten segments, delayed and selective acknowledgements, loss detection by time,
//! timeouts, and three congestion controls.
//!
//! Held once against Linux 6.18 over a real-time link of 2 Mbit/s, 100 ms and 75 kB (kernel / model): Cubic's queue p50
//! 242 / 248 ms, p95 295 / 296 ms, 44 / 47 segments lost in 60 s, every 2.9 and 7.0 s / 2.8 and 6.6 s in turn; Reno's
//! 218 / 218 ms, 290 / 290 ms, 79 / 82, every 11.3 s / 11.3 s; with 250 kB Cubic's 878 / 878 ms, 992 / 992 ms. BBR fills the link in both; its queue there
//! was 48 ms at p50 and 7 ms here, where no timer is ever late.

mod bbr;
pub mod congestion;
mod cubic;
mod newreno;
mod receiver;
mod sender;

use std::ops::Range;

pub use self::congestion::Congestion;
use self::receiver::{Ack, Receiver};
use self::sender::Sender;
use crate::link::HEADER_BYTES;
use crate::random::Random;

/// Bytes of data in a segment.
pub const MSS: u64 = 1_448;
/// A segment on the wire is 1,500 bytes: what a link adds is counted off.
const SEGMENT_PAYLOAD: usize = (1_500 - HEADER_BYTES) as usize;
/// An acknowledgement is IPv4, TCP and timestamps: 52 bytes.
const ACK_PAYLOAD: usize = (52 - HEADER_BYTES) as usize;

/// What a source has to send, and when. Times in microseconds.
#[derive(Clone, PartialEq, Debug)]
pub enum Demand {
    /// Without end from the first moment to the second.
    Bulk(Range<u64>),
    /// Connections one after another, in bursts with idle times between (RFC 8867 section 5.7).
    Bursts {
        /// From the first moment to the second.
        during: Range<u64>,
        /// Connections of a burst.
        connections: u32,
        /// Bytes of each, evenly drawn.
        bytes: Range<u64>,
        /// Idle times are exponential with this mean.
        mean_idle_us: u64,
        /// Whether it begins with a burst, or with an idle time.
        begins_busy: bool,
    },
}

/// A source of TCP traffic.
#[derive(Clone, PartialEq, Debug)]
pub struct TcpSource {
    /// Its congestion control.
    pub congestion: Congestion,
    /// What it has to send.
    pub demand: Demand,
}

/// What a link carries for a source.
#[derive(Clone, Debug)]
pub(crate) enum TcpPacket {
    Open { connection: u32, sent_us: u64 },
    Opened { connection: u32, sent_us: u64 },
    Segment { connection: u32, number: u64, sent_us: u64 },
    Ack { connection: u32, ack: Ack },
}

impl TcpPacket {
    /// UDP payload bytes that take as much room.
    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            TcpPacket::Segment { .. } => SEGMENT_PAYLOAD,
            _ => ACK_PAYLOAD,
        }
    }

    /// Whether it goes from the sender to the receiver.
    pub(crate) fn goes_there(&self) -> bool {
        matches!(self, TcpPacket::Segment { .. } | TcpPacket::Open { .. })
    }
}

/// Figures of a source.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct TcpFigures {
    /// Bytes of data that came, each once.
    pub delivered_bytes: u64,
    /// Segments sent again.
    pub retransmitted: u64,
    /// Connections that ended.
    pub completed: u64,
    /// Segments that may be in flight now.
    pub window: f64,
}

/// Where a source is.
#[derive(Clone, Debug)]
enum State {
    /// The next connection begins at this moment.
    Idle(u64),
    /// A connection is asked for; again at this moment when nothing is heard.
    Opening(u64),
    /// Both ends of a connection.
    Open(Box<(Sender, Receiver)>),
    /// There will be no other.
    Ended,
}

/// A handshake is begun anew after this, microseconds (RFC 6298 section 2).
const OPEN_AGAIN_US: u64 = 1_000_000;

/// A source at work.
#[derive(Clone, Debug)]
pub(crate) struct TcpFlow {
    source: TcpSource,
    random: Random,
    state: State,
    /// Its connections so far.
    connection: u32,
    left_of_burst: u32,
    delivered: u64,
    figures: TcpFigures,
}

impl TcpFlow {
    pub(crate) fn new(source: TcpSource, mut random: Random) -> TcpFlow {
        let (start, left) = match &source.demand {
            Demand::Bulk(during) => (during.start, 1),
            Demand::Bursts { during, connections, mean_idle_us, begins_busy, .. } => {
                let idle =
                    if *begins_busy { 0 } else { (random.exponential() * *mean_idle_us as f64) as u64 };
                (during.start + idle, *connections)
            }
        };
        TcpFlow {
            source,
            random,
            state: State::Idle(start),
            connection: 0,
            left_of_burst: left,
            delivered: 0,
            figures: TcpFigures::default(),
        }
    }

    fn until(&self) -> u64 {
        match &self.source.demand {
            Demand::Bulk(during) | Demand::Bursts { during, .. } => during.end,
        }
    }

    /// Whether it has something to send at this moment.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, State::Opening(_) | State::Open(_))
    }

    pub(crate) fn figures(&self) -> TcpFigures {
        let mut figures = self.figures;
        if let State::Open(ends) = &self.state {
            figures.retransmitted += ends.0.retransmitted;
            figures.window = ends.0.window();
        }
        figures.delivered_bytes = self.delivered * MSS;
        figures
    }

    /// When [`TcpFlow::handle_timeout`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<u64> {
        match &self.state {
            State::Idle(start) => Some(*start).filter(|start| *start < self.until()),
            State::Opening(again) => Some(*again),
            State::Open(ends) => {
                let (sender, receiver) = &**ends;
                // A bulk transfer ends once; then only what is in flight is waited for.
                let ends = matches!(self.source.demand, Demand::Bulk(_)) && !sender.is_ended();
                let end = ends.then(|| self.until());
                sender.next_timeout().into_iter().chain(receiver.next_timeout()).chain(end).min()
            }
            State::Ended => None,
        }
    }

    /// Does what is due; gives the packets that leave now.
    pub(crate) fn handle_timeout(&mut self, now_us: u64) -> Vec<TcpPacket> {
        let (until, connection) = (self.until(), self.connection);
        match &mut self.state {
            State::Idle(due) | State::Opening(due) if *due <= now_us => {
                self.state = State::Opening(now_us + OPEN_AGAIN_US);
                vec![TcpPacket::Open { connection, sent_us: now_us }]
            }
            State::Open(ends) => {
                let (sender, receiver) = &mut **ends;
                if matches!(self.source.demand, Demand::Bulk(_)) && now_us >= until {
                    sender.end();
                }
                sender.handle_timeout(now_us);
                let ack = receiver.handle_timeout(now_us).map(|ack| TcpPacket::Ack { connection, ack });
                ack.into_iter().chain(self.send(now_us)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A packet at its end; gives what leaves in answer.
    pub(crate) fn receive(&mut self, now_us: u64, packet: TcpPacket) -> Vec<TcpPacket> {
        let current = self.connection;
        match (packet, &mut self.state) {
            (TcpPacket::Open { connection, sent_us }, _) => vec![TcpPacket::Opened { connection, sent_us }],
            (TcpPacket::Opened { connection, sent_us }, State::Opening(_)) if connection == current => {
                self.connect(now_us, now_us.saturating_sub(sent_us).max(1));
                self.send(now_us)
            }
            (TcpPacket::Segment { connection, number, sent_us }, State::Open(ends))
                if connection == current =>
            {
                let ack = ends.1.receive(now_us, number, sent_us);
                ack.map(|ack| TcpPacket::Ack { connection, ack }).into_iter().collect()
            }
            (TcpPacket::Ack { connection, ack }, State::Open(ends)) if connection == current => {
                let sender = &mut ends.0;
                let before = sender.delivered();
                sender.receive(now_us, &ack);
                self.delivered += sender.delivered() - before;
                if sender.is_done() {
                    self.disconnect(now_us);
                    return self.handle_timeout(now_us);
                }
                self.send(now_us)
            }
            _ => Vec::new(),
        }
    }

    fn send(&mut self, now_us: u64) -> Vec<TcpPacket> {
        let connection = self.connection;
        let State::Open(ends) = &mut self.state else { return Vec::new() };
        let segments = std::iter::from_fn(|| ends.0.send(now_us));
        segments.map(|it| TcpPacket::Segment { connection, number: it.number, sent_us: it.sent_us }).collect()
    }

    fn connect(&mut self, now_us: u64, rtt_us: u64) {
        let total = match &self.source.demand {
            Demand::Bulk(_) => None,
            Demand::Bursts { bytes, .. } => {
                let drawn = bytes.start + self.random.below(bytes.end.saturating_sub(bytes.start));
                Some(drawn.div_ceil(MSS).max(1))
            }
        };
        let sender = Sender::new(self.source.congestion, now_us, total, rtt_us);
        self.state = State::Open(Box::new((sender, Receiver::default())));
    }

    fn disconnect(&mut self, now_us: u64) {
        if let State::Open(ends) = &self.state {
            self.figures.retransmitted += ends.0.retransmitted;
            self.figures.completed += 1;
        }
        self.connection += 1;
        self.left_of_burst = self.left_of_burst.saturating_sub(1);
        self.state = match &self.source.demand {
            Demand::Bulk(_) => State::Ended,
            Demand::Bursts { connections, mean_idle_us, .. } if self.left_of_burst == 0 => {
                self.left_of_burst = *connections;
                State::Idle(now_us + (self.random.exponential() * *mean_idle_us as f64) as u64)
            }
            Demand::Bursts { .. } => State::Idle(now_us),
        };
        if matches!(self.state, State::Idle(start) if start >= self.until()) {
            self.state = State::Ended;
        }
    }
}
