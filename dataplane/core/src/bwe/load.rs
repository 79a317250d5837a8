//! What the waits of packets tell: a queue, whose it is, and whether anything needs to be done about it.

use std::time::Duration;

use super::trail::{Trail, View};
use crate::units::Time;

/// Waits below this and the path's own jitter are no queue, microseconds.
const TOLERANCE_US: i64 = 20_000;
/// A run measures capacity when it has so many packets, and surely when it lasted so long (microseconds).
pub(super) const RUN_PACKETS: usize = 3;
const RUN_US: i64 = 60_000;
/// Less than this, as a few packets of sound, measures no capacity: their distances behind others' packets are our own.
const RUN_BYTES: i64 = 1_000;
/// A wait this long needs no long run.
const LONG_WAIT_US: i64 = 100_000;
/// A queue that is gone within this needs no action, microseconds.
const PASSING_US: f64 = 150_000.0;
/// A longer path makes all packets wait alike, within these microseconds, for so long.
const FLAT_US: i64 = 6_000;
const FLAT_LASTS: Duration = Duration::from_millis(800);
/// The share of it that came from one packet to the next.
const AT_ONCE: f64 = 0.6;
/// How long the deepest queue is remembered, and how near to it a queue overflows.
const DEPTH_LASTS: Duration = Duration::from_secs(30);
const OVERFLOWS: f64 = 0.6;

/// What the waits tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// No queue.
    Clear,
    /// A queue that is gone in a moment, or seen by too few packets.
    Passing,
    /// Waits that nothing of ours explains.
    Foreign,
    /// A queue of ours: the newest run measures what the path carries.
    Queue,
}

/// Judges one report after another.
#[derive(Clone, Debug, Default)]
pub struct Loads {
    /// Since when the least wait has been this long, though nothing of ours explains it.
    flat: Option<(Time, i64)>,
    /// Longest wait of late, microseconds.
    deepest: f64,
    judged: Time,
}

/// The wait above which packets queue, microseconds.
pub fn tolerance(view: &View) -> i64 {
    TOLERANCE_US + view.jitter
}

/// Whether most of what stands came from one packet to the next: no queue grows like that.
pub(super) fn came_at_once(view: &View) -> bool {
    view.step as f64 >= AT_ONCE * view.standing as f64
}

impl Loads {
    /// Judges what a report shows; `sending`: what leaves now, bits per second. May find that the path became longer.
    pub fn judge(&mut self, now: Time, trail: &mut Trail, view: &mut View, sending: f64) -> Load {
        let elapsed = now.since(self.judged).as_secs_f64().min(1.0);
        self.judged = now;
        let forgotten = self.deepest * (1.0 - elapsed / DEPTH_LASTS.as_secs_f64());
        self.deepest = forgotten.max(view.run.waits.1 as f64);
        let View { newest_wait, standing, run, .. } = *view;
        let tolerance = tolerance(view);
        if run.packets < RUN_PACKETS || newest_wait <= tolerance {
            return Load::Clear;
        }
        if run.packets >= 2 * RUN_PACKETS && run.repeats_the_source() {
            if !self.path_is_longer(now, run.waits.0, view.step) {
                return Load::Foreign;
            }
            trail.restart_base();
            *view = trail.view();
            return Load::Clear;
        }
        if run.waits.1 - run.waits.0 <= FLAT_US {
            // Waits that are all alike do not tell what a busy server would have made of them.
            return Load::Foreign;
        }
        self.flat = None;
        if run.bytes < RUN_BYTES {
            return Load::Passing;
        }
        let idle = 1.0 - sending / run.rate();
        if idle > 0.05 && newest_wait as f64 / idle < PASSING_US {
            return Load::Passing;
        }
        let stands = standing > tolerance && run.span >= RUN_US;
        let grows = newest_wait > 2 * tolerance && (run.span >= RUN_US || newest_wait >= LONG_WAIT_US);
        if stands || grows { Load::Queue } else { Load::Passing }
    }

    /// Whether the queue may be overflowing: not far below the deepest that was seen of late.
    pub fn is_deep(&self, view: &View) -> bool {
        let wait = view.run.waits.1 as f64;
        wait >= OVERFLOWS * self.deepest && wait >= 3.0 * tolerance(view) as f64
    }

    /// Whether the least wait, which nothing of ours explains, has been the same for so long that the path itself must
    /// have become longer. A rival's queue does not stand still, unless it is full; but it did not come in one `step`.
    fn path_is_longer(&mut self, now: Time, least: i64, step: i64) -> bool {
        let (since, level) = *self.flat.get_or_insert((now, least));
        if (least - level).abs() > FLAT_US || (step as f64) < AT_ONCE * least as f64 {
            self.flat = Some((now, least));
            return false;
        }
        let longer = now.since(since) >= FLAT_LASTS;
        if longer {
            self.flat = None;
        }
        longer
    }
}

#[cfg(test)]
mod tests {
    use super::super::trail::Passage;
    use super::*;
    use crate::units::SeqNo;

    /// A path of 30 ms, its server, and what is under way.
    struct Path {
        trail: Trail,
        free: i64,
        seq: u64,
        loads: Loads,
        under_way: Vec<Passage>,
    }

