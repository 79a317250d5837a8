//! One direction of a link: loss at entry, duplication, queue, server, propagation and jitter, delivery.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::delay::{DelayConfig, Propagation};
use crate::log::{DropReason, Log, PacketRecord, SAMPLE_US, Sample};
use crate::loss::{Loss, LossProcess};
use crate::queue::{Queue, QueueConfig, Taken, Waiting};
use crate::random::{Direction, Probability, Random, Stage};
use crate::server::{Capacity, Server};

/// Bytes of the IPv4 and UDP headers, which every payload carries.
pub const HEADER_BYTES: u64 = 28;

/// Settings of a link; the default carries everything at once and loses nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LinkConfig {
    /// Loss at entry.
    pub loss: Loss,
    /// Share of packets that the link sends twice.
    pub duplication: f64,
    /// The queue.
    pub queue: QueueConfig,
    /// What the server carries.
    pub capacity: Capacity,
    /// From the server to the far end.
    pub delay: DelayConfig,
    /// Bytes of link layer per packet, beyond [`HEADER_BYTES`].
    pub l2_overhead: u64,
    /// Keep no [`Log`], for runs without end; the counts stand nevertheless.
    pub unlogged: bool,
}

/// What a packet brings beside its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tag {
    /// Tells flows that share a link apart in the log.
    pub flow: u32,
    /// For the priority queue, when the link has one.
    pub urgent: bool,
}

/// A packet at the far end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery<T> {
    /// When it arrived, microseconds.
    pub t_out: u64,
    /// The number that [`Link::push`] gave.
    pub id: u64,
    /// The flow it was pushed for.
    pub flow: u32,
    /// Marked by active queue management.
    pub marked: bool,
    /// What was pushed.
    pub payload: T,
}

/// Packets by what became of them. Pushed and duplicated together are delivered, dropped and held together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Pushed.
    pub pushed: u64,
    /// Copies made by the link.
    pub duplicated: u64,
    /// Popped.
    pub delivered: u64,
    /// Dropped, by the number of the [`DropReason`].
    pub dropped: [u64; DropReason::NAMES.len()],
}

impl Counts {
    /// Dropped for any reason.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

/// One direction of a link, in virtual time: no clock, no socket. Times are microseconds and do not run backwards: an
/// earlier one is taken as the latest that was given.
#[derive(Clone, Debug)]
pub struct Link<T> {
    now_us: u64,
    l2_overhead: u64,
    loss: LossProcess,
    duplicates: (Random, Probability),
    queue: Queue<T>,
    server: Server,
    in_service: Option<InService<T>>,
    propagation: Propagation,
    in_flight: BinaryHeap<InFlight<T>>,
    departed: u64,
    counts: Counts,
    log: Option<Log>,
    next_sample_us: u64,
}

#[derive(Clone, Debug)]
struct InService<T> {
    packet: Waiting<T>,
    /// When its last bit goes, and how far behind it the next one stays; `None`: never.
    finish: Option<(u64, u64)>,
}

#[derive(Clone, Debug)]
struct InFlight<T> {
    t_out: u64,
    /// Tells packets that arrive together apart: in the order in which they left.
    order: u64,
    packet: Waiting<T>,
}

impl<T> PartialEq for InFlight<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for InFlight<T> {}

impl<T> PartialOrd for InFlight<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for InFlight<T> {
    /// The earliest is the greatest, for the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.t_out, other.order).cmp(&(self.t_out, self.order))
    }
}

impl<T: Clone> Link<T> {
    /// A link at time 0. The same configuration, seed, direction and pushes give the same run, byte for byte.
    pub fn new(config: LinkConfig, seed: u64, direction: Direction) -> Link<T> {
        Link {
            now_us: 0,
            l2_overhead: config.l2_overhead,
            loss: LossProcess::new(&config.loss, seed, direction),
            duplicates: (
                Random::stream(seed, direction, Stage::Duplication),
                Probability::new(config.duplication),
            ),
            queue: Queue::new(config.queue),
            server: Server::new(config.capacity),
            in_service: None,
            propagation: Propagation::new(config.delay, seed, direction),
            in_flight: BinaryHeap::new(),
            departed: 0,
            counts: Counts::default(),
            log: (!config.unlogged).then(Log::default),
            next_sample_us: SAMPLE_US,
        }
    }

