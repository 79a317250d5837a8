//! Sound that lately left for one viewer, by transport-wide number: the viewer's next report names what is missing, sooner
//! than the viewer asks for it. A gap in sound shows to its receiver with the next packet of sound that comes, to the
//! report with the next of anything; and a burst that takes several packets of sound makes no difference to it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::{SeqNo, Time};

/// A repair that leaves later than this after the packet itself is not heard any more.
const USEFUL: Duration = Duration::from_millis(200);
/// Packets kept at most: [`USEFUL`] of twelve voices and more.
const MAX_KEPT: usize = 128;

#[derive(Clone, Copy, Debug)]
struct Left {
    number: SeqNo,
    at: Time,
    subscription: usize,
    wire: u16,
}

/// Sound that may have to leave again.
#[derive(Debug, Default)]
pub struct SoundLog {
    recent: VecDeque<Left>,
}

impl SoundLog {
    /// Notes a packet that leaves under the transport-wide number `number`: its subscription (key in the plane's slab) and
    /// its number at the viewer.
    pub fn note(&mut self, now: Time, number: SeqNo, subscription: usize, wire: u16) {
        let is_full = self.recent.len() >= MAX_KEPT;
        if is_full || self.recent.front().is_some_and(|left| now.since(left.at) > USEFUL) {
            self.recent.pop_front();
        }
        self.recent.push_back(Left { number, at: now, subscription, wire });
    }

    /// The sound that left under this transport-wide number, where it still is of use.
    pub fn find(&self, now: Time, number: SeqNo) -> Option<(usize, u16)> {
        let index = self.recent.binary_search_by_key(&number, |left| left.number).ok()?;
        let left = self.recent[index];
        (now.since(left.at) <= USEFUL).then_some((left.subscription, left.wire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_sound_by_its_transport_wide_number_while_it_is_of_use() {
        let mut log = SoundLog::default();
        (0..10).for_each(|n| log.note(Time::from_millis(n * 20), SeqNo(100 + 3 * n), 7, n as u16));
        let now = Time::from_millis(210);
        assert_eq!(log.find(now, SeqNo(112)), Some((7, 4)));
        assert_eq!(log.find(now, SeqNo(113)), None, "a picture's");
        assert_eq!(log.find(now, SeqNo(100)), None, "too late");
    }

    #[test]
    fn keeps_no_more_than_may_be_of_use() {
        let mut log = SoundLog::default();
        (0..10_000).for_each(|n| log.note(Time::from_millis(n), SeqNo(n), 1, 0));
        assert_eq!(log.recent.len(), MAX_KEPT);
    }
}
