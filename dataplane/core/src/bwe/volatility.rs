//! How restless a path is, for whoever must decide how long to trust it.

use std::time::Duration;

use crate::units::Time;

/// How long a change is remembered.
const MEMORY: Duration = Duration::from_secs(15);

/// Of a restless path the estimate often changes by a third.
const RESTLESS: f64 = 0.3;
/// An estimate that stays is noted this often: what the average makes of it does not depend on that.
const SPACING: Duration = Duration::from_secs(1);

/// Spread of the estimate over time.
#[derive(Clone, Copy, Default, Debug)]
pub struct Volatility {
    mean: f64,
    variance: f64,
    estimate: f64,
    updated: Option<Time>,
}

impl Volatility {
    /// Notes the estimate, in bits per second.
    pub fn note(&mut self, now: Time, estimate: f64) {
        let stays = (estimate - self.estimate).abs() < 1e-4 * self.estimate;
        if stays && self.updated.is_some_and(|updated| now.since(updated) < SPACING) {
            return;
        }
        self.estimate = estimate;
        let level = estimate.max(1.0).ln();
        let Some(updated) = self.updated.replace(now) else {
            self.mean = level;
            return;
        };
        let share = 1.0 - (-now.since(updated).as_secs_f64() / MEMORY.as_secs_f64()).exp();
        let difference = level - self.mean;
        self.mean += share * difference;
        self.variance = (1.0 - share) * (self.variance + share * difference * difference);
    }

    /// Whether the path changes so much that the next change is better expected.
    pub fn is_restless(&self) -> bool {
        self.variance > RESTLESS * RESTLESS
    }

    /// Standard deviation of the estimate's natural logarithm over the last quarter of a minute: 0 for a steady path,
    /// 0.7 for one that halves and doubles.
    pub fn value(&self) -> f64 {
        self.variance.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_restless_path_from_a_steady_one_and_forgets() {
        let mut volatility = Volatility::default();
        let mut note = |from: u64, to: u64, estimate: fn(u64) -> f64| {
            (from..to).for_each(|tick| volatility.note(Time::from_millis(tick * 100), estimate(tick)));
            volatility.value()
        };
        assert!(note(0, 300, |_| 1e6) < 1e-9);
        let restless = note(300, 900, |tick| if tick / 20 % 2 == 0 { 5e5 } else { 2e6 });
        assert!((0.6..0.8).contains(&restless), "{restless}");
        assert!(note(900, 1_800, |_| 1e6) < 0.05);
    }
}
