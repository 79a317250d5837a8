//! Probe clusters: a few packets faster than the estimate, to learn whether the path carries more.
//!
//! How much one cluster may cost is bounded before it is sent: if the path carries no more than what is trusted, the
//! cluster's queue is gone in [`MAX_QUEUE`]. A cluster too short to prove a rate only raises what is trusted, so that
//! the next one may be longer: from 200 kbit/s to 5 Mbit/s it takes four.

use std::time::Duration;

use super::trail::Passage;
use crate::units::{Bitrate, SeqNo, Time};

/// The queue that a cluster may build where it fails.
const MAX_QUEUE: Duration = Duration::from_millis(50);
/// A cluster that lasted so long proves its rate.
const PROOF: Duration = Duration::from_millis(20);
/// No cluster lasts longer.
const MAX_LENGTH: Duration = Duration::from_millis(60);
/// Bytes of a packet to probe with, on the wire.
const PACKET_BYTES: u64 = 1_200;
/// The same of one of padding alone: of a path that carries no moving picture less is to be had.
const PADDING_BYTES: u64 = 300;
/// Two distances between packets tell more than one, where they may be had.
const PACKETS: u64 = 3;
const MIN_PACKETS: u64 = 2;
/// A cluster aims at most this far above what is trusted.
const STEP: f64 = 3.0;
/// A report about a cluster that takes longer than the round trip and this does not come.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two probes after failures: the first, and the most.
const FIRST_REST: Duration = Duration::from_secs(1);
const MAX_REST: Duration = Duration::from_secs(3);
/// After a dip, probes at the old rate follow each other this soon, so many times.
const RECOVERY_REST: Duration = Duration::from_millis(350);
const RECOVERY_PROBES: u32 = 3;

/// What the pacer is to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// Marks its packets.
    pub cluster: u8,
    /// At which rate, everything counted.
    pub rate: Bitrate,
    /// How many bytes on the wire in all.
    pub bytes: u64,
}

/// What a cluster showed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outcome {
    /// What was carried, bits per second.
    pub reached: f64,
    /// Whether that is all that was sent.
    pub passed: bool,
    /// Whether it lasted long enough to prove the rate.
    pub proven: bool,
    /// Whether it was a test of the server's pace.
    pub test: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing to be sent before this.
    Resting(Time),
    /// The pacer has the order.
    Sending,
    /// All of it has left; reports up to this number will tell.
    Awaiting { last: SeqNo, until: Time },
}

/// What arrived of the cluster.
#[derive(Clone, Copy, Debug, Default)]
struct Arrived {
    first: Option<Passage>,
    last: Option<Passage>,
    /// Of all packets but the first.
    bytes: i64,
    packets: u32,
}

/// The probes of one viewer.
#[derive(Clone, Debug)]
pub struct Probes {
    state: State,
    cluster: u8,
    rate: f64,
    arrived: Arrived,
    test: bool,
    /// What the path carries for all we know, though it may not be proven, bits per second.
    trusted: f64,
    failures: u32,
    /// Probes at the old rate still to be sent after a dip.
    recovery: u32,
    sent: u64,
}

impl Default for Probes {
    fn default() -> Probes {
        Probes {
            state: State::Resting(Time::ZERO),
            cluster: 0,
            rate: 0.0,
            arrived: Arrived::default(),
            test: false,
            trusted: 0.0,
            failures: 0,
            recovery: 0,
            sent: 0,
        }
    }
}

impl Probes {
    /// Clusters sent so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// A dip is over: probe at the old rate, at once.
    pub fn recover(&mut self, now: Time) {
        self.recovery = RECOVERY_PROBES;
        self.failures = 0;
        if !self.is_testing() {
            self.rest(now);
        }
    }

    /// Whether a probe at the old rate is to be sent next.
    pub fn recovers(&self) -> bool {
        self.recovery > 0
    }

    /// There is a sign that the path carries more: no need to wait.
    pub fn hurry(&mut self, now: Time) {
        if let State::Resting(until) = self.state {
            self.state = State::Resting(until.min(now));
        }
    }

    /// What is trusted falls to what is estimated: something went wrong.
    pub fn distrust(&mut self) {
        self.trusted = 0.0;
    }

    /// The next cluster, when it is time: `estimate` is proven, `goal` would be useful (bits per second); `padding`: it is
    /// made of that alone.
    pub fn plan(&mut self, now: Time, estimate: f64, goal: f64, padding: bool) -> Option<Order> {
        let State::Resting(until) = self.state else { return None };
        if now < until {
            return None;
        }
        let trusted = self.trusted.max(estimate);
        let ceiling = if self.recovers() { goal } else { trusted * STEP };
        let rate = goal.min(ceiling).max(estimate * 1.1);
        // Beyond what the path is trusted to carry, bytes queue.
        let excess = (rate / trusted - 1.0).max(0.2);
        let length = (MAX_QUEUE.as_secs_f64() / excess).min(MAX_LENGTH.as_secs_f64());
        let queued = (MAX_QUEUE.as_secs_f64() * trusted / 8.0) as u64;
        // Of a thin path even two usual packets are too much.
        let each =
            if padding { PADDING_BYTES } else { (queued / MIN_PACKETS).clamp(PADDING_BYTES, PACKET_BYTES) };
        // All packets but the first may wait for it.
        let packets = (queued / each + 1).clamp(MIN_PACKETS, PACKETS);
        let bytes = ((rate * length / 8.0) as u64).max(packets * each);
        self.test = false;
        Some(self.begin(rate, bytes))
    }

