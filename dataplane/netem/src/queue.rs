//! The queue before the server: first in, first out, drop tail.

use std::collections::VecDeque;

use crate::codel::{CoDel, CoDelConfig, Verdict};

/// How much may wait. The packet that the server is sending has left the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Limit {
    /// Without bound.
    #[default]
    Unbounded,
    /// Bytes, headers counted.
    Bytes(u64),
    /// Packets, whatever their size.
    Packets(u64),
    /// Drain time at the current rate, in microseconds. When the rate falls the queue keeps what it holds and refuses
    /// until it is below again. A link without a rate has no such bound.
    DrainTime(u64),
}

/// Settings of the queue; the default is one unbounded queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueueConfig {
    /// How much may wait, in each of the two queues when there are two.
    pub limit: Limit,
    /// Drop packets that waited longer than this when they reach the head, microseconds.
    pub head_drop_us: Option<u64>,
    /// Keep a second queue for packets pushed as urgent, served strictly first.
    pub strict_priority: bool,
    /// Active queue management on the ordinary queue.
    pub codel: Option<CoDelConfig>,
}

/// A packet that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting<T> {
    pub(crate) payload: T,
    pub(crate) bytes: u64,
    pub(crate) t_enq_us: u64,
    pub(crate) marked: bool,
    pub(crate) urgent: bool,
    /// The packet's place in the log, and its number.
    pub(crate) id: u64,
    pub(crate) record: usize,
    pub(crate) flow: u32,
}

/// What came off the head.
#[derive(Debug)]
pub(crate) enum Taken<T> {
    Serve(Waiting<T>),
    HeadDrop(Waiting<T>),
    CoDelDrop(Waiting<T>),
}

#[derive(Clone, Debug)]
pub(crate) struct Queue<T> {
    config: QueueConfig,
    ordinary: Lane<T>,
    urgent: Lane<T>,
    codel: Option<CoDel>,
}

#[derive(Clone, Debug)]
struct Lane<T> {
    packets: VecDeque<Waiting<T>>,
    bytes: u64,
}

impl<T> Lane<T> {
    fn new() -> Lane<T> {
        Lane { packets: VecDeque::new(), bytes: 0 }
    }

    fn take(&mut self) -> Option<Waiting<T>> {
        let packet = self.packets.pop_front()?;
        self.bytes -= packet.bytes;
        Some(packet)
    }
}

impl<T> Queue<T> {
    pub(crate) fn new(config: QueueConfig) -> Queue<T> {
        let codel = config.codel.map(CoDel::new);
        Queue { config, ordinary: Lane::new(), urgent: Lane::new(), codel }
    }

    /// Bytes that wait, headers counted.
    pub(crate) fn bytes(&self) -> u64 {
        self.ordinary.bytes + self.urgent.bytes
    }

    /// Packets that wait.
    pub(crate) fn len(&self) -> usize {
        self.ordinary.packets.len() + self.urgent.packets.len()
    }

    /// Takes a packet in, or gives false when it does not fit. An empty queue takes any packet, or a link whose limit
    /// is below one packet would carry nothing.
    pub(crate) fn offer(&mut self, packet: Waiting<T>, rate_bps: Option<u64>) -> bool {
        let urgent = self.config.strict_priority && packet.urgent;
        let lane = if urgent { &mut self.urgent } else { &mut self.ordinary };
        let bytes = lane.bytes.saturating_add(packet.bytes);
        let fits = match self.config.limit {
            Limit::Unbounded => true,
            Limit::Bytes(limit) => bytes <= limit,
            Limit::Packets(limit) => (lane.packets.len() as u64) < limit,
            Limit::DrainTime(us) => {
                rate_bps.is_none_or(|rate| u128::from(bytes) * 8_000_000 <= u128::from(us) * u128::from(rate))
            }
        };
        if !fits && !lane.packets.is_empty() {
            return false;
        }
        lane.bytes += packet.bytes;
        lane.packets.push_back(packet);
        true
    }