    /// Gives the link a payload of `bytes` at `t_us`; returns the packet's number.
    pub fn push(&mut self, t_us: u64, bytes: usize, payload: T) -> u64 {
        self.push_tagged(t_us, bytes, payload, Tag::default())
    }

    /// The same for a packet of a certain flow.
    pub fn push_tagged(&mut self, t_us: u64, bytes: usize, payload: T, tag: Tag) -> u64 {
        self.advance(t_us);
        let id = self.counts.pushed;
        self.counts.pushed += 1;
        let bytes = (bytes as u64).saturating_add(HEADER_BYTES).saturating_add(self.l2_overhead);
        let lost = self.loss.loses(self.now_us);
        // Drawn for lost ones too, so that a change of the loss moves no duplicate.
        let twice = self.duplicates.0.chance(self.duplicates.1) && !lost;
        let packet = Waiting {
            payload,
            bytes,
            t_enq_us: self.now_us,
            marked: false,
            urgent: tag.urgent,
            id,
            record: 0,
            flow: tag.flow,
        };
        let copy = twice.then(|| packet.clone());
        self.enter(packet, false, lost);
        if let Some(copy) = copy {
            self.counts.duplicated += 1;
            self.enter(copy, true, false);
        }
        id
    }

    /// The next packet that has arrived by `t_us`, and when it did.
    pub fn pop(&mut self, t_us: u64) -> Option<(u64, T)> {
        self.pop_delivery(t_us).map(|delivery| (delivery.t_out, delivery.payload))
    }

    /// The same with all that the link knows of the packet.
    pub fn pop_delivery(&mut self, t_us: u64) -> Option<Delivery<T>> {
        self.advance(t_us);
        if self.in_flight.peek()?.t_out > self.now_us {
            return None;
        }
        let InFlight { t_out, packet, .. } = self.in_flight.pop()?;
        self.counts.delivered += 1;
        let Waiting { id, flow, marked, payload, .. } = packet;
        Some(Delivery { t_out, id, flow, marked, payload })
    }

    /// When to call [`Link::pop`] again: no packet arrives before, though at that moment none may. `None` until the
    /// next push.
    pub fn next_event(&self) -> Option<u64> {
        let arrival = self.in_flight.peek().map(|packet| packet.t_out);
        let finish = self.in_service.as_ref().and_then(|service| service.finish).map(|finish| finish.0);
        arrival.into_iter().chain(finish).min()
    }

    /// What became of the packets so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Packets inside: waiting, being sent, on their way.
    pub fn held(&self) -> usize {
        self.queue.len() + usize::from(self.in_service.is_some()) + self.in_flight.len()
    }

    /// Bytes that wait, the packet being sent not counted.
    pub fn queue_bytes(&self) -> u64 {
        self.queue.bytes()
    }

    /// What the link carries at `t_us`, in bits per second; `None` is without bound.
    pub fn rate_at(&self, t_us: u64) -> Option<u64> {
        self.server.capacity().rate_at(t_us)
    }

    /// The log; `None` when the configuration asked for none.
    pub fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    /// Does all that happens up to `t_us`.
    fn advance(&mut self, t_us: u64) {
        let to = t_us.max(self.now_us);
        while let Some((at, serialisation_us)) = self.in_service.as_ref().and_then(|service| service.finish) {
            if at > to {
                break;
            }
            // Samples tell the state before what happens at their moment.
            self.sample(at);
            self.now_us = at;
            if let Some(service) = self.in_service.take() {
                self.depart(service.packet, serialisation_us);
            }
            self.serve_next();
        }
        self.sample(to);
        self.now_us = to;
    }

