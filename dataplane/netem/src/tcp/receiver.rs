//! The receiving end: cumulative and selective acknowledgements, delayed by one segment or 40 ms.

use std::collections::BTreeSet;

/// A lone segment is acknowledged after this, microseconds (Linux).
const DELAY_US: u64 = 40_000;
/// The first segments of a connection are each acknowledged at once, so that it begins quickly (Linux).
const QUICK: u64 = 16;
/// Numbers above the cumulative one that an acknowledgement tells of; the model's have room for what Linux tells over
/// several.
const MAX_TOLD: usize = 256;

/// What an acknowledgement says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ack {
    /// All segments below came.
    pub(super) next: u64,
    /// Segments above that came, the newest last.
    pub(super) above: Vec<u64>,
    /// The segment that it answers: its number and when it was sent.
    pub(super) echo: (u64, u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Receiver {
    next: u64,
    above: BTreeSet<u64>,
    /// The first segment not yet acknowledged, and until when that may wait.
    waiting: Option<((u64, u64), u64)>,
}

impl Receiver {
    /// A segment with when it was sent; an acknowledgement where one is due at once.
    pub(super) fn receive(&mut self, now_us: u64, number: u64, sent_us: u64) -> Option<Ack> {
        let in_order = number == self.next && self.above.is_empty();
        if number >= self.next {
            self.above.insert(number);
        }
        while self.above.remove(&self.next) {
            self.next += 1;
        }
        if in_order && self.next > QUICK && self.waiting.is_none() {
            self.waiting = Some(((number, sent_us), now_us + DELAY_US));
            return None;
        }
        // Every second segment, and at once while something is missing or has just been filled in (RFC 5681
        // section 4.2).
        self.waiting = None;
        Some(self.ack((number, sent_us)))
    }

    /// The acknowledgement that has waited long enough.
    pub(super) fn handle_timeout(&mut self, now_us: u64) -> Option<Ack> {
        let (echo, _) = self.waiting.take_if(|(_, until)| *until <= now_us)?;
        Some(self.ack(echo))
    }

    pub(super) fn next_timeout(&self) -> Option<u64> {
        self.waiting.map(|(_, until)| until)
    }

    fn ack(&self, echo: (u64, u64)) -> Ack {
        let mut above: Vec<u64> = self.above.iter().rev().take(MAX_TOLD).copied().collect();
        above.reverse();
        Ack { next: self.next, above, echo }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_segment_is_acknowledged_and_a_lone_one_after_40_ms() {
        let mut receiver = Receiver::default();
        for number in 0..QUICK {
            assert_eq!(receiver.receive(0, number, 0).map(|ack| ack.next), Some(number + 1));
        }
        assert_eq!(receiver.receive(0, 16, 0), None);
        assert_eq!(receiver.receive(10, 17, 5).map(|ack| ack.next), Some(18));
        assert_eq!(receiver.receive(20, 18, 6), None);
        assert_eq!(receiver.next_timeout(), Some(40_020));
        assert_eq!(receiver.handle_timeout(40_019), None);
        assert_eq!(receiver.handle_timeout(40_020), Some(Ack { next: 19, above: vec![], echo: (18, 6) }));
        assert_eq!(receiver.next_timeout(), None);
    }

    #[test]
    fn gaps_are_told_at_once() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.receive(0, 2, 0), Some(Ack { next: 0, above: vec![2], echo: (2, 0) }));
        assert_eq!(receiver.receive(0, 0, 0).map(|ack| (ack.next, ack.above)), Some((1, vec![2])));
        assert_eq!(receiver.receive(0, 1, 0).map(|ack| (ack.next, ack.above)), Some((3, vec![])));
    }
}
