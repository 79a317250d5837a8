//! What lately left for one viewer and may leave again, by transport-wide number: the viewer's next report names what is
//! missing, also where the viewer's own request or the answer to it is lost.
//!
//! A gap in sound shows to its receiver with the next packet of sound that comes, to the report with the next of anything;
//! and a burst that takes several packets of sound makes no difference to it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::{SeqNo, Time};

/// Sound that leaves again later than this after it could first is not heard any more, nor are pictures shown.
const HEARD: Duration = Duration::from_millis(200);
const SHOWN: Duration = Duration::from_millis(600);
/// Packets kept at most: [`SHOWN`] of 1,000 a second.
const MAX_KEPT: usize = 600;

/// A packet that left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left {
    /// Its subscription (key in the plane's slab).
    pub subscription: usize,
    /// Its number at the viewer; of a retransmission that of the original.
    pub wire: u16,
    /// When it could first leave.
    pub since: Time,
    /// Whether it is sound.
    pub sound: bool,
}

/// Packets that may have to leave again.
#[derive(Debug, Default)]
pub struct ResendLog {
    recent: VecDeque<(SeqNo, Time, Left)>,
}

impl ResendLog {
    /// Notes a packet that leaves under the transport-wide number `number`.
    pub fn note(&mut self, now: Time, number: SeqNo, left: Left) {
        let is_full = self.recent.len() >= MAX_KEPT;
        if is_full || self.recent.front().is_some_and(|(_, at, _)| now.since(*at) > SHOWN) {
            self.recent.pop_front();
        }
        self.recent.push_back((number, now, left));
    }

    /// What left under this transport-wide number, and when, where it still is of use.
    pub fn find(&self, now: Time, number: SeqNo) -> Option<(Time, Left)> {
        let index = self.recent.binary_search_by_key(&number, |(number, ..)| *number).ok()?;
        let (_, at, left) = self.recent[index];
        let useful = if left.sound { HEARD } else { SHOWN };
        (now.since(left.since) <= useful).then_some((at, left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(ms: u64, sound: bool) -> Left {
        Left { subscription: 7, wire: ms as u16, since: Time::from_millis(ms), sound }
    }

    #[test]
    fn finds_by_transport_wide_number_while_it_is_of_use() {
        let mut log = ResendLog::default();
        (0..10)
            .for_each(|n| log.note(Time::from_millis(n * 20), SeqNo(100 + 3 * n), left(n * 20, n % 2 == 0)));
        let now = Time::from_millis(210);
        assert_eq!(log.find(now, SeqNo(112)), Some((Time::from_millis(80), left(80, true))));
        assert_eq!(log.find(now, SeqNo(113)), None, "another's");
        let late = Time::from_millis(300);
        assert_eq!(log.find(late, SeqNo(112)), None, "too late for sound");
        assert!(log.find(late, SeqNo(103)).is_some_and(|(_, left)| !left.sound));
        assert_eq!(log.find(Time::from_millis(700), SeqNo(103)), None, "too late for a picture");
    }

    #[test]
    fn keeps_no_more_than_may_be_of_use() {
        let mut log = ResendLog::default();
        (0..10_000).for_each(|n| log.note(Time::from_millis(n), SeqNo(n), left(n, false)));
        assert_eq!(log.recent.len(), MAX_KEPT);
    }
}
