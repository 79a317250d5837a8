//! The packets that a viewer lately received, as one server saw them: which had to wait, and what served them.
//!
//! A path is taken as a line to one server, the bottleneck. A packet that was sent before the packet ahead of it had
//! arrived (less the empty path's delay) found the server busy: then the distance of the two arrivals is the time of
//! service, and bytes over time is the capacity, exactly and without a probe. Packets in such a row are a *busy run*.
//! Where the server was idle, arrivals only repeat the distances of sending, and tell a lower bound of the capacity.

use loupe_prefetch::prefetch;

use super::base_delay::BaseDelay;
use crate::units::{Bitrate, SeqNo};

/// Packets looked back at: a quarter of a second at 1,000 a second.
const MAX_KEPT: usize = 256;
/// Of twelve bytes each, the packets of a report lie on up to three lines of cache.
const NOTED_AHEAD: [usize; 3] = [0, 5, 10];
const KEPT_US: i64 = 1_500_000;
/// A shorter wait is none, microseconds.
const NOTHING_US: i64 = 10_000;
/// What clocks of 250 us and scheduling add to a delay without any queue, microseconds.
const SLACK_US: i64 = 2_000;
/// The standing queue is the least wait of this long: a frame's own burst has left within it.
const LOW_WINDOW_US: i64 = 100_000;
const LOW_PACKETS: usize = 4;
const LOW_LIMIT_US: i64 = 400_000;
/// A run is looked at so far back.
const RUN_LIMIT_US: i64 = 400_000;
/// A capacity is taken of the newest part of a run, as long as this and of so many packets: it may have changed since.
const CAPACITY_US: i64 = 150_000;
const CAPACITY_PACKETS: usize = 4;
/// A change of wait beyond this is an event of its own, not jitter.
const MAX_JITTER_US: i64 = 30_000;
/// With fewer packets nobody can tell a queue from a longer path.
const MIN_COMPARED: usize = 6;
/// Pairs of one kind that show a pace.
const MIN_PAIRS: usize = 3;
/// Where a busy server would change the sender's distances by less than this per packet, neither.
const MIN_RHYTHM_US: i64 = 1_000;
/// Delivered bytes are counted over this long and so many packets; in the beginning over what there is.
const DELIVERED_US: i64 = 250_000;
const FIRST_DELIVERED_US: i64 = 80_000;
const DELIVERED_PACKETS: usize = 8;

/// A packet that arrived. Times in microseconds, each by its own side's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passage {
    /// Its transport-wide number.
    pub seq: SeqNo,
    /// When it left.
    pub sent: i64,
    /// When it arrived.
    pub arrival: i64,
    /// On the wire, IP and UDP headers counted.
    pub bytes: i64,
}

/// The newest busy run.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Run {
    /// Packets that found the server busy.
    pub packets: usize,
    /// Their bytes on the wire.
    pub bytes: i64,
    /// How long they were served, microseconds.
    pub span: i64,
    /// How long it took to send them, microseconds.
    pub sent_span: i64,
    /// By how much the distances of arrivals miss those that an idle, merely longer path would make of the sender's, in
    /// sum, microseconds.
    pub source_error: i64,
    /// By how much they miss what a busy server of [`Run::rate`] makes of these sizes, in sum, microseconds.
    pub service_error: i64,
    /// Least and most wait within it, microseconds.
    pub waits: (i64, i64),
    /// Bytes and span of its newest part.
    newest: (i64, i64),
    /// Packets that left together with the one before them, and the others.
    together: Pairs,
    apart: Pairs,
}

/// Distances of arrivals of packets of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Pairs {
    count: usize,
    bytes: i64,
    span: i64,
}

impl Pairs {
    fn add(&mut self, bytes: i64, span: i64) {
        self.count += 1;
        self.bytes += bytes;
        self.span += span;
    }

    fn rate(&self) -> Option<f64> {
        (self.count >= MIN_PAIRS).then(|| rate(self.bytes, self.span))
    }
}

impl Run {
    /// What serves the run now, in bits per second; without bound when all of it arrived at once.
    pub fn rate(&self) -> f64 {
        rate(self.newest.0, self.newest.1)
    }

    /// The pace at which packets arrived that left together, and that of the others, in bits per second. One server that
    /// only serves us has one pace; with others' packets between ours, those that left together still have it.
    pub fn paces(&self) -> Option<(f64, f64)> {
        self.together.rate().zip(self.apart.rate())
    }

    /// Whether the arrivals repeat the sender's own distances: what delays them is not our own packets. Of a sender
    /// without any rhythm nobody can tell.
    pub fn repeats_the_source(&self) -> bool {
        self.source_error * 2 < self.service_error && self.service_error > self.packets as i64 * MIN_RHYTHM_US
    }
}

