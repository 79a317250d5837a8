//! How restless a path is, for whoever must decide how long to trust it.
//!
//! What counts is how far the estimate goes to and fro. One step to another level, however wide, says nothing about the
//! next moment; and a measure that took it for restlessness would keep the rate low for as long as it remembers.

use std::time::Duration;

use crate::units::Time;

/// How long a swing is remembered.
const MEMORY: Duration = Duration::from_secs(15);
/// Of a restless path the estimate often changes by a third.
const RESTLESS: f64 = 0.3;
/// A way back shorter than this, as a difference of logarithms, is no turn.
const TURN: f64 = 0.05;
/// An estimate that stays is noted this often: fading does not depend on that.
const SPACING: Duration = Duration::from_secs(1);

/// The way of the estimate's natural logarithm since its last turn, and the widest swing of late.
#[derive(Clone, Copy, Default, Debug)]
pub struct Volatility {
    /// Where it turned last, and how far it has come since.
    pivot: f64,
    extreme: f64,
    /// When it came about as far as that.
    came: Option<Time>,
    /// From the turn before the last one to the last, fading since it was gone.
    way: f64,
    /// The widest swing, fading: of two ways one after the other the shorter.
    swing: f64,
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
            (self.pivot, self.extreme) = (level, level);
            return;
        };
        let fading = |since: Time| (-now.since(since).as_secs_f64() / MEMORY.as_secs_f64()).exp();
        self.swing *= fading(updated);
        self.way *= fading(updated);
        if (level - self.extreme) * (self.extreme - self.pivot) >= 0.0 {
            self.reach(now, level);
        } else if (level - self.extreme).abs() >= TURN {
            // A way that was gone long ago makes no path restless that comes back from there.
            let way = (self.extreme - self.pivot).abs() * fading(self.came.unwrap_or(now));
            self.swing = self.swing.max(way.min(self.way));
            (self.pivot, self.extreme, self.way, self.came) = (self.extreme, level, way, Some(now));
        }
    }

    /// Goes on the same way; what creeps has come there before.
    fn reach(&mut self, now: Time, level: f64) {
        if self.came.is_none() || (level - self.extreme).abs() >= TURN / 4.0 {
            self.came = Some(now);
        }
        self.extreme = level;
    }

    /// Whether the path changes so much that the next change is better expected.
    pub fn is_restless(&self) -> bool {
        self.value() > RESTLESS
    }

    /// Half the widest swing of the estimate's natural logarithm over some 15 s, as the standard deviation of a square
    /// wave would be, each way fading from when it was gone: 0 for a steady path and for one that only became another, 0.5
    /// for one that goes to a quarter and back every four seconds.
    pub fn value(&self) -> f64 {
        self.swing / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten estimates a second between two tenths of a second; the value at the end.
    fn note(volatility: &mut Volatility, (from, to): (u64, u64), estimate: fn(u64) -> f64) -> f64 {
        (from..to).for_each(|tick| volatility.note(Time::from_millis(tick * 100), estimate(tick)));
        volatility.value()
    }

    #[test]
    fn tells_a_restless_path_from_a_steady_one_and_forgets() {
        let mut volatility = Volatility::default();
        assert!(note(&mut volatility, (0, 300), |_| 1e6) < 1e-9);
        let restless = note(&mut volatility, (300, 900), |tick| if tick / 20 % 2 == 0 { 5e5 } else { 2e6 });
        assert!((0.45..0.55).contains(&restless), "{restless}");
        assert!(note(&mut volatility, (900, 1_800), |_| 1e6) < 0.05);
    }

    #[test]
    fn a_step_to_another_level_is_no_restlessness() {
        let mut volatility = Volatility::default();
        note(&mut volatility, (0, 300), |tick| if tick % 7 == 0 { 2e6 } else { 1.95e6 });
        let fallen = note(&mut volatility, (300, 500), |tick| if tick % 7 == 0 { 2.4e5 } else { 2.35e5 });
        assert!(fallen < 0.05, "{fallen}");
    }

    #[test]
    fn a_fall_long_ago_makes_the_return_from_it_no_restlessness() {
        let mut volatility = Volatility::default();
        note(&mut volatility, (0, 300), |_| 2e6);
        // What creeps on down there has come there long ago.
        note(&mut volatility, (300, 500), |tick| 2.4e5 - (tick - 300) as f64 * 50.0);
        let back = note(&mut volatility, (500, 510), |tick| if tick < 505 { 2e6 } else { 1.85e6 });
        assert!((0.1..0.35).contains(&back), "{back}");
    }
}
