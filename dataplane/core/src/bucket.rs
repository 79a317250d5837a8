//! Token bucket: a rate with a burst.

use crate::units::Time;

/// Refuses what exceeds `rate` a second after `burst` at once.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    rate: u64,
    burst: u64,
    micro_tokens: u64,
    updated: Time,
}

const MICRO: u64 = 1_000_000;

impl TokenBucket {
    /// Full at `now`.
    pub fn new(now: Time, rate: u64, burst: u64) -> TokenBucket {
        TokenBucket { rate, burst, micro_tokens: burst * MICRO, updated: now }
    }

    /// Changes rate and burst; what is missing from a full bucket stays missing, however often this is called.
    pub fn set_rate(&mut self, rate: u64, burst: u64) {
        self.micro_tokens = (self.micro_tokens + burst * MICRO).saturating_sub(self.burst * MICRO);
        self.rate = rate;
        self.burst = burst;
    }

    /// Takes `amount` if it is there.
    pub fn take(&mut self, now: Time, amount: u64) -> bool {
        let elapsed = now.since(self.updated).as_micros() as u64;
        self.updated = self.updated.max(now);
        self.micro_tokens =
            self.micro_tokens.saturating_add(elapsed.saturating_mul(self.rate)).min(self.burst * MICRO);
        let wanted = amount * MICRO;
        if self.micro_tokens < wanted {
            return false;
        }
        self.micro_tokens -= wanted;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_the_burst_through_and_then_the_rate() {
        let mut bucket = TokenBucket::new(Time::ZERO, 10, 5);
        let at_once = (0..100).filter(|_| bucket.take(Time::ZERO, 1)).count();
        assert_eq!(at_once, 5);
        let in_ten_seconds = (0..10_000).filter(|ms| bucket.take(Time::from_millis(*ms), 1)).count();
        assert!((99..=100).contains(&in_ten_seconds), "{in_ten_seconds}");
    }

    #[test]
    fn a_change_of_rate_gives_nothing_away() {
        let mut bucket = TokenBucket::new(Time::ZERO, 0, 0);
        bucket.set_rate(10, 100);
        assert!(bucket.take(Time::ZERO, 100));
        for _ in 0..10 {
            bucket.set_rate(12, 120);
            bucket.set_rate(10, 100);
        }
        assert!(!bucket.take(Time::ZERO, 1));
    }
}
