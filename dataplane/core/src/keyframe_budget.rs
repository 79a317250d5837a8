//! What the losses of one viewer may cost those who share a layer with them: every key frame is larger than what it replaces
//! and comes to all.

use std::time::Duration;

use crate::bucket::TokenBucket;
use crate::units::Time;

/// Key frames that a viewer gets at once for itself, and a minute.
const AT_ONCE: u64 = 2;
const A_MINUTE: u64 = 2;
/// One that it was granted may be on its way for so long.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// Requests of several viewers within this have one cause: the publisher's loss, not theirs.
const TOGETHER: Duration = Duration::from_secs(1);
/// A request so soon after the last says nothing new.
const REPEATED: Duration = Duration::from_millis(50);
/// Tokens are seconds, of which one key frame takes so many.
const SECONDS: u64 = 60 / A_MINUTE;

/// The key frames that one viewer asks for while it is sent a layer.
#[derive(Clone, Debug)]
pub struct KeyframeBudget {
    seconds: TokenBucket,
    asked: Option<Time>,
    granted: Option<Time>,
}

impl KeyframeBudget {
    /// A viewer that asked for none so far.
    pub fn new(now: Time) -> KeyframeBudget {
        KeyframeBudget { seconds: TokenBucket::new(now, 1, AT_ONCE * SECONDS), asked: None, granted: None }
    }

    /// The viewer asks; false when it did so just before.
    pub fn ask(&mut self, now: Time) -> bool {
        let anew = self.asked.is_none_or(|at| now.since(at) >= REPEATED);
        if anew {
            self.asked = Some(now);
        }
        anew
    }

    /// Whether it asked so lately that others who ask now have the same reason.
    pub fn has_asked(&self, now: Time) -> bool {
        self.asked.is_some_and(|at| now.since(at) <= TOGETHER)
    }

    /// Whether one that it was granted may be on its way.
    pub fn awaits(&self, now: Time) -> bool {
        self.granted.is_some_and(|at| now.since(at) < UNDER_WAY)
    }

    /// Whether all that it may have at once is there again.
    pub fn is_whole(&self, now: Time) -> bool {
        self.granted.is_none_or(|at| now.since(at) >= Duration::from_secs(AT_ONCE * SECONDS))
    }

    /// Takes a key frame for the viewer alone, if it may have one.
    pub fn take(&mut self, now: Time) -> bool {
        let granted = self.seconds.take(now, SECONDS);
        if granted {
            self.granted = Some(now);
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_two_and_then_two_a_minute() {
        let mut budget = KeyframeBudget::new(Time::ZERO);
        assert!(budget.is_whole(Time::ZERO));
        let granted: Vec<u64> =
            (0..1_200).map(|n| n * 100).filter(|ms| budget.take(Time::from_millis(*ms))).collect();
        assert_eq!(granted, [0, 100, 30_000, 60_000, 90_000]);
        assert!(budget.awaits(Time::from_millis(90_999)) && !budget.awaits(Time::from_millis(91_000)));
        assert!(!budget.is_whole(Time::from_millis(149_999)) && budget.is_whole(Time::from_millis(150_000)));
    }

    #[test]
    fn what_is_repeated_at_once_is_one_request() {
        let mut budget = KeyframeBudget::new(Time::ZERO);
        assert!(!budget.has_asked(Time::ZERO) && budget.ask(Time::from_millis(100)));
        assert!(!budget.ask(Time::from_millis(149)) && budget.ask(Time::from_millis(150)));
        assert!(budget.has_asked(Time::from_millis(1_150)) && !budget.has_asked(Time::from_millis(1_151)));
    }
}