    /// A few packets at once, whose distances at the viewer tell the server's own pace.
    pub fn test(&mut self, rate: f64) -> Option<Order> {
        if !matches!(self.state, State::Resting(_)) {
            return None;
        }
        self.test = true;
        Some(self.begin(rate, PACKETS * PACKET_BYTES))
    }

    fn begin(&mut self, rate: f64, bytes: u64) -> Order {
        self.cluster = if self.cluster == u8::MAX { 1 } else { self.cluster + 1 };
        self.rate = rate;
        self.arrived = Arrived::default();
        self.sent += 1;
        self.state = State::Sending;
        Order { cluster: self.cluster, rate: Bitrate(rate as u64), bytes }
    }

    /// All packets of the cluster have left, the last under the number `last`, or no more could be sent.
    pub fn left(&mut self, now: Time, last: SeqNo, round_trip: Duration) {
        if let State::Sending = self.state {
            self.state = State::Awaiting { last, until: now + round_trip + PATIENCE };
        }
    }

    /// A packet of some cluster arrived.
    pub fn pass(&mut self, cluster: u8, passage: Passage) {
        if cluster != self.cluster || matches!(self.state, State::Resting(_)) {
            return;
        }
        let arrived = &mut self.arrived;
        arrived.packets += 1;
        if arrived.first.is_none() {
            arrived.first = Some(passage);
        } else {
            arrived.bytes += passage.bytes;
        }
        if arrived.last.is_none_or(|last| passage.arrival >= last.arrival) {
            arrived.last = Some(passage);
        }
    }

    /// What the cluster showed, once everything up to the packet `reported` is known; `slack`: what jitter may add to
    /// its length.
    pub fn finish(&mut self, now: Time, reported: SeqNo, slack: Duration) -> Option<Outcome> {
        let State::Awaiting { last, until } = self.state else { return None };
        if reported < last && now < until {
            return None;
        }
        let outcome = self.outcome(slack);
        if self.test {
            self.state = State::Resting(now);
            return outcome;
        }
        if let Some(Outcome { passed: true, reached, .. }) = outcome {
            self.failures = 0;
            self.trusted = self.trusted.max(reached);
            self.state = State::Resting(now);
        } else {
            self.failures += 1;
            self.recovery = self.recovery.saturating_sub(1);
            self.trusted = 0.0;
            self.rest(now);
        }
        outcome
    }

    /// The rate fell: a probe under way is of no use any more. A test is: it tells why.
    pub fn fall(&mut self, now: Time) {
        if !self.is_testing() {
            self.abandon(now);
        }
    }

    /// Whether a test is under way.
    fn is_testing(&self) -> bool {
        self.test && !matches!(self.state, State::Resting(_))
    }

    /// What is under way is of no use any more.
    pub fn abandon(&mut self, now: Time) {
        if !matches!(self.state, State::Resting(_)) {
            self.failures += 1;
            self.rest(now);
        }
    }

    fn rest(&mut self, now: Time) {
        let rest = match (self.failures, self.recovery) {
            (0, _) => Duration::ZERO,
            (_, 1..) => RECOVERY_REST,
            (failures, 0) => (FIRST_REST * failures).min(MAX_REST),
        };
        self.state = State::Resting(now + rest);
    }