    impl Path {
        fn new() -> Path {
            let (trail, loads, under_way) = (Trail::default(), Loads::default(), Vec::new());
            Path { trail, free: 0, seq: 70_000, loads, under_way }
        }

        /// Frames of `packets` every 40 ms and sound every 20 ms for `span_ms` from `from_ms` on over `bps`, reported and
        /// judged every 100 ms; `others` delay what is sent at a moment by so many microseconds.
        fn run(
            &mut self,
            (from_ms, span_ms): (i64, i64),
            bps: i64,
            packets: i64,
            others: impl Fn(i64) -> i64,
        ) -> Vec<Load> {
            let mut judged = Vec::new();
            for ms in (from_ms..from_ms + span_ms).step_by(20) {
                let sizes = (0..if ms % 40 == 0 { packets } else { 0 }).map(|_| 1_200).chain([130]);
                for bytes in sizes {
                    let sent = ms * 1_000;
                    self.free = self.free.max(sent) + bytes * 8_000_000 / bps;
                    self.seq += 1;
                    let arrival = self.free + 30_000 + others(ms);
                    self.under_way.push(Passage { seq: SeqNo(self.seq), sent, arrival, bytes });
                }
                if ms % 100 == 80 {
                    let sending = (packets * 30_000 + 6_500) as f64 * 8.0;
                    judged.extend(self.report(ms * 1_000, sending));
                }
            }
            judged
        }

        fn report(&mut self, now: i64, sending: f64) -> Option<Load> {
            let arrived = self.under_way.iter().position(|passage| passage.arrival > now);
            let arrived: Vec<_> = self.under_way.drain(..arrived.unwrap_or(self.under_way.len())).collect();
            arrived.last()?;
            arrived.into_iter().for_each(|passage| self.trail.pass(passage));
            let mut view = self.trail.view();
            Some(self.loads.judge(Time(now as u64), &mut self.trail, &mut view, sending))
        }
    }

    #[test]
    fn a_path_that_became_too_thin_is_known_within_two_reports() {
        let mut path = Path::new();
        assert!(path.run((0, 2_000), 5_000_000, 6, |_| 0).iter().all(|load| *load == Load::Clear));
        let judged = path.run((2_000, 400), 500_000, 6, |_| 0);
        assert!(judged[2..].iter().all(|load| *load == Load::Queue), "{judged:?}");
    }

    #[test]
    fn a_longer_path_is_no_queue_and_is_got_used_to() {
        let mut path = Path::new();
        path.run((0, 2_000), 4_000_000, 6, |_| 0);
        let judged = path.run((2_000, 3_000), 4_000_000, 6, |_| 40_000);
        assert!(judged.iter().all(|load| *load != Load::Queue), "{judged:?}");
        assert!(judged[12..].iter().all(|load| *load == Load::Clear), "{judged:?}");
    }

    #[test]
    fn sound_alone_on_a_longer_path_tells_nothing_of_its_rate() {
        let mut path = Path::new();
        path.run((0, 2_000), 4_000_000, 6, |_| 0);
        let judged = path.run((2_000, 2_000), 4_000_000, 0, |_| 25_000);
        assert!(judged.iter().all(|load| *load != Load::Queue), "{judged:?}");
    }

    #[test]
    fn a_few_packets_of_sound_behind_others_tell_nothing_of_its_rate() {
        let mut path = Path::new();
        path.run((0, 2_000), 4_000_000, 6, |_| 0);
        path.run((2_000, 1_000), 4_000_000, 0, |_| 0);
        let judged = path.run((3_000, 300), 4_000_000, 0, |ms| ((ms - 3_100).max(0) * 2).min(120) * 1_000);
        assert!(judged.iter().all(|load| *load != Load::Queue), "{judged:?}");
    }

    #[test]
    fn a_queue_that_others_filled_is_no_longer_path_however_long_it_stays_full() {
        let mut path = Path::new();
        path.run((0, 2_000), 4_000_000, 6, |_| 0);
        let judged = path.run((2_000, 6_000), 4_000_000, 6, |ms| ((ms - 2_000) / 2).min(300) * 1_000);
        assert!(judged[20..].iter().all(|load| *load == Load::Foreign), "{judged:?}");
    }

    #[test]
    fn a_queue_that_others_make_is_not_ours() {
        let mut path = Path::new();
        path.run((0, 2_000), 4_000_000, 6, |_| 0);
        // It fills by 20 ms a second between 100 and 300 ms, as one download makes it.
        let judged = path.run((2_000, 6_000), 4_000_000, 6, |ms| 100_000 + (ms * 20) % 200_000);
        let foreign = judged.iter().filter(|load| **load == Load::Foreign).count();
        assert!(foreign * 10 >= judged.len() * 8, "{judged:?}");
    }

    #[test]
    fn a_spike_is_over_when_it_is_reported() {
        let mut path = Path::new();
        path.run((0, 2_000), 10_000_000, 6, |_| 0);
        let judged = path
            .run((2_000, 1_500), 10_000_000, 6, |ms| (2_600 - ms).max(0) * i64::from(ms >= 2_100) * 1_000);
        assert!(judged.iter().all(|load| *load != Load::Queue), "{judged:?}");
    }
}
