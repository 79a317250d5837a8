//! When a viewer's packets may leave: a leaky bucket that stands for the queue of the path, and what waits for it.
//!
//! The bucket's fill is the moment at which the path will have carried what was sent. On a good link that moment is near
//! and every packet leaves at once, a whole frame as one run. Where it is far, pictures wait here and not in the path:
//! here sound passes them, repairs go before them, and what became stale is dropped before it has a number.

use std::collections::VecDeque;
use std::time::Duration;

use crate::bwe::Order;
use crate::sent_log::Again;
use crate::stills::PATIENCE;
use crate::units::{Bitrate, SeqNo, Time};

/// So much may be under way beyond what the path has carried: a usual frame.
const BURST: Duration = Duration::from_millis(25);
/// The same while a queue is to drain.
const DRAIN_BURST: Duration = Duration::from_millis(5);
/// The first in bytes on the wire for thin paths: with the packet that exceeds them two may follow each other at once,
/// and their distance at the viewer tells the path's rate.
const BURST_BYTES: u64 = 1_200;
/// Nothing that waited longer is sent: a live picture is not shown that late.
pub const STALE: Duration = Duration::from_millis(400);
/// Sound that arrives later than this after it could is not heard any more: receivers wait for seconds if they must, and when
/// a queue overflows what is forecast is more than there is.
const LATE_SOUND: Duration = Duration::from_secs(2);
/// Sound goes on for so long when a path falls silent: reports get lost as well, and what is said is not said again.
const SPEAKS_ON: Duration = Duration::from_millis(600);
const SOUND_SPACING: Duration = Duration::from_millis(100);
/// A repair leaves for the second time so long after the first: most losses are over.
const COPY_AFTER: Duration = Duration::from_millis(25);
/// Packets that may wait: 400 ms of 20 Mbit/s.
const MAX_WAITING: usize = 1_024;
/// Retransmissions that may wait.
const MAX_REPAIRS: usize = 256;
/// Bytes that IP and UDP add to a datagram.
pub const HEADER_BYTES: u64 = 28;

/// What may pass to a viewer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Gate {
    /// Everything.
    #[default]
    Open,
    /// Sound and the lowest temporal layer: a queue is to drain.
    Base,
    /// Sound alone.
    Sound,
}

/// A packet that waits, by reference: its bytes are in its publication's history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Its subscription (key in the plane's slab).
    pub subscription: usize,
    /// Its layer.
    pub layer: u8,
    /// Its number at the publisher.
    pub seq: SeqNo,
    /// Since when it could have been sent.
    pub since: Time,
    /// What to do with it.
    pub step: Step,
}

/// What becomes of a packet when its turn comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It leaves.
    Forward,
    /// It leaves as the first of its layer.
    Switch,
    /// It does not leave and leaves no gap.
    Skip,
}

/// A retransmission that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repair {
    /// Its subscription (key in the plane's slab).
    pub subscription: usize,
    /// Its number at the viewer.
    pub wire: u16,
    /// Why it leaves again.
    pub again: Again,
    /// Since when it waits.
    pub since: Time,
}

/// A probe cluster that is being sent.
#[derive(Clone, Copy, Debug)]
struct Sending {
    cluster: u8,
    left: u64,
    micros_per_byte: f64,
    next: Time,
}

/// The pacer of one viewer. What each packet meets comes first.
#[derive(Debug)]
#[repr(C)]
pub struct Pacer {
    /// Microseconds of the path per byte, times 1,024; 0 while there is no rate.
    cost: u64,
    /// When the path will have carried what was sent.
    carried: Time,
    burst: Duration,
    /// What may pass.
    pub gate: Gate,
    /// Whether the path is silent: sound only keeps asking whether it is there.
    pub silent: bool,
    next_sound: Time,
    silent_since: Time,
    /// Pictures, in the order in which they leave.
    pub waiting: VecDeque<Waiting>,
    /// Repairs, which go before pictures.
    pub repairs: VecDeque<Repair>,
    probe: Option<Sending>,
    /// Stills, which leave one packet at a time when nothing else does.
    pub stills: VecDeque<Waiting>,
    /// Repairs that leave twice, the second time [`COPY_AFTER`] the first.
    copies: VecDeque<Repair>,
}

