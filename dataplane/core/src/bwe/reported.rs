//! An estimate for viewers without transport-wide feedback: their own (REMB), or what reception reports tell of loss and
//! round trip.
//!
//! A queue shows in the round trip. Loss while the round trip is what it always was is inherent and costs nothing, but for
//! a sudden one: a report tells of the round trip before the last, so that a full queue shows as loss first. A queue of ours
//! grows or drops packets while too much is sent, and shrinks when it is not; a round trip that does neither while less and
//! less is sent is that of a longer path.

use std::time::Duration;

use super::rate::FLOOR;
use crate::units::Time;

/// A viewer's own estimate counts for so long; browsers repeat it every second.
const REMB_LASTS: Duration = Duration::from_secs(10);
/// A round trip this much above the least is a queue.
const QUEUE: Duration = Duration::from_millis(60);
/// One that is longer does not go soon enough by itself.
const LONG_QUEUE: Duration = Duration::from_millis(500);
/// Loss below this is never answered.
const HARMLESS: f64 = 0.02;
/// Loss so far beyond what is usual is that of a full queue.
const OVERFLOW: f64 = 0.1;
/// Part of an estimate that one report leaves at least.
const LEAST_LEFT: f64 = 0.6;
/// How far one report lowers the estimate when packets queue.
const DECREASE: f64 = 0.85;
/// How far one report raises it where it is used: of a path that never queued nor lost much, and of another.
const FIRST_INCREASE: f64 = 2.0;
const INCREASE: f64 = 1.08;
/// The least round trip is that of so many reports, and of up to as many before: paths change.
const ROUNDS: u32 = 60;
/// Round trips that differ by no more than this are alike.
const ALIKE: Duration = Duration::from_millis(20);
/// A path is longer when so many reports show it alike while what is sent falls to this share, or is the least already.
const ALIKE_REPORTS: u32 = 4;
const LOWERED: f64 = 0.75;
/// Of so many reports the least round trip counts there: one alone may be late by itself.
const NEWEST: usize = 3;

/// What one reception report tells.
#[derive(Clone, Copy, Debug)]
pub struct Reception {
    /// Share lost since the last report, 0 to 1.
    pub lost: f64,
    /// The round trip as this report tells it, when it could be measured.
    pub round_trip: Option<Duration>,
    /// What we sent meanwhile, bits per second on the wire.
    pub sent: f64,
}

/// Round trips above the least, report after report.
#[derive(Clone, Copy, Debug)]
struct Raised {
    /// The estimate before them, and whether the path ever was too thin.
    before: (f64, bool),
    /// They have been like this for so many reports, and what was sent at first.
    level: Duration,
    alike: u32,
    sent: f64,
}

/// What is known from reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reported {
    remb: Option<(f64, Time)>,
    estimate: Option<f64>,
    /// Round trips: the newest, all smoothed, and the least of the present [`ROUNDS`] and of those before.
    newest: [Duration; NEWEST],
    smooth: Option<Duration>,
    least: [Option<Duration>; 2],
    rounds: u32,
    raised: Option<Raised>,
    inherent: f64,
    queue: Duration,
    /// Whether the path ever was too thin.
    troubled: bool,
    /// What was sent before the last report: what a report tells may be of then.
    sent_before: f64,
    /// Share lost beyond what is usual, where it is more than chance.
    excess: f64,
}

impl Reported {
    /// The viewer's own estimate, bits per second.
    pub fn remb(&mut self, now: Time, rate: f64) {
        self.remb = Some((rate, now));
    }

    /// A reception report; `estimate`: what was assumed so far.
    pub fn reception(&mut self, reception: Reception, estimate: f64) {
        let Reception { lost, round_trip, sent } = reception;
        let most = sent.max(std::mem::replace(&mut self.sent_before, sent));
        if let Some(round_trip) = round_trip {
            self.note_round_trip(round_trip);
        }
        let estimate = self.estimate.unwrap_or(estimate);
        let queued = self.queue > QUEUE;
        let excess = lost - self.inherent;
        if !queued {
            self.inherent += (lost - self.inherent) / 4.0;
        }
        let excessive = excess > HARMLESS.max(self.inherent) && lost > HARMLESS;
        self.excess = if excessive { excess } else { 0.0 };
        if self.path_is_longer((estimate, self.troubled), queued, excessive, sent) {
            return;
        }
        self.troubled |= queued || excessive;
        let increase = if self.troubled { INCREASE } else { FIRST_INCREASE };
        // What got through is what the path carries.
        let carried = estimate.min(most * (1.0 - lost)).max(estimate * LEAST_LEFT);
        let ebbs = round_trip.is_some() && !excessive && self.ebbs();
        let next = if queued && ebbs {
            estimate
        } else if queued {
            carried * DECREASE
        } else if excess > OVERFLOW {
            carried
        } else if excessive {
            estimate * (1.0 - excess / 4.0)
        } else if sent >= estimate * 0.75 {
            (estimate * increase).max(sent * (1.0 - lost))
        } else {
            estimate
        };
        self.estimate = Some(next.max(FLOOR));
    }