/// The state of the path as of the newest report.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct View {
    /// Wait of the newest packet, microseconds.
    pub newest_wait: i64,
    /// Least wait of late, microseconds: the queue that stands.
    pub standing: i64,
    /// The newest run; empty when the newest packet found the server idle.
    pub run: Run,
    /// Bytes delivered over time, when there were enough packets.
    pub delivered: Option<Bitrate>,
    /// How unsteady waits are while nothing queues, microseconds.
    pub jitter: i64,
    /// The most by which one packet waited longer than the one before it since nothing waited, microseconds: a queue grows
    /// packet by packet, a path becomes longer from one to the next.
    pub step: i64,
}

/// One packet against the one before it, microseconds. Small, because every packet that arrives writes one.
#[derive(Clone, Copy, Debug, Default)]
struct Distance {
    sent: u32,
    arrival: u32,
    bytes: u32,
}

/// Sums of the newest distances, as many as a delivered rate is taken of.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    packets: usize,
    bytes: i64,
    sent: i64,
    arrival: i64,
}

impl Window {
    /// Never faster than we sent: a report may lie, or a spike have ended.
    fn span(&self) -> i64 {
        self.arrival.max(self.sent)
    }

    fn without(self, oldest: Distance) -> Window {
        Window {
            packets: self.packets - 1,
            bytes: self.bytes - i64::from(oldest.bytes),
            sent: self.sent - i64::from(oldest.sent),
            arrival: self.arrival - i64::from(oldest.arrival),
        }
    }

    /// Whether it is long enough to tell a rate.
    fn suffices(&self) -> bool {
        self.packets >= DELIVERED_PACKETS && self.span() >= DELIVERED_US
    }
}

/// What arrived lately.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// The newest packet; the others follow from it, distance by distance.
    newest: Option<Passage>,
    /// The distance of the packet number `n` since the trail began from the one before it, at `n` modulo [`MAX_KEPT`].
    distances: Vec<Distance>,
    /// Packets since the trail began, the first not counted.
    count: usize,
    window: Window,
    base: BaseDelay,
    /// Sixteen times the mean change of wait between packets that did not queue.
    jitter_16: i64,
    step: i64,
}

impl Trail {
    /// Notes a packet; packets are told in the order in which they left, and one that comes too late for that is left
    /// out.
    pub fn pass(&mut self, mut passage: Passage) {
        let delay = passage.arrival - passage.sent;
        if let Some(last) = self.newest {
            if passage.seq <= last.seq {
                return;
            }
            if !self.queued(&last, &passage) {
                let change = (self.wait(&passage) - self.wait(&last)).abs().min(MAX_JITTER_US);
                self.jitter_16 += change - self.jitter_16 / 16;
            }
            passage.arrival = passage.arrival.max(last.arrival);
            let (before, wait) = (self.wait(&last), self.wait(&passage));
            self.step = if wait < NOTHING_US { 0 } else { self.step.max(wait - before) };
            self.keep(&last, &passage);
        }
        self.base.note(passage.sent, delay);
        self.newest = Some(passage);
    }

    /// A report's packets are about to be noted: they go in at the end, and as many leave the window.
    pub(super) fn prefetch(&self) {
        let oldest = self.count - self.window.packets;
        for first in [self.count, oldest] {
            let places = NOTED_AHEAD.map(|ahead| (first + ahead) % MAX_KEPT);
            places.into_iter().filter_map(|place| self.distances.get(place)).for_each(prefetch);
        }
    }

    fn keep(&mut self, ahead: &Passage, next: &Passage) {
        let (sent, arrival) = (next.sent - ahead.sent, next.arrival - ahead.arrival);
        if arrival > KEPT_US {
            (self.count, self.window) = (0, Window::default());
            return;
        }
        let sent = sent.clamp(0, i64::from(u32::MAX)) as u32;
        let distance = Distance { sent, arrival: arrival as u32, bytes: next.bytes as u32 };
        let index = self.count % MAX_KEPT;
        if index < self.distances.len() {
            self.distances[index] = distance;
        } else {
            self.distances.push(distance);
        }
        self.count += 1;
        let window = &mut self.window;
        window.packets += 1;
        window.bytes += i64::from(distance.bytes);
        window.sent += i64::from(distance.sent);
        window.arrival += i64::from(distance.arrival);
        loop {
            let oldest = (self.count - self.window.packets) % MAX_KEPT;
            let without = self.window.without(self.distances[oldest]);
            if self.window.packets < MAX_KEPT && !without.suffices() {
                break;
            }
            self.window = without;
        }
    }