impl Default for Pacer {
    fn default() -> Pacer {
        Pacer {
            cost: 0,
            carried: Time::ZERO,
            burst: BURST,
            gate: Gate::Open,
            silent: false,
            silent_since: Time::ZERO,
            next_sound: Time::ZERO,
            waiting: VecDeque::new(),
            repairs: VecDeque::new(),
            copies: VecDeque::new(),
            stills: VecDeque::new(),
            probe: None,
        }
    }
}

impl Pacer {
    /// Paces at this rate on the wire from now on; `None`: not at all.
    pub fn set_rate(&mut self, rate: Option<Bitrate>) {
        let burst = if self.gate == Gate::Open { BURST } else { DRAIN_BURST };
        let bytes = if self.gate == Gate::Open { BURST_BYTES } else { 0 };
        self.cost = rate.map_or(0, |rate| (8_000_000 * 1_024 / rate.0.max(1_000)).max(1));
        self.burst = burst.max(Duration::from_micros(self.micros(bytes)));
    }

    /// Whether the path is silent from now on.
    pub fn set_silent(&mut self, now: Time, silent: bool) {
        if silent && !self.silent {
            self.silent_since = now;
        }
        self.silent = silent;
    }

    /// When the path will have carried what was sent.
    pub fn carried(&self) -> Time {
        self.carried
    }

    /// The path will not have carried what was sent before this moment, as reports show.
    pub fn carried_at(&mut self, moment: Time) {
        self.carried = moment;
    }

    /// Whether a picture's packet may leave now, ahead of nothing.
    #[inline]
    pub fn admits(&self, now: Time) -> bool {
        self.waiting.is_empty() && self.repairs.is_empty() && self.has_room(now)
    }

    /// Whether a still's packet may leave now: sound behind it shall find at most this one before it.
    pub fn admits_still(&self, now: Time) -> bool {
        self.stills.is_empty() && self.waiting.is_empty() && self.repairs.is_empty() && self.is_clear(now)
    }

    /// Whether the path has carried all that was sent.
    pub fn is_clear(&self, now: Time) -> bool {
        self.carried <= now && self.gate != Gate::Sound
    }

    /// Whether a still of this subscription is on its way.
    pub fn holds_still(&self, subscription: usize) -> bool {
        self.stills.iter().any(|waiting| waiting.subscription == subscription)
    }

    /// Whether a packet of sound leaves. One that would arrive too late to be heard only makes the next one later: of
    /// those one now and then is enough to see when the path is better.
    pub fn admits_sound(&mut self, now: Time) -> bool {
        let silent = self.silent && now >= self.silent_since + SPEAKS_ON;
        let late = silent || self.carried > now + LATE_SOUND;
        let admitted = !late || now >= self.next_sound;
        if admitted {
            self.next_sound = now + SOUND_SPACING;
        }
        admitted
    }

    /// Whether a repair may leave now; it goes before pictures.
    pub fn admits_repair(&self, now: Time) -> bool {
        self.repairs.is_empty() && self.has_room(now)
    }

    /// Whether the path has room and the gate lets pictures pass.
    #[inline]
    pub fn has_room(&self, now: Time) -> bool {
        self.carried <= now + self.burst && self.gate != Gate::Sound
    }

    /// Notes a packet that leaves; gives the probe cluster that it belongs to (0: none).
    #[inline]
    pub fn spend(&mut self, now: Time, wire_bytes: u64) -> u8 {
        self.carried = self.carried.max(now) + Duration::from_micros(self.micros(wire_bytes));
        if self.probe.is_some() { self.spend_on_probe(now, wire_bytes) } else { 0 }
    }

    /// The same for a packet that leaves for the probe alone; pictures do not wait for it.
    pub fn spend_on_probe(&mut self, now: Time, wire_bytes: u64) -> u8 {
        let Some(probe) = &mut self.probe else { return 0 };
        probe.left = probe.left.saturating_sub(wire_bytes);
        let micros = (wire_bytes as f64 * probe.micros_per_byte) as u64;
        probe.next = probe.next.max(now) + Duration::from_micros(micros);
        probe.cluster
    }

    fn micros(&self, bytes: u64) -> u64 {
        (bytes * self.cost) >> 10
    }

    /// Whether nothing waits and no probe is being sent.
    #[inline]
    pub fn is_idle(&self) -> bool {
        let waits = !self.waiting.is_empty() || !self.repairs.is_empty() || !self.stills.is_empty();
        !waits && self.copies.is_empty() && self.probe.is_none()
    }