    /// Whether the queue is about to go.
    fn ebbs(&self) -> bool {
        self.queue < LONG_QUEUE && self.newest[NEWEST - 1] + ALIKE < self.newest[NEWEST - 2]
    }

    /// Whether what was taken for a queue is a longer path; all is as it was before it then. `before`: the estimate, and
    /// whether the path ever was too thin.
    fn path_is_longer(&mut self, before: (f64, bool), queued: bool, excessive: bool, sent: f64) -> bool {
        let level = self.newest.into_iter().min().unwrap_or_default();
        let raised = Raised { before, level, alike: 0, sent };
        let Some(last) = self.raised.filter(|_| queued) else {
            self.raised = queued.then_some(raised);
            return false;
        };
        if excessive || last.level.abs_diff(level) > ALIKE {
            self.raised = Some(Raised { before: last.before, ..raised });
            return false;
        }
        let alike = last.alike + 1;
        let lowered = sent <= LOWERED * last.sent || before.0 <= FLOOR;
        if alike < ALIKE_REPORTS || !lowered {
            self.raised = Some(Raised { alike, ..last });
            return false;
        }
        (self.estimate, self.troubled) = (Some(last.before.0), last.before.1);
        (self.smooth, self.least, self.rounds) = (Some(level), [Some(level), None], 0);
        (self.raised, self.queue) = (None, Duration::ZERO);
        true
    }

    /// The estimate in bits per second; `None` before anything was reported.
    pub fn estimate(&self, now: Time) -> Option<f64> {
        let remb = self.remb.filter(|(_, at)| now.since(*at) < REMB_LASTS).map(|(rate, _)| rate);
        match (remb, self.estimate) {
            // A viewer's own estimate follows what it is sent. Before anything ever waited or got lost it is no limit.
            (Some(remb), Some(estimate)) if !self.troubled => Some(remb.max(estimate)),
            (remb, estimate) => remb.or(estimate),
        }
    }

    /// Whether the estimate tells more than that nothing went wrong so far.
    pub fn is_known(&self) -> bool {
        self.troubled || self.remb.is_some()
    }

    /// How long packets wait, as the round trip tells.
    pub fn queue(&self) -> Duration {
        self.queue
    }

    /// Share lost beyond that as the last report tells, where it is more than chance.
    pub fn excess(&self) -> f64 {
        self.excess
    }

    /// Share lost whatever we send.
    pub fn inherent(&self) -> f64 {
        self.inherent
    }