    /// The newest packet that arrived.
    pub fn newest(&self) -> Option<Passage> {
        self.newest
    }

    /// How long a packet waited, microseconds.
    pub fn wait(&self, passage: &Passage) -> i64 {
        self.base.queueing(passage.arrival - passage.sent)
    }

    /// Whether the empty path's delay is kept, since it cannot show.
    pub fn hold_base(&mut self, held: bool) {
        self.base.hold(held);
    }

    /// The path became longer: what now seems to wait does not.
    pub fn restart_base(&mut self) {
        let latest = self.backwards().take(32).map(|it| it.arrival - it.sent).min();
        if let Some(least) = latest {
            self.base.restart(least);
            self.step = 0;
        }
    }

    /// What the newest packets tell.
    pub fn view(&self) -> View {
        let Some(newest) = &self.newest else { return View::default() };
        View {
            newest_wait: self.wait(newest),
            standing: self.standing(newest),
            run: self.run(newest),
            delivered: self.delivered(),
            jitter: self.jitter_16 / 16,
            step: self.step,
        }
    }

    /// The packets, newest first; all but the newest without their numbers and sizes.
    fn backwards(&self) -> impl Iterator<Item = Passage> {
        let pairs = self.pairs().map(|(_, ahead)| ahead);
        self.newest.into_iter().chain(pairs)
    }

    /// Each packet with the one ahead of it, newest first; of the one ahead only the times are known.
    fn pairs(&self) -> impl Iterator<Item = (Passage, Passage)> {
        let oldest = self.count.saturating_sub(MAX_KEPT - 1);
        let mut next = self.newest;
        (oldest..self.count).rev().map_while(move |number| {
            let this = next?;
            let Distance { sent, arrival, bytes } = self.distances[number % MAX_KEPT];
            let ahead = Passage {
                sent: this.sent - i64::from(sent),
                arrival: this.arrival - i64::from(arrival),
                ..this
            };
            next = Some(ahead);
            Some((Passage { bytes: i64::from(bytes), ..this }, ahead))
        })
    }

    /// Whether `next` found the server busy with `ahead`.
    fn queued(&self, ahead: &Passage, next: &Passage) -> bool {
        self.base.queueing(ahead.arrival - next.sent) > SLACK_US
    }

    fn standing(&self, newest: &Passage) -> i64 {
        let recent = self.backwards().enumerate().take_while(|(index, passage)| {
            let age = newest.arrival - passage.arrival;
            age <= LOW_WINDOW_US || (*index < LOW_PACKETS && age <= LOW_LIMIT_US)
        });
        recent.map(|(_, passage)| self.wait(&passage)).min().unwrap_or(0)
    }

    fn run(&self, newest: &Passage) -> Run {
        let mut run = Run { waits: (i64::MAX, 0), ..Run::default() };
        let within = |ahead: &Passage| newest.arrival - ahead.arrival <= RUN_LIMIT_US;
        let queued = self.pairs().take_while(|(next, ahead)| within(ahead) && self.queued(ahead, next));
        for (next, ahead) in queued {
            let (served, sent) = (next.arrival - ahead.arrival, next.sent - ahead.sent);
            run.packets += 1;
            run.bytes += next.bytes;
            run.span += served;
            run.sent_span += sent;
            if run.newest.1 < CAPACITY_US || run.packets <= CAPACITY_PACKETS {
                run.newest = (run.bytes, run.span);
            }
            let wait = self.wait(&next);
            run.waits = (run.waits.0.min(wait), run.waits.1.max(wait));
        }
        if run.packets >= MIN_COMPARED {
            self.compare(&mut run);
        }
        run
    }

    /// Holds the run's arrivals against the two things that could have made them: one server that was busy all the time,
    /// or a path that is merely longer and otherwise idle, whose server is as fast as packets that left together show.
    fn compare(&self, run: &mut Run) {
        let mut pairs: Vec<(Passage, Passage)> = self.pairs().take(run.packets).collect();
        pairs.reverse();
        let busy = |bytes: i64| bytes * run.span / run.bytes.max(1);
        let (mut together, mut apart) = (Pairs::default(), Pairs::default());
        for (next, ahead) in &pairs {
            let close = (next.sent - ahead.sent) * 2 < busy(next.bytes);
            let kind = if close { &mut together } else { &mut apart };
            kind.add(next.bytes, next.arrival - ahead.arrival);
        }
        (run.together, run.apart) = (together, apart);
        let Pairs { bytes, span, .. } = together;
        let idle = |packet: i64| if bytes > 0 { packet * span / bytes } else { 0 };
        let (mut free, mut before) = (i64::MIN, None);
        for (next, ahead) in &pairs {
            let served = next.arrival - ahead.arrival;
            run.service_error += (served - busy(next.bytes)).abs();
            free = free.max(next.sent) + idle(next.bytes);
            run.source_error += before.map_or(0, |before: i64| (served - (free - before)).abs());
            before = Some(free);
        }
    }

