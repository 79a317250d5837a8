//! A rate that changes in steps, and its exact integral in integers.

use crate::trace::TraceError;

/// A piecewise constant rate in bits per second over time in microseconds. Before its first step it is that step's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RateSteps {
    /// Start and rate of each step, by rising start.
    steps: Vec<(u64, u64)>,
    /// Where it begins again; without, the last rate stays.
    period_us: Option<u64>,
    offset_us: u64,
}

impl RateSteps {
    /// One rate for ever.
    pub fn constant(bps: u64) -> RateSteps {
        RateSteps { steps: vec![(0, bps)], period_us: None, offset_us: 0 }
    }

    /// Steps of (start in microseconds, bits per second); of two with one start the later counts.
    /// Refuses an empty list and starts that fall.
    pub fn new(steps: &[(u64, u64)]) -> Result<RateSteps, TraceError> {
        let mut kept: Vec<(u64, u64)> = Vec::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate() {
            match kept.last_mut() {
                Some(last) if last.0 > step.0 => return Err(TraceError::NotRising { entry: index + 1 }),
                Some(last) if last.0 == step.0 => *last = *step,
                _ => kept.push(*step),
            }
        }
        if kept.is_empty() {
            return Err(TraceError::Empty);
        }
        Ok(RateSteps { steps: kept, period_us: None, offset_us: 0 })
    }

    /// The same, beginning again after `period_us`; refuses a period that ends before the last step begins.
    pub fn looped(mut self, period_us: u64) -> Result<RateSteps, TraceError> {
        if self.steps.last().is_some_and(|last| period_us <= last.0) {
            return Err(TraceError::PeriodTooShort);
        }
        self.period_us = Some(period_us);
        Ok(self)
    }

    /// The same, starting at `offset_us` of the schedule.
    #[must_use]
    pub fn starting_at(mut self, offset_us: u64) -> RateSteps {
        self.offset_us = offset_us;
        self
    }

    /// When its last rate begins, which then stays; `None` where it begins again.
    pub fn stays_from(&self) -> Option<u64> {
        if self.period_us.is_some() { None } else { self.steps.last().map(|last| last.0) }
    }

    /// The same, every rate times `permille` / 1000.
    #[must_use]
    pub fn scaled(mut self, permille: u64) -> RateSteps {
        for step in &mut self.steps {
            step.1 = (u128::from(step.1) * u128::from(permille) / 1_000) as u64;
        }
        self
    }

    /// The rate at `t_us` in bits per second.
    pub fn at(&self, t_us: u64) -> u64 {
        self.segment(t_us).0
    }

    /// The rate at `t_us` and the time up to which it holds at least; `None` is for ever.
    fn segment(&self, t_us: u64) -> (u64, Option<u64>) {
        let place = t_us.saturating_add(self.offset_us);
        let (base, local) =
            self.period_us.map_or((0, place), |period| (place - place % period, place % period));
        let after = self.steps.partition_point(|step| step.0 <= local);
        let rate = self.steps.get(after.saturating_sub(1)).map_or(0, |step| step.1);
        let until = self.steps.get(after).map(|step| step.0).or(self.period_us);
        (rate, until.map(|until| (base + until) - self.offset_us))
    }

    /// What is carried from `from_us` to `to_us`, in bits times microseconds per second (a million is one bit).
    pub(crate) fn integral(&self, from_us: u64, to_us: u64) -> u128 {
        let mut sum = 0;
        let mut t = from_us;
        while t < to_us {
            let (rate, until) = self.segment(t);
            let next = until.map_or(to_us, |until| until.min(to_us));
            sum += u128::from(rate) * u128::from(next - t);
            t = next;
        }
        sum
    }

    /// The first moment from `t_us` on at which the rate is not zero; `None` when there is none.
    pub(crate) fn next_open(&self, t_us: u64) -> Option<u64> {
        if self.steps.iter().all(|step| step.1 == 0) {
            return None;
        }
        let mut t = t_us;
        loop {
            match self.segment(t) {
                (0, until) => t = until?,
                _ => return Some(t),
            }
        }
    }

    /// When `work` (in the unit of [`RateSteps::integral`]) that starts at `t_us` is done, as whole microseconds, and
    /// how much more would have been done by then. `None`: never.
    pub(crate) fn finish(&self, t_us: u64, work: u128) -> Option<(u64, u128)> {
        let mut t = t_us;
        let mut left = work;
        while left > 0 {
            t = self.next_open(t)?;
            let (rate, until) = self.segment(t);
            let rate = u128::from(rate);
            let carried = until.map_or(u128::MAX, |until| rate.saturating_mul(u128::from(until - t)));
            if carried < left {
                left -= carried;
                // A segment that carries less than all the work ends.
                t = until?;
                continue;
            }
            let span = left.div_ceil(rate);
            return Some((t.saturating_add(span as u64), span * rate - left));
        }
        Some((t, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> RateSteps {
        RateSteps::new(&[(0, 1_000_000), (10_000, 0), (20_000, 2_000_000)]).expect("rising")
    }

    #[test]
    fn rates_hold_from_their_start() {
        let rates: Vec<u64> = [0, 9_999, 10_000, 20_000, 99_999].map(|t| steps().at(t)).to_vec();
        assert_eq!(rates, [1_000_000, 1_000_000, 0, 2_000_000, 2_000_000]);
        assert_eq!(steps().stays_from(), Some(20_000));
        assert_eq!(steps().looped(30_000).expect("long enough").stays_from(), None);
    }

    #[test]
    fn work_is_integrated_over_steps() {
        // 20,000 bits: 10,000 in the first 10 ms, none in the next, the rest at 2 Mbit/s in 5 ms.
        assert_eq!(steps().finish(0, 20_000 * 1_000_000), Some((25_000, 0)));
        assert_eq!(steps().integral(0, 25_000), 20_000 * 1_000_000);
        assert_eq!(steps().next_open(10_000), Some(20_000));
    }

    #[test]
    fn ends_of_steps_within_a_microsecond_leave_a_surplus() {
        // 1 bit at 3 Mbit/s takes a third of a microsecond.
        assert_eq!(RateSteps::constant(3_000_000).finish(5, 1_000_000), Some((6, 2_000_000)));
    }

    #[test]
    fn a_dead_link_never_finishes() {
        assert_eq!(RateSteps::constant(0).finish(0, 1), None);
        let dead = RateSteps::constant(0).looped(1_000).expect("longer than its step");
        assert_eq!(dead.finish(0, 1), None);
    }

    #[test]
    fn loops_offsets_and_scales() {
        let looped = steps().looped(30_000).expect("longer");
        assert_eq!(
            [29_999, 30_000, 40_000, 50_000].map(|t| looped.at(t)),
            [2_000_000, 1_000_000, 0, 2_000_000]
        );
        let moved = looped.clone().starting_at(15_000).scaled(500);
        assert_eq!([0, 5_000, 15_000, 25_000].map(|t| moved.at(t)), [0, 1_000_000, 500_000, 0]);
        assert_eq!(looped.integral(0, 60_000), 2 * 30_000 * 1_000_000);
    }

    #[test]
    fn wrong_schedules_are_refused() {
        assert_eq!(RateSteps::new(&[]), Err(TraceError::Empty));
        assert_eq!(RateSteps::new(&[(5, 1), (4, 1)]), Err(TraceError::NotRising { entry: 2 }));
        assert_eq!(steps().looped(20_000), Err(TraceError::PeriodTooShort));
        assert_eq!(RateSteps::new(&[(0, 1), (0, 2)]).expect("rising").at(0), 2);
    }
}