    fn note_round_trip(&mut self, newest: Duration) {
        self.newest.rotate_left(1);
        self.newest[NEWEST - 1] = newest;
        let smooth = self.smooth.map_or(newest, |before| (before + newest) / 2);
        self.rounds += 1;
        if self.rounds >= ROUNDS {
            (self.rounds, self.least) = (0, [None, self.least[0]]);
        }
        let least = self.least[0].map_or(smooth, |least| least.min(smooth));
        (self.smooth, self.least[0]) = (Some(smooth), Some(least));
        self.queue = smooth.saturating_sub(self.least[1].map_or(least, |before| before.min(least)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(reported: &mut Reported, lost: f64, round_trip_ms: u64, sent: f64) -> f64 {
        let round_trip = Some(Duration::from_millis(round_trip_ms));
        reported.reception(Reception { lost, round_trip, sent }, 180_000.0);
        reported.estimate(Time::ZERO).unwrap()
    }

    #[test]
    fn random_loss_costs_nothing_and_a_queue_does() {
        let mut reported = Reported::default();
        let mut estimate = 0.0;
        for _ in 0..20 {
            estimate = report(&mut reported, 0.1, 100, 1e6);
        }
        assert!(estimate >= 9e5, "{estimate}");
        for _ in 0..3 {
            estimate = report(&mut reported, 0.1, 300, 8e5);
        }
        assert!(estimate < 7e5, "{estimate}");
    }

    #[test]
    fn a_full_queue_shows_as_loss_first_and_what_got_through_is_what_the_path_carries() {
        let mut reported = Reported::default();
        let before = (0..10).map(|_| report(&mut reported, 0.0, 100, 1e6)).last().unwrap();
        let estimate = report(&mut reported, 0.3, 100, before);
        assert!((estimate / before - 0.7).abs() < 0.01, "{estimate} of {before}");
        assert!((reported.excess() - 0.3).abs() < 0.01);
        let worse = report(&mut reported, 0.9, 100, before);
        assert!((worse / estimate - LEAST_LEFT).abs() < 0.01, "one report does not take all: {worse}");
        let usual = reported.inherent();
        report(&mut reported, usual, 100, before);
        assert!(reported.excess() < 1e-9);
    }

    #[test]
    fn while_a_queue_goes_nothing_more_is_taken() {
        let mut reported = Reported::default();
        (0..10).for_each(|_| _ = report(&mut reported, 0.0, 100, 1e6));
        report(&mut reported, 0.0, 400, 1e6);
        let estimate = report(&mut reported, 0.0, 400, 1e6);
        assert!(report(&mut reported, 0.0, 300, 1e5) >= estimate, "it ebbs");
        assert!(report(&mut reported, 0.0, 299, 1e5) < estimate, "it stands");
        let stands = report(&mut reported, 0.3, 200, 1e5);
        assert!(report(&mut reported, 0.6, 150, 1e5) < stands, "it ebbs since it overflows");
    }

    #[test]
    fn what_is_not_used_does_not_grow() {
        let mut reported = Reported::default();
        let first = report(&mut reported, 0.0, 100, 1e6);
        assert!((report(&mut reported, 0.0, 100, 1e5) - first).abs() < 1.0);
        assert!(report(&mut reported, 0.0, 100, 1e6) > first);
    }

    #[test]
    fn the_viewer_s_own_estimate_counts_while_it_is_fresh() {
        let mut reported = Reported::default();
        report(&mut reported, 0.0, 100, 1e6);
        report(&mut reported, 0.0, 300, 1e6);
        reported.remb(Time::from_millis(1_000), 3e5);
        assert_eq!(reported.estimate(Time::from_millis(2_000)), Some(3e5));
        assert!(reported.estimate(Time::from_millis(12_000)).unwrap() > 7e5);
    }

    #[test]
    fn the_viewer_s_own_estimate_is_no_limit_before_anything_waited_or_got_lost() {
        let mut reported = Reported::default();
        report(&mut reported, 0.0, 100, 1e6);
        reported.remb(Time::from_millis(1_000), 7e4);
        assert!(reported.estimate(Time::from_millis(2_000)).unwrap() > 9e5);
        reported.remb(Time::from_millis(1_000), 5e6);
        assert_eq!(reported.estimate(Time::from_millis(2_000)), Some(5e6));
    }

    /// A path of 50 ms and then of `longer` whose queue takes so many seconds of its capacity; media use what they may. Gives
    /// the estimate after each report, and the longest queue of the last ten in seconds.
    fn path(capacity: f64, seconds: f64, longer: u64, reports: usize) -> (Vec<f64>, f64) {
        let (mut reported, mut estimate, mut queue) = (Reported::default(), 180e3_f64, 0.0_f64);
        let (mut estimates, mut queues) = (Vec::new(), Vec::new());
        for n in 0..reports {
            // Nothing waits at first.
            let carried = if n < 20 { 10e6 } else { capacity };
            let sent = estimate.min(3e6);
            let filled = queue + (sent - carried) / carried;
            queue = filled.clamp(0.0, seconds);
            let lost = ((filled - queue).max(0.0) * carried / sent).min(1.0);
            let turn = if n < 20 { 50 } else { longer } + (queue * 1e3) as u64;
            estimate = report(&mut reported, lost, turn, sent);
            estimates.push(estimate);
            queues.push(queue);
        }
        (estimates, queues[reports - 10..].iter().copied().fold(0.0, f64::max))
    }

    #[test]
    fn a_longer_path_costs_some_seconds_and_no_more() {
        for longer in [170, 650] {
            let (estimates, _) = path(10e6, 0.3, longer, 200);
            assert!(estimates[19] >= 3e6 && estimates[24] < 3e6, "{longer} ms: {estimates:?}");
            assert!(estimates[30..].iter().all(|it| *it >= 3e6), "{longer} ms: {estimates:?}");
        }
    }

    #[test]
    fn a_queue_of_ours_is_no_longer_path_however_long_it_is() {
        for seconds in [0.2, 0.5, 3.0, 30.0] {
            for capacity in [250e3, 400e3, 1e6, 2e6] {
                let (estimates, queue) = path(capacity, seconds, 50, 160);
                let highest = estimates[45..].iter().copied().fold(0.0, f64::max);
                assert!(highest <= 1.5 * capacity, "{capacity}, {seconds} s: {highest} of {estimates:?}");
                assert!(queue <= 1.0, "{capacity}, {seconds} s: {queue}");
            }
        }
    }

    #[test]
    fn a_round_trip_that_nothing_explains_leads_to_no_rate_that_cannot_be_left() {
        let mut reported = Reported::default();
        for _ in 0..20 {
            report(&mut reported, 0.0, 50, 3e6);
        }
        for n in 0..400 {
            assert!(report(&mut reported, 0.0, 200 + n % 3 * 100 + n % 4 * 70, 30e3) >= FLOOR);
        }
        let estimate = (0..40).fold(FLOOR, |estimate, _| report(&mut reported, 0.0, 50, estimate));
        assert!(estimate > 5.0 * FLOOR, "{estimate}");
    }
}