    fn delivered(&self) -> Option<Bitrate> {
        let whole = self.window.packets == self.count.min(MAX_KEPT - 1);
        let first =
            whole && self.window.packets >= DELIVERED_PACKETS && self.window.span() >= FIRST_DELIVERED_US;
        let told = (first || self.window.suffices()) && self.window.span() <= KEPT_US;
        told.then(|| Bitrate(rate(self.window.bytes, self.window.span()) as u64))
    }
}

/// Bits per second.
fn rate(bytes: i64, span_us: i64) -> f64 {
    bytes as f64 * 8e6 / span_us.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path of `bps` and 30 ms; sends (at, bytes) in order; the server's clock is hours behind.
    fn path(bps: i64, sent: &[(i64, i64)]) -> Trail {
        let mut trail = Trail::default();
        let mut free = 0;
        for (number, (at, bytes)) in sent.iter().enumerate() {
            free = free.max(*at) + bytes * 8_000_000 / bps;
            let seq = SeqNo(70_000 + number as u64);
            trail.pass(Passage { seq, sent: *at, arrival: free + 30_000 - 9_000_000_000, bytes: *bytes });
        }
        trail
    }

    /// Every 40 ms a frame of `packets` at once, and sound every 20 ms.
    fn frames(packets: i64, millis: i64) -> Vec<(i64, i64)> {
        let mut sent = Vec::new();
        for tick in 0..millis / 20 {
            sent.push((tick * 20_000, 130));
            let frame = if tick % 2 == 0 { packets } else { 0 };
            sent.extend((0..frame).map(|_| (tick * 20_000 + 5_000, 1_200)));
        }
        sent
    }

    #[test]
    fn an_overloaded_server_is_measured_exactly() {
        // 1.5 Mbit/s of frames over 500 kbit/s.
        let trail = path(500_000, &frames(6, 400));
        let view = trail.view();
        let error = view.run.rate() / 500_000.0;
        assert!((0.99..1.01).contains(&error), "{error}");
        assert!(view.standing > 300_000 && view.run.packets > 10 && !view.run.repeats_the_source());
    }

    #[test]
    fn an_idle_server_has_no_queue_whatever_bursts_are_sent() {
        let trail = path(5_000_000, &frames(6, 1_000));
        let view = trail.view();
        assert!(view.standing < 1_000 && view.run.packets == 0, "{view:?}");
        let delivered = view.delivered.unwrap().0;
        assert!((1_200_000..1_700_000).contains(&delivered), "{delivered}");
    }

    #[test]
    fn a_longer_path_repeats_the_source() {
        let mut trail = path(5_000_000, &frames(6, 400));
        let first = trail.newest().unwrap();
        let mut free = 0;
        for (number, (at, bytes)) in frames(6, 400).into_iter().enumerate() {
            let sent = first.sent + 20_000 + at;
            free = sent.max(free) + bytes * 8 / 5;
            let seq = SeqNo(first.seq.0 + 1 + number as u64);
            trail.pass(Passage { seq, sent, arrival: free + 70_000 - 9_000_000_000, bytes });
        }
        let view = trail.view();
        assert!((39_000..41_000).contains(&view.standing) && view.run.repeats_the_source(), "{view:?}");
        trail.restart_base();
        assert!(trail.view().standing < 1_000);
    }

    #[test]
    fn what_a_spike_held_back_arrives_too_fast_to_be_a_queue() {
        let mut trail = path(10_000_000, &frames(6, 400));
        let first = trail.newest().unwrap();
        let mut free = first.sent + 500_000;
        for (number, (at, bytes)) in frames(6, 500).into_iter().enumerate() {
            let sent = first.sent + 20_000 + at;
            free = sent.max(free) + bytes * 8 / 10;
            let seq = SeqNo(first.seq.0 + 1 + number as u64);
            trail.pass(Passage { seq, sent, arrival: free + 30_000 - 9_000_000_000, bytes });
        }
        let run = trail.view().run;
        assert!(run.packets == 0 || run.rate() > 8_000_000.0, "{run:?}");
    }

    #[test]
    fn what_left_out_of_order_or_never_arrives_changes_nothing() {
        let mut trail = path(500_000, &frames(6, 400));
        let before = trail.view();
        let newest = trail.newest().unwrap();
        trail.pass(Passage { seq: SeqNo(newest.seq.0 - 3), arrival: i64::MIN / 4, ..newest });
        assert_eq!(trail.view(), before);
    }
}