    /// Takes the next packet off the head, to be served or dropped.
    pub(crate) fn take(&mut self, now_us: u64) -> Option<Taken<T>> {
        if let Some(packet) = self.urgent.take() {
            return Some(self.aged(packet, now_us));
        }
        let mut packet = self.ordinary.take()?;
        let waited = now_us.saturating_sub(packet.t_enq_us);
        let behind = self.ordinary.bytes;
        match self.codel.as_mut().map(|codel| codel.judge(now_us, waited, behind)) {
            Some(Verdict::Drop) => return Some(Taken::CoDelDrop(packet)),
            Some(Verdict::Mark) => packet.marked = true,
            Some(Verdict::Pass) | None => {}
        }
        Some(self.aged(packet, now_us))
    }

    fn aged(&self, packet: Waiting<T>, now_us: u64) -> Taken<T> {
        let waited = now_us.saturating_sub(packet.t_enq_us);
        if self.config.head_drop_us.is_some_and(|limit| waited > limit) {
            Taken::HeadDrop(packet)
        } else {
            Taken::Serve(packet)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(id: u64, bytes: u64, t_enq_us: u64, urgent: bool) -> Waiting<()> {
        Waiting { payload: (), bytes, t_enq_us, marked: false, urgent, id, record: 0, flow: 0 }
    }

    fn served(taken: Option<Taken<()>>) -> Option<u64> {
        match taken {
            Some(Taken::Serve(packet)) => Some(packet.id),
            _ => None,
        }
    }

    #[test]
    fn takes_what_fits_and_anything_when_empty() {
        let mut queue = Queue::new(QueueConfig { limit: Limit::Bytes(1_000), ..QueueConfig::default() });
        assert!(queue.offer(packet(0, 5_000, 0, false), None));
        assert!(!queue.offer(packet(1, 1, 0, false), None));
        assert_eq!(served(queue.take(0)), Some(0));
        assert!(queue.offer(packet(2, 600, 0, false), None));
        assert!(queue.offer(packet(3, 400, 0, false), None));
        assert!(!queue.offer(packet(4, 1, 0, false), None));
        assert_eq!(queue.bytes(), 1_000);
    }

    #[test]
    fn packets_are_counted_whatever_their_size() {
        let mut queue = Queue::new(QueueConfig { limit: Limit::Packets(14), ..QueueConfig::default() });
        let fits = (0..100).filter(|id| queue.offer(packet(*id, 40 + id * 10, 0, false), None)).count();
        assert_eq!(fits, 14);
        assert_eq!(served(queue.take(0)), Some(0));
        assert!(
            queue.offer(packet(200, 1_500, 0, false), None) && !queue.offer(packet(201, 1, 0, false), None)
        );
    }

    #[test]
    fn drain_time_follows_the_rate_and_keeps_what_it_holds() {
        let limit = Limit::DrainTime(300_000);
        let mut queue = Queue::new(QueueConfig { limit, ..QueueConfig::default() });
        // 300 ms of 1 Mbit/s are 37,500 bytes.
        let fits = (0..100).filter(|id| queue.offer(packet(*id, 1_000, 0, false), Some(1_000_000))).count();
        assert_eq!(fits, 37);
        assert!(!queue.offer(packet(200, 1_000, 0, false), Some(500_000)));
        assert_eq!(queue.len(), 37);
        for _ in 0..20 {
            assert!(served(queue.take(0)).is_some());
        }
        assert!(queue.offer(packet(201, 1_000, 0, false), Some(500_000)));
    }

    #[test]
    fn urgent_goes_first_only_when_asked() {
        for (strict_priority, first) in [(true, 1), (false, 0)] {
            let mut queue = Queue::new(QueueConfig { strict_priority, ..QueueConfig::default() });
            queue.offer(packet(0, 100, 0, false), None);
            queue.offer(packet(1, 100, 0, true), None);
            assert_eq!(served(queue.take(0)), Some(first));
        }
    }

    #[test]
    fn old_heads_are_dropped() {
        let mut queue = Queue::new(QueueConfig { head_drop_us: Some(50_000), ..QueueConfig::default() });
        queue.offer(packet(0, 100, 0, false), None);
        queue.offer(packet(1, 100, 1, false), None);
        assert!(matches!(queue.take(50_001), Some(Taken::HeadDrop(packet)) if packet.id == 0));
        assert_eq!(served(queue.take(50_001)), Some(1));
        assert!(queue.take(50_001).is_none() && queue.bytes() == 0);
    }
}