    fn outcome(&self, slack: Duration) -> Option<Outcome> {
        let Arrived { first: Some(first), last: Some(last), bytes, packets } = self.arrived else {
            return None;
        };
        if packets < 2 {
            return None;
        }
        let slack = slack.as_micros() as i64;
        let (sent, arrived) = (last.sent - first.sent, last.arrival - first.arrival);
        // Pictures that left meanwhile may have made it faster than was asked.
        let fast = bytes as f64 * 8e6 >= 0.95 * self.rate * arrived.max(1) as f64;
        let passed = fast || arrived <= sent + sent / 8 + slack;
        let span = if passed { sent.max(arrived - slack) } else { arrived };
        let reached = (bytes as f64 * 8e6 / span.max(1) as f64).min(self.rate);
        let proven = Duration::from_micros(span.max(0) as u64) >= PROOF;
        Some(Outcome { reached, passed, proven, test: self.test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(100);

    /// Sends an order over a path of `bps`; gives what it showed and the queue it built, in milliseconds.
    fn send(probes: &mut Probes, now: Time, order: Order, bps: f64) -> (Outcome, f64) {
        let packets = order.bytes.div_ceil(PACKET_BYTES);
        let (mut free, mut queue) = (0_f64, 0_f64);
        for packet in 0..packets {
            let at = packet as f64 * PACKET_BYTES as f64 * 8e6 / order.rate.0 as f64;
            queue = queue.max((free - at) / 1e3);
            free = free.max(at) + PACKET_BYTES as f64 * 8e6 / bps;
            let sent = now.0 as i64 + at as i64;
            let arrival = now.0 as i64 + 50_000 + free as i64;
            let seq = SeqNo(100 + packet);
            probes.pass(order.cluster, Passage { seq, sent, arrival, bytes: PACKET_BYTES as i64 });
        }
        probes.left(now, SeqNo(99 + packets), ROUND_TRIP);
        let outcome = probes.finish(now + ROUND_TRIP, SeqNo(99 + packets), Duration::from_millis(2));
        (outcome.expect("all was reported"), queue)
    }

    /// Probes from `start` towards `goal` until one fails or the goal is reached: proven rate, clusters, worst queue.
    fn climb(start: f64, goal: f64, bps: f64) -> (f64, usize, f64) {
        let mut probes = Probes::default();
        let (mut estimate, mut worst, mut now) = (start, 0_f64, Time::from_millis(1_000));
        for clusters in 1..20 {
            let order = probes.plan(now, estimate, goal, false).expect("nothing failed so far");
            let (outcome, queue) = send(&mut probes, now, order, bps);
            worst = worst.max(queue);
            if outcome.proven || !outcome.passed {
                estimate = estimate.max(outcome.reached);
            }
            if !outcome.passed || estimate >= goal * 0.99 {
                return (estimate, clusters, worst);
            }
            now += Duration::from_millis(200);
        }
        panic!("no end at {estimate}");
    }

    #[test]
    fn reaches_5_mbit_in_a_few_clusters() {
        let (reached, clusters, queue) = climb(2e5, 5e6, 6e6);
        assert!(reached > 4.9e6 && clusters <= 5 && queue < 5.0, "{reached} {clusters} {queue}");
    }

    #[test]
    fn finds_a_thin_path_and_leaves_no_long_queue_there() {
        for bps in [2.2e5, 3e5, 7e5, 1e6, 3e6] {
            let (reached, _, queue) = climb(2e5, 5e6, bps);
            assert!((0.9..1.1).contains(&(reached / bps)), "{reached} of {bps}");
            assert!(queue <= 110.0, "{queue} ms at {bps}");
        }
    }

    #[test]
    fn a_probe_at_the_old_rate_is_cheap_where_it_fails_and_soon_again() {
        let mut probes = Probes::default();
        probes.recover(Time::ZERO);
        let order = probes.plan(Time::ZERO, 2.4e5, 1.9e6, false).unwrap();
        assert!(order.rate.0 > 1_800_000 && order.bytes <= 3 * PACKET_BYTES, "{order:?}");
        let (outcome, _) = send(&mut probes, Time::ZERO, order, 2.5e5);
        assert!(!outcome.passed && (2.2e5..2.8e5).contains(&outcome.reached), "{outcome:?}");
        assert_eq!(probes.plan(Time::from_millis(200), 2.4e5, 1.9e6, false), None);
        assert!(probes.plan(Time::from_millis(460), 2.4e5, 1.9e6, false).is_some());
    }

    #[test]
    fn failures_make_probes_rare_and_never_end_them() {
        let mut probes = Probes::default();
        let (mut now, mut clusters) = (Time::ZERO, 0);
        while now < Time::from_millis(60_000) {
            if let Some(order) = probes.plan(now, 2.4e5, 1.9e6, false) {
                send(&mut probes, now, order, 2.5e5);
                clusters += 1;
            }
            now += Duration::from_millis(50);
        }
        assert!((19..=24).contains(&clusters), "{clusters}");
    }

    #[test]
    fn a_fall_ends_a_probe_and_lets_a_test_go_on() {
        let mut probes = Probes::default();
        probes.plan(Time::ZERO, 2e5, 1e6, false).unwrap();
        probes.fall(Time::ZERO);
        let order = probes.test(2e7).expect("nothing is under way");
        probes.fall(Time::ZERO);
        probes.recover(Time::ZERO);
        let (outcome, _) = send(&mut probes, Time::ZERO, order, 2e6);
        assert!(outcome.test && (1.8e6..2.2e6).contains(&outcome.reached), "{outcome:?}");
    }

    #[test]
    fn what_is_lost_altogether_does_not_stop_the_next() {
        let mut probes = Probes::default();
        let order = probes.plan(Time::ZERO, 2e5, 1e6, false).unwrap();
        probes.left(Time::ZERO, SeqNo(9), ROUND_TRIP);
        assert_eq!(probes.finish(Time::from_millis(500), SeqNo(5), Duration::ZERO), None);
        assert_eq!(probes.finish(Time::from_millis(700), SeqNo(5), Duration::ZERO), None);
        assert!(
            probes
                .plan(Time::from_millis(1_800), 2e5, 1e6, false)
                .is_some_and(|it| it.cluster != order.cluster)
        );
    }
}