    fn enter(&mut self, mut packet: Waiting<T>, duplicate: bool, lost: bool) {
        packet.record = self.open_record(&packet, duplicate);
        let record = packet.record;
        if lost {
            return self.close_record(record, DropReason::Loss);
        }
        let rate = self.server.capacity().rate_at(self.now_us);
        if !self.queue.offer(packet, rate) {
            return self.close_record(record, DropReason::QueueFull);
        }
        let now_us = self.now_us;
        self.note(record, |record| record.t_enq = Some(now_us));
        if self.in_service.is_none() {
            self.serve_next();
        }
    }

    fn serve_next(&mut self) {
        while let Some(taken) = self.queue.take(self.now_us) {
            let packet = match taken {
                Taken::Serve(packet) => packet,
                Taken::HeadDrop(packet) => {
                    self.close_record(packet.record, DropReason::HeadDrop);
                    continue;
                }
                Taken::CoDelDrop(packet) => {
                    self.close_record(packet.record, DropReason::CoDel);
                    continue;
                }
            };
            let service = self.server.serve(self.now_us, packet.bytes);
            if let Some(service) = service {
                self.note(packet.record, |record| record.t_start = Some(service.first));
            }
            let finish = service.map(|service| (service.finish, service.serialisation));
            self.in_service = Some(InService { packet, finish });
            // One that is gone at once makes room at once: bursts into a fast link do not queue.
            match finish {
                Some((at, serialisation_us)) if at == self.now_us => {
                    if let Some(service) = self.in_service.take() {
                        self.depart(service.packet, serialisation_us);
                    }
                }
                _ => return,
            }
        }
    }

    fn depart(&mut self, packet: Waiting<T>, serialisation_us: u64) {
        let done = self.now_us;
        let t_out = self.propagation.arrival(done, serialisation_us);
        self.note(packet.record, |record| {
            record.t_done = Some(done);
            record.t_out = Some(t_out);
        });
        self.in_flight.push(InFlight { t_out, order: self.departed, packet });
        self.departed += 1;
    }

    fn open_record(&mut self, packet: &Waiting<T>, duplicate: bool) -> usize {
        let queue_bytes = self.queue.bytes();
        let Some(log) = &mut self.log else { return 0 };
        log.packets.push(PacketRecord {
            id: packet.id,
            flow: packet.flow,
            duplicate,
            bytes: packet.bytes,
            queue_bytes,
            t_in: self.now_us,
            t_enq: None,
            t_start: None,
            t_done: None,
            t_out: None,
            dropped: None,
        });
        log.packets.len() - 1
    }

    fn close_record(&mut self, record: usize, reason: DropReason) {
        self.counts.dropped[reason as usize] += 1;
        self.note(record, |record| record.dropped = Some(reason));
    }

    fn note(&mut self, record: usize, change: impl FnOnce(&mut PacketRecord)) {
        if let Some(record) = self.log.as_mut().and_then(|log| log.packets.get_mut(record)) {
            change(record);
        }
    }