    /// Lets a packet wait; false when there is no room.
    pub fn wait(&mut self, waiting: Waiting) -> bool {
        let fits = self.waiting.len() < MAX_WAITING;
        if fits {
            self.waiting.push_back(waiting);
        }
        fits
    }

    /// The same for a packet of a still.
    pub fn wait_still(&mut self, waiting: Waiting) -> bool {
        let fits = self.stills.len() < MAX_WAITING;
        if fits {
            self.stills.push_back(waiting);
        }
        fits
    }

    /// The lower layer `layer` of a subscription begins: what waits of a higher one, repairs too, is not sent any more. Gives
    /// how many packets that were.
    pub fn supersede(&mut self, subscription: usize, layer: u8) -> u64 {
        let before = self.waits();
        self.waiting.retain(|waiting| waiting.subscription != subscription || waiting.layer < layer);
        self.stills.retain(|waiting| waiting.subscription != subscription);
        self.forget_repairs(subscription);
        (before - self.waits()) as u64
    }

    /// Packets that wait.
    fn waits(&self) -> usize {
        self.waiting.len() + self.stills.len() + self.repairs.len() + self.copies.len()
    }

    fn forget_repairs(&mut self, subscription: usize) {
        self.repairs.retain(|repair| repair.subscription != subscription);
        self.copies.retain(|repair| repair.subscription != subscription);
    }

