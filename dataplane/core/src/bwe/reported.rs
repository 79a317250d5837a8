//! An estimate for viewers without transport-wide feedback: their own (REMB), or what reception reports tell of loss and
//! round trip.
//!
//! A queue shows in the round trip. Loss while the round trip is what it always was is inherent and costs nothing.

use std::time::Duration;

use crate::units::Time;

/// A viewer's own estimate counts for so long; browsers repeat it every second.
const REMB_LASTS: Duration = Duration::from_secs(10);
/// A round trip this much above the least is a queue.
const QUEUE: Duration = Duration::from_millis(60);
/// Loss below this is never answered.
const HARMLESS: f64 = 0.02;
/// How far one report lowers the estimate when packets queue.
const DECREASE: f64 = 0.85;
/// How far one report raises it where it is used: of a path that never queued nor lost much, and of another.
const FIRST_INCREASE: f64 = 2.0;
const INCREASE: f64 = 1.08;
/// Rounds after which the least round trip is measured anew: paths change.
const ROUNDS: u32 = 120;

/// What one reception report tells.
#[derive(Clone, Copy, Debug)]
pub struct Reception {
    /// Share lost since the last report, 0 to 1.
    pub lost: f64,
    /// The round trip, when it could be measured.
    pub round_trip: Option<Duration>,
    /// What we sent meanwhile, bits per second on the wire.
    pub sent: f64,
}

/// What is known from reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reported {
    remb: Option<(f64, Time)>,
    estimate: Option<f64>,
    least: Option<Duration>,
    rounds: u32,
    inherent: f64,
    queue: Duration,
    /// Whether the path ever was too thin.
    troubled: bool,
}

impl Reported {
    /// The viewer's own estimate, bits per second.
    pub fn remb(&mut self, now: Time, rate: f64) {
        self.remb = Some((rate, now));
    }

    /// A reception report; `estimate`: what was assumed so far.
    pub fn reception(&mut self, reception: Reception, estimate: f64) {
        let Reception { lost, round_trip, sent } = reception;
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
        self.troubled |= queued || excessive;
        let increase = if self.troubled { INCREASE } else { FIRST_INCREASE };
        let next = if queued {
            // What got through is what the path carries.
            estimate.min(sent) * DECREASE * (1.0 - excess.max(0.0) / 2.0)
        } else if excessive {
            estimate * (1.0 - excess / 4.0)
        } else if sent >= estimate * 0.75 {
            (estimate * increase).max(sent * (1.0 - lost))
        } else {
            estimate
        };
        self.estimate = Some(next);
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

    /// Share lost whatever we send.
    pub fn inherent(&self) -> f64 {
        self.inherent
    }

    fn note_round_trip(&mut self, round_trip: Duration) {
        self.rounds += 1;
        if self.rounds >= ROUNDS {
            (self.rounds, self.least) = (0, None);
        }
        let least = self.least.map_or(round_trip, |least| least.min(round_trip));
        self.least = Some(least);
        self.queue = round_trip.saturating_sub(least);
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
}
