//! Whether a queue that others keep is one of traffic that yields and takes (TCP), or goes when we send less.
//!
//! Others of our own kind let a queue drain as soon as they see it, so a queue that ebbs is no sign of a rival. Traffic of
//! a constant rate leaves a queue as it is while we fill up the rest of the link: where one stays level, we send less for
//! a moment. What TCP keeps does not go by that, and then we ask ever more seldom.

use std::time::Duration;

use crate::units::Time;

/// Over how long the standing queue is smoothed.
const SMOOTHING: Duration = Duration::from_millis(300);
/// A queue this much below what it was (microseconds) ebbs, and one this near to it is level.
const EBBS_US: f64 = 10_000.0;
/// A queue that has been level for so long is asked about.
const LEVEL: Duration = Duration::from_secs(2);
/// A shorter queue (microseconds) is not: a path that only became longer looks like it.
const ASKED_US: f64 = 60_000.0;
/// Who sends less (bits per second), the lowest layer or sound alone, has nothing to give up.
const LEAST_ASKED: f64 = 300_000.0;
/// For how long we then send less.
const YIELDS: Duration = Duration::from_millis(800);
/// The part that we then send.
const YIELDED: f64 = 0.5;
/// Of a queue that goes no more than this is left then.
const EBBED: f64 = 0.85;
/// Between two questions: longer by this factor with each that was in vain, up to the most.
const PATIENCE: u32 = 4;
const SPACING: Duration = Duration::from_secs(32);

/// We send less, to see what becomes of the queue.
#[derive(Clone, Copy, Debug)]
struct Question {
    until: Time,
    /// What stood, microseconds.
    standing: f64,
    /// The rate before and meanwhile, bits per second.
    before: f64,
    meanwhile: f64,
}

/// Watches the queue that stands on one path.
#[derive(Clone, Copy, Debug)]
pub struct Elasticity {
    /// The queue that stands as it was a moment ago: smoothed, microseconds.
    smoothed: f64,
    standing: f64,
    watched: Time,
    /// Since when it is level.
    level: Time,
    question: Option<Question>,
    spacing: Duration,
    next: Time,
}

impl Default for Elasticity {
    fn default() -> Elasticity {
        Elasticity {
            smoothed: 0.0,
            standing: 0.0,
            watched: Time::ZERO,
            level: Time::ZERO,
            question: None,
            spacing: LEVEL,
            next: Time::ZERO,
        }
    }
}

impl Elasticity {
    /// Looks at a report's standing queue, microseconds.
    pub fn watch(&mut self, now: Time, standing: i64) {
        let elapsed = now.since(self.watched).as_secs_f64();
        (self.watched, self.standing) = (now, standing as f64);
        let share = 1.0 - (-elapsed / SMOOTHING.as_secs_f64()).exp();
        self.smoothed += (self.standing - self.smoothed) * share;
        if (self.standing - self.smoothed).abs() > EBBS_US {
            self.level = now;
        }
    }

    /// Whether the queue goes: those who made it yield.
    pub fn ebbs(&self) -> bool {
        self.standing < self.smoothed - EBBS_US
    }

    /// A rival appeared: nothing is asked yet.
    pub fn begin(&mut self, now: Time) {
        (self.level, self.question) = (now, None);
    }

    /// The rate while it is asked whether a queue goes when we send less than `sending`, and the former one, `rate`,
    /// after an answer; `None` when nothing is asked. Bits per second.
    pub fn rate(&mut self, now: Time, rate: f64, sending: f64, turn: Duration) -> Option<f64> {
        if let Some(question) = self.question {
            if now < question.until {
                return Some(question.meanwhile);
            }
            if self.standing < EBBED * question.standing {
                // It goes: on until it is gone, or stays.
                let until = now + YIELDS;
                self.question = Some(Question { until, standing: self.standing, ..question });
                self.spacing = LEVEL;
                return Some(question.meanwhile);
            }
            self.question = None;
            self.spacing = (self.spacing * PATIENCE).min(SPACING);
            (self.level, self.next) = (now, now + self.spacing);
            return Some(question.before);
        }
        if now < self.next
            || now.since(self.level) < LEVEL
            || self.standing < ASKED_US
            || sending < LEAST_ASKED
        {
            return None;
        }
        let meanwhile = rate.min(YIELDED * sending);
        let until = now + YIELDS + turn;
        self.question = Some(Question { until, standing: self.standing, before: rate, meanwhile });
        Some(meanwhile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_millis(100);

    /// Reports of nine seconds, ten a second, over a link of 4 Mbit/s with a queue of 80 ms, of which others take
    /// `others(ours)`; gives our rates.
    fn course(others: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut elasticity = Elasticity::default();
        let (mut rate, mut queue) = (6e5, 80_000.0_f64);
        elasticity.begin(Time::ZERO);
        let mut rates = Vec::new();
        for report in 0..90 {
            let now = Time::from_millis(report * 100);
            queue = (queue + ((rate + others(rate)) / 4e6 - 1.0) * 1e5).max(0.0);
            elasticity.watch(now, queue as i64);
            rate = elasticity.rate(now, rate, rate, TURN).unwrap_or(rate);
            rates.push(rate);
        }
        rates
    }

    #[test]
    fn a_queue_that_goes_when_we_send_less_is_let_go() {
        let rates = course(|_| 3.4e6);
        let asked = rates.iter().position(|rate| *rate < 6e5).unwrap();
        assert!((20..30).contains(&asked), "{asked}");
        assert!(rates[asked..asked + 10].iter().all(|rate| *rate < 4e5), "{rates:?}");
    }

    #[test]
    fn where_others_take_what_we_leave_it_is_asked_ever_more_seldom() {
        let rates = course(|ours| 4e6 - ours);
        let less = rates.iter().filter(|rate| **rate < 6e5).count();
        assert!((9..=12).contains(&less), "{less}");
        assert!(rates.iter().all(|rate| [3e5, 6e5].contains(rate)), "{rates:?}");
        assert_eq!(rates.last(), Some(&6e5));
    }

    #[test]
    fn who_has_nothing_to_give_up_is_not_asked() {
        let mut elasticity = Elasticity::default();
        elasticity.begin(Time::ZERO);
        for report in 0..90 {
            let now = Time::from_millis(report * 100);
            elasticity.watch(now, 80_000);
            assert_eq!(elasticity.rate(now, 2e5, LEAST_ASKED - 1.0, TURN), None);
        }
    }

    #[test]
    fn only_what_falls_ebbs() {
        let mut elasticity = Elasticity::default();
        for (report, standing) in [(0, 100_000), (1, 100_000), (2, 100_000), (3, 60_000)] {
            elasticity.watch(Time::from_millis(1_000 + 100 * report), standing);
            assert_eq!(elasticity.ebbs(), report == 3);
        }
    }
}