    /// A layer of a subscription was cut: what waits of it is of no use. Gives how many packets that were.
    pub fn drop_layer(&mut self, subscription: usize, layer: u8) -> u64 {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| (waiting.subscription, waiting.layer) != (subscription, layer));
        (before - self.waiting.len()) as u64
    }

    /// Lets a repair wait; false when there is no room.
    pub fn wait_to_repair(&mut self, repair: Repair) -> bool {
        let fits = self.repairs.len() < MAX_REPAIRS;
        if fits {
            self.repairs.push_back(repair);
        }
        fits
    }

    /// Lets a repair leave for the second time in a moment.
    pub fn copy_later(&mut self, repair: Repair) {
        if self.copies.len() < MAX_REPAIRS {
            self.copies.push_back(repair);
        }
    }

    /// The next repair that leaves for the second time now.
    pub fn take_copy(&mut self, now: Time) -> Option<Repair> {
        self.copies.pop_front_if(|copy| copy.since + COPY_AFTER <= now)
    }

    /// Begins a probe cluster.
    pub fn probe(&mut self, now: Time, order: Order) {
        let micros_per_byte = 8e6 / order.rate.0.max(1) as f64;
        self.probe = Some(Sending { cluster: order.cluster, left: order.bytes, micros_per_byte, next: now });
    }

    /// Whether a packet of the probe is due.
    pub fn probe_due(&self, now: Time) -> bool {
        self.probe.is_some_and(|probe| probe.left > 0 && probe.next <= now)
    }

    /// True once after the last packet of a probe.
    pub fn probe_ended(&mut self) -> bool {
        let ended = self.probe.is_some_and(|probe| probe.left == 0);
        if ended {
            self.probe = None;
        }
        ended
    }

    /// Ends a probe of which nothing more can or shall be sent; true when there was one.
    pub fn stop_probe(&mut self) -> bool {
        self.probe.take().is_some()
    }

    /// When to look again.
    pub fn next_timeout(&self) -> Time {
        let probe = self.probe.map_or(Time::NEVER, |probe| probe.next);
        let room = if self.carried == Time::ZERO { Time::ZERO } else { self.carried - self.burst };
        let room = if self.gate == Gate::Sound { Time::NEVER } else { room };
        let repairs = if self.repairs.is_empty() { Time::NEVER } else { room };
        let media = self.waiting.front().map_or(Time::NEVER, |first| room.min(first.since + STALE));
        let clear = if self.gate == Gate::Sound { Time::NEVER } else { self.carried };
        let stills = self.stills.front().map_or(Time::NEVER, |first| clear.min(first.since + PATIENCE));
        let copies = self.copies.front().map_or(Time::NEVER, |first| first.since + COPY_AFTER);
        probe.min(repairs).min(media).min(stills).min(copies)
    }

    /// Forgets what waits for a subscription that ended.
    pub fn forget(&mut self, subscription: usize) {
        self.waiting.retain(|waiting| waiting.subscription != subscription);
        self.stills.retain(|waiting| waiting.subscription != subscription);
        self.forget_repairs(subscription);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(seq: u64, since: Time) -> Waiting {
        Waiting { subscription: 1, layer: 0, seq: SeqNo(seq), since, step: Step::Forward }
    }

    #[test]
    fn a_frame_leaves_at_once_and_what_exceeds_the_rate_does_not() {
        let mut pacer = Pacer::default();
        pacer.set_rate(Some(Bitrate(2_000_000)));
        let mut at_once = 0;
        while pacer.admits(Time::from_millis(1_000)) {
            pacer.spend(Time::from_millis(1_000), 1_200);
            at_once += 1;
        }
        // 25 ms of 2 Mbit/s are 6,250 bytes, and the last packet may exceed them.
        assert_eq!(at_once, 6);
        let (mut sent, mut now) = (0, Time::from_millis(1_000));
        while now < Time::from_millis(2_000) {
            while pacer.admits(now) {
                pacer.spend(now, 1_200);
                sent += 1;
            }
            now += Duration::from_millis(1);
        }
        assert!((207..=209).contains(&sent), "{sent}");
    }

    #[test]
    fn a_thin_path_takes_two_packets_at_a_time() {
        let mut pacer = Pacer::default();
        pacer.set_rate(Some(Bitrate(150_000)));
        let at_once = (0..10).filter(|_| pacer.admits(Time::ZERO) && pacer.spend(Time::ZERO, 1_200) == 0);
        assert_eq!(at_once.count(), 2);
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut pacer = Pacer::default();
        assert!((0..1_000).all(|_| pacer.admits(Time::ZERO) && pacer.spend(Time::ZERO, 1_200) == 0));
    }

    #[test]
    fn speech_goes_on_for_a_while_on_a_path_that_fell_silent() {
        let mut pacer = Pacer::default();
        pacer.set_silent(Time::from_millis(100), true);
        pacer.set_silent(Time::from_millis(500), true);
        let spoken = |pacer: &mut Pacer, from: u64| {
            (0..20).filter(|n| pacer.admits_sound(Time::from_millis(from + n * 20))).count()
        };
        assert_eq!(spoken(&mut pacer, 200), 20);
        assert_eq!(spoken(&mut pacer, 720), 4, "one in 100 ms asks whether it is there");
        pacer.set_silent(Time::from_millis(1_200), false);
        assert_eq!(spoken(&mut pacer, 1_200), 20);
    }

    #[test]
    fn behind_what_waits_everything_waits_and_the_queue_is_bounded() {
        let mut pacer = Pacer::default();
        assert!(pacer.wait(waiting(1, Time::from_millis(5))));
        assert!(!pacer.admits(Time::from_millis(5)));
        let kept = (0..5_000).filter(|seq| pacer.wait(waiting(*seq, Time::ZERO))).count();
        assert_eq!(kept, MAX_WAITING - 1);
        pacer.forget(1);
        assert!(pacer.admits(Time::ZERO));
    }

    #[test]
    fn while_the_gate_is_shut_only_staleness_wakes() {
        let mut pacer = Pacer { gate: Gate::Sound, ..Pacer::default() };
        pacer.wait(waiting(1, Time::from_millis(100)));
        assert!(!pacer.has_room(Time::from_millis(100)));
        assert_eq!(pacer.next_timeout(), Time::from_millis(500));
    }

    #[test]
    fn a_probe_is_paced_at_its_own_rate_and_marks_all_that_leaves() {
        let mut pacer = Pacer::default();
        pacer.set_rate(Some(Bitrate(200_000)));
        let order = Order { cluster: 7, rate: Bitrate(960_000), bytes: 6_000 };
        pacer.probe(Time::ZERO, order);
        let mut times = Vec::new();
        for ms in 0..100 {
            let now = Time::from_millis(ms);
            while pacer.probe_due(now) {
                assert_eq!(pacer.spend_on_probe(now, 1_200), 7);
                times.push(ms);
            }
        }
        assert_eq!(times, [0, 10, 20, 30, 40]);
        assert!(pacer.probe_ended() && !pacer.probe_ended());
        assert!(pacer.has_room(Time::ZERO), "a probe does not hold pictures up");
    }
}
