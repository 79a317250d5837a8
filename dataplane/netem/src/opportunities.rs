//! Chances to send, as mahimahi traces list them: each is credit for 1,500 bytes at one instant.

use crate::trace::TraceError;

/// Bytes of credit of one opportunity (mahimahi's `mm-link`).
pub const OPPORTUNITY_BYTES: u64 = 1_500;

/// Over how long the current rate of such a link is taken, microseconds: the second to come, at which a queue would
/// really drain.
const RATE_WINDOW_US: u64 = 1_000_000;

/// Instants at which a link may send, repeated by adding the last one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opportunities {
    /// Instants in microseconds, rising; the last is the period.
    instants: Vec<u64>,
    period_us: u64,
    offset_us: u64,
    credit_bytes: u64,
}

impl Opportunities {
    /// From instants in milliseconds; refuses an empty list, one that falls, and one that ends at 0.
    pub fn new(instants_ms: &[u64]) -> Result<Opportunities, TraceError> {
        if let Some(fall) = instants_ms.windows(2).position(|pair| pair[1] < pair[0]) {
            return Err(TraceError::NotRising { entry: fall + 2 });
        }
        let period_us = instants_ms.last().ok_or(TraceError::Empty)?.saturating_mul(1_000);
        if period_us == 0 {
            return Err(TraceError::PeriodTooShort);
        }
        let instants = instants_ms.iter().map(|ms| ms.saturating_mul(1_000)).collect();
        Ok(Opportunities { instants, period_us, offset_us: 0, credit_bytes: OPPORTUNITY_BYTES })
    }

    /// The same, starting at `offset_us` of the trace.
    #[must_use]
    pub fn starting_at(mut self, offset_us: u64) -> Opportunities {
        self.offset_us = offset_us;
        self
    }

    /// The same, every credit times `permille` / 1000, but at least one byte.
    #[must_use]
    pub fn scaled(mut self, permille: u64) -> Opportunities {
        self.credit_bytes = (self.credit_bytes.saturating_mul(permille) / 1_000).max(1);
        self
    }

    /// Bytes of credit of each opportunity.
    pub fn credit_bytes(&self) -> u64 {
        self.credit_bytes
    }

    /// How many opportunities lie before `t_us`, counted from the start of the trace: also the number of the first one
    /// that does not.
    pub(crate) fn count_before(&self, t_us: u64) -> u64 {
        let place = t_us.saturating_add(self.offset_us);
        let cycle = place / self.period_us;
        // An instant equal to the period belongs to this cycle and to the first moment of the next one.
        let local = place % self.period_us;
        let earlier_cycles = cycle * self.instants.len() as u64;
        let at_the_seam = if local == 0 && cycle > 0 { self.at_period() } else { 0 };
        earlier_cycles + self.instants.partition_point(|instant| *instant < local) as u64 - at_the_seam
    }

    /// How many opportunities of a cycle fall on its last instant.
    fn at_period(&self) -> u64 {
        (self.instants.len() - self.instants.partition_point(|instant| *instant < self.period_us)) as u64
    }

    /// When the numbered opportunity comes; never before 0.
    pub(crate) fn instant(&self, number: u64) -> u64 {
        let length = self.instants.len() as u64;
        let local = self.instants.get((number % length) as usize).copied().unwrap_or(self.period_us);
        ((number / length).saturating_mul(self.period_us))
            .saturating_add(local)
            .saturating_sub(self.offset_us)
    }

    /// Bytes of credit from `from_us` up to, but not at, `to_us`.
    pub(crate) fn credit_between(&self, from_us: u64, to_us: u64) -> u64 {
        self.count_before(to_us).saturating_sub(self.count_before(from_us)) * self.credit_bytes
    }

    /// Bits per second, over the second that begins at `t_us`.
    pub fn rate_at(&self, t_us: u64) -> u64 {
        self.credit_between(t_us, t_us + RATE_WINDOW_US) * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Opportunities {
        Opportunities::new(&[0, 5, 5, 10]).expect("rising")
    }

    #[test]
    fn instants_repeat_by_adding_the_last() {
        let instants: Vec<u64> = (0..9).map(|n| trace().instant(n) / 1_000).collect();
        assert_eq!(instants, [0, 5, 5, 10, 10, 15, 15, 20, 20]);
    }

    #[test]
    fn counts_agree_with_instants_everywhere() {
        for offset in [0, 3_000, 5_000, 10_000, 12_000] {
            let trace = trace().starting_at(offset);
            for t in (0..40_000).step_by(500) {
                let first = trace.count_before(t);
                assert!(trace.instant(first) >= t, "offset {offset} at {t}");
                let before = first.checked_sub(1).map(|number| trace.instant(number));
                // Instants before the offset are folded to 0.
                assert!(before.is_none_or(|before| before < t || t == 0), "offset {offset} at {t}");
            }
        }
    }

    #[test]
    fn credit_is_scaled_and_summed() {
        assert_eq!(trace().credit_between(0, 10_000), 3 * 1_500);
        assert_eq!(trace().scaled(500).credit_between(0, 10_001), 5 * 750);
        // Four opportunities every 10 ms.
        assert_eq!(trace().rate_at(0), 400 * 1_500 * 8 - 1_500 * 8);
    }

    #[test]
    fn wrong_traces_are_refused() {
        assert_eq!(Opportunities::new(&[]), Err(TraceError::Empty));
        assert_eq!(Opportunities::new(&[0, 0]), Err(TraceError::PeriodTooShort));
        assert_eq!(Opportunities::new(&[2, 1]), Err(TraceError::NotRising { entry: 2 }));
    }
}