    fn sample(&mut self, to_us: u64) {
        let Some(log) = &mut self.log else { return };
        while self.next_sample_us <= to_us {
            let t = self.next_sample_us;
            let capacity_bits = self.server.capacity().bits_between(t - SAMPLE_US, t);
            log.samples.push(Sample { t, capacity_bits, queue_bytes: self.queue.bytes() });
            self.next_sample_us += SAMPLE_US;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Limit;

    fn link(config: LinkConfig) -> Link<u32> {
        Link::new(config, 1, Direction::Forward)
    }

    fn drain(link: &mut Link<u32>, to_us: u64) -> Vec<(u64, u32)> {
        std::iter::from_fn(|| link.pop(to_us)).collect()
    }

    #[test]
    fn a_packet_takes_its_serialisation_and_the_delay() {
        let delay = DelayConfig { delay_us: 50_000, ..DelayConfig::default() };
        let mut link =
            link(LinkConfig { capacity: Capacity::constant(1_000_000), delay, ..LinkConfig::default() });
        // 972 + 28 bytes at 1 Mbit/s are 8 ms.
        link.push(1_000, 972, 7);
        assert_eq!(link.next_event(), Some(9_000));
        assert_eq!(link.pop(58_999), None);
        assert_eq!(link.next_event(), Some(59_000));
        assert_eq!(link.pop(59_000), Some((59_000, 7)));
        assert_eq!((link.next_event(), link.held()), (None, 0));
    }

    #[test]
    fn following_only_next_event_misses_nothing() {
        let mut stepped =
            link(LinkConfig { capacity: Capacity::constant(3_333_333), ..LinkConfig::default() });
        let mut at_once = stepped.clone();
        for n in 0..100 {
            stepped.push(0, 300, n);
            at_once.push(0, 300, n);
        }
        let mut seen = Vec::new();
        while let Some(t) = stepped.next_event() {
            seen.extend(drain(&mut stepped, t));
        }
        assert_eq!(seen.len(), 100);
        assert_eq!(seen, drain(&mut at_once, 1_000_000));
    }

    #[test]
    fn a_full_queue_refuses_and_says_so() {
        let queue = QueueConfig { limit: Limit::Bytes(2_000), ..QueueConfig::default() };
        let mut link =
            link(LinkConfig { capacity: Capacity::constant(8_000), queue, ..LinkConfig::default() });
        for n in 0..4 {
            link.push(0, 972, n);
        }
        // One is being sent, two wait.
        assert_eq!(link.counts().dropped[DropReason::QueueFull as usize], 1);
        assert_eq!(link.queue_bytes(), 2_000);
        let log = link.log().expect("logged");
        assert_eq!(log.packets.last().and_then(|record| record.dropped), Some(DropReason::QueueFull));
        assert_eq!(
            log.packets.iter().map(|record| record.queue_bytes).collect::<Vec<_>>(),
            [0, 0, 1_000, 2_000]
        );
    }

    #[test]
    fn duplicates_follow_their_originals() {
        let mut link = link(LinkConfig { duplication: 1.0, ..LinkConfig::default() });
        link.push(5, 100, 1);
        assert_eq!(drain(&mut link, 5), [(5, 1), (5, 1)]);
        assert_eq!((link.counts().pushed, link.counts().duplicated, link.counts().delivered), (1, 1, 2));
    }

    #[test]
    fn time_does_not_run_backwards() {
        let mut link = link(LinkConfig::default());
        link.push(100, 10, 1);
        link.push(50, 10, 2);
        assert_eq!(drain(&mut link, 0), [(100, 1), (100, 2)]);
    }

    #[test]
    fn jitter_does_not_move_the_losses() {
        let lossy = LinkConfig { loss: Loss::Iid(0.2), ..LinkConfig::default() };
        let jittery = LinkConfig {
            delay: DelayConfig { jitter: crate::delay::Jitter::rfc8868(), ..DelayConfig::default() },
            ..lossy.clone()
        };
        let survivors = |config| {
            let mut link = link(config);
            (0..1_000).for_each(|n| {
                link.push(u64::from(n) * 1_000, 100, n);
            });
            drain(&mut link, 10_000_000).into_iter().map(|(_, n)| n).collect::<Vec<_>>()
        };
        assert_eq!(survivors(lossy), survivors(jittery));
    }

    #[test]
    fn an_unlogged_link_counts_all_the_same() {
        let mut link = link(LinkConfig { loss: Loss::Iid(1.0), unlogged: true, ..LinkConfig::default() });
        link.push(0, 1, 1);
        assert!(link.log().is_none());
        assert_eq!(link.counts().dropped[DropReason::Loss as usize], 1);
    }
}
