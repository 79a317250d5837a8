//! TCP as cross traffic: bulk transfers and bursts of short connections, in virtual time.
//!
//! A model of what shares the link, not of a host: no handshakes, no receive windows, segments of one size. What shapes
//! the traffic is there: slow start from ten segments, delayed and selective acknowledgements, loss detection by time,
//! timeouts, and three congestion controls.

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
    Segment { connection: u32, number: u64, sent_us: u64 },
    Ack { connection: u32, ack: Ack },
}

impl TcpPacket {
    /// UDP payload bytes that take as much room.
    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            TcpPacket::Segment { .. } => SEGMENT_PAYLOAD,
            TcpPacket::Ack { .. } => ACK_PAYLOAD,
        }
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

/// A source at work: both ends of its present connection.
#[derive(Clone, Debug)]
pub(crate) struct TcpFlow {
    source: TcpSource,
    random: Random,
    /// Its present connection, and when the next one begins.
    connection: u32,
    ends: Option<(Sender, Receiver)>,
    next_start_us: Option<u64>,
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
            connection: 0,
            ends: None,
            next_start_us: Some(start),
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
        self.ends.is_some()
    }

    pub(crate) fn figures(&self) -> TcpFigures {
        let mut figures = self.figures;
        if let Some((sender, _)) = &self.ends {
            figures.retransmitted += sender.retransmitted;
            figures.window = sender.window();
        }
        figures.delivered_bytes = self.delivered * MSS;
        figures
    }

    /// When [`TcpFlow::handle_timeout`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<u64> {
        let Some((sender, receiver)) = &self.ends else {
            return self.next_start_us.filter(|start| *start < self.until());
        };
        let end = matches!(self.source.demand, Demand::Bulk(_)).then(|| self.until());
        // A bulk transfer ends once; then only what is in flight is waited for.
        let end = end.filter(|_| !self.is_ending(sender));
        sender.next_timeout().into_iter().chain(receiver.next_timeout()).chain(end).min()
    }

    fn is_ending(&self, sender: &Sender) -> bool {
        matches!(self.source.demand, Demand::Bulk(_)) && sender.is_ended()
    }

    /// Does what is due; gives the packets that leave now, segments and acknowledgements.
    pub(crate) fn handle_timeout(&mut self, now_us: u64) -> Vec<TcpPacket> {
        if self.ends.is_none() && self.next_start_us.is_some_and(|start| start <= now_us) {
            self.connect(now_us);
        }
        let until = self.until();
        let mut packets = Vec::new();
        if let Some((sender, receiver)) = &mut self.ends {
            if matches!(self.source.demand, Demand::Bulk(_)) && now_us >= until {
                sender.end();
            }
            sender.handle_timeout(now_us);
            let connection = self.connection;
            packets.extend(receiver.handle_timeout(now_us).map(|ack| TcpPacket::Ack { connection, ack }));
        }
        packets.extend(self.send(now_us));
        packets
    }

    /// A packet at its end; gives what leaves in answer.
    pub(crate) fn receive(&mut self, now_us: u64, packet: TcpPacket) -> Vec<TcpPacket> {
        let current = self.connection;
        let Some((sender, receiver)) = &mut self.ends else { return Vec::new() };
        match packet {
            TcpPacket::Segment { connection, number, sent_us } if connection == current => {
                let ack = receiver.receive(now_us, number, sent_us);
                ack.map(|ack| TcpPacket::Ack { connection, ack }).into_iter().collect()
            }
            TcpPacket::Ack { connection, ack } if connection == current => {
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
        let Some((sender, _)) = &mut self.ends else { return Vec::new() };
        std::iter::from_fn(|| sender.send(now_us))
            .map(|segment| TcpPacket::Segment {
                connection,
                number: segment.number,
                sent_us: segment.sent_us,
            })
            .collect()
    }

    fn connect(&mut self, now_us: u64) {
        let total = match &self.source.demand {
            Demand::Bulk(_) => None,
            Demand::Bursts { bytes, .. } => {
                let drawn = bytes.start + self.random.below(bytes.end.saturating_sub(bytes.start));
                Some(drawn.div_ceil(MSS).max(1))
            }
        };
        self.ends = Some((Sender::new(self.source.congestion, now_us, total), Receiver::default()));
        self.next_start_us = None;
    }

    fn disconnect(&mut self, now_us: u64) {
        if let Some((sender, _)) = self.ends.take() {
            self.figures.retransmitted += sender.retransmitted;
            self.figures.completed += 1;
        }
        self.connection += 1;
        self.left_of_burst = self.left_of_burst.saturating_sub(1);
        if let Demand::Bursts { connections, mean_idle_us, .. } = &self.source.demand {
            let mut start = now_us;
            if self.left_of_burst == 0 {
                self.left_of_burst = *connections;
                start += (self.random.exponential() * *mean_idle_us as f64) as u64;
            }
            self.next_start_us = Some(start);
        }
    }
}
