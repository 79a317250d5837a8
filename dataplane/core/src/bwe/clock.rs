//! The viewer's clock against ours: an offset that is held, so that differences of delays mean something.

use crate::units::Time;

/// A clock that is further off than this from what it was has been set anew, microseconds.
const JUMP_US: i64 = 30_000_000;

/// What to add to the viewer's clock to get near ours.
#[derive(Clone, Copy, Debug, Default)]
pub struct ViewerClock {
    offset: Option<i64>,
}

impl ViewerClock {
    /// Looks at the newest arrival of a report that came now; true when the clock is another than before.
    pub fn follow(&mut self, now: Time, arrival: i64) -> bool {
        let offset = (now.0 as i64).saturating_sub(arrival);
        let jumps =
            self.offset.is_none_or(|known| known.saturating_sub(offset).unsigned_abs() > JUMP_US as u64);
        if jumps {
            self.offset = Some(offset);
        }
        jumps
    }

    /// An arrival by a clock near ours; `None` for one that is so far from now that it is a lie.
    pub fn ours(&self, now: Time, arrival: i64) -> Option<i64> {
        let ours = arrival.saturating_add(self.offset?);
        (ours.saturating_sub(now.0 as i64).unsigned_abs() <= 2 * JUMP_US as u64).then_some(ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_differences_and_notices_a_clock_that_jumps() {
        let mut clock = ViewerClock::default();
        assert!(clock.follow(Time::from_millis(5_000), -9_000_000_000));
        assert_eq!(clock.ours(Time::from_millis(5_000), -9_000_030_000), Some(4_970_000));
        assert!(!clock.follow(Time::from_millis(6_000), -8_999_200_000));
        assert_eq!(clock.ours(Time::from_millis(6_000), i64::MIN), None);
        assert!(clock.follow(Time::from_millis(7_000), i64::MAX));
        assert_eq!(clock.ours(Time::from_millis(7_000), i64::MAX - 1_000), Some(6_999_000));
    }
}
