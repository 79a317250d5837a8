//! What left for one viewer, found by the viewer's numbers: for retransmission, and so that no number leaves twice.

use std::time::Duration;

use loupe_prefetch::prefetch;

use crate::seq::{SeqUnwrapper, Unwrapper, distance16};
use crate::units::{SeqNo, Time};

/// Packets remembered at first; doubled while a turn of the ring takes less than [`KEPT`].
const INITIAL_SLOTS: usize = 64;
/// More is never kept: 4 s of 1,000 packets a second.
const MAX_SLOTS: usize = 4_096;
/// How far back a viewer may ask.
const KEPT: Duration = Duration::from_millis(1_500);
/// One packet is sent again at most this often: of 10 % loss a hundred thousandth is left then.
const MAX_ANSWERS: u8 = 4;
/// A request that follows an answer sooner is about the same loss.
const MIN_ANSWER_SPACING: Duration = Duration::from_millis(10);

/// A packet as it left. Small, because every forwarded packet touches one: lower parts of the numbers are enough where
/// all that is kept lies close together.
#[derive(Clone, Copy, Debug)]
struct Sent {
    /// Its number at the viewer, lower half.
    out: u32,
    /// Its number at the publisher, lower half.
    seq: u32,
    /// When it was last sent again: milliseconds, lowest 16 bits. They wrap after 65 s, and nothing is asked for so long.
    answered_ms: u16,
    /// How often it was sent again, or [`FORGOTTEN`].
    answers: u8,
    /// Its layer, or [`UNUSED`].
    layer: u8,
}

/// In a place where no packet was put so far. There are no such layers.
const UNUSED: u8 = u8::MAX;

impl Default for Sent {
    fn default() -> Sent {
        Sent { out: 0, seq: 0, answered_ms: 0, answers: 0, layer: UNUSED }
    }
}

impl Sent {
    /// Whether it is the packet of this number at the viewer.
    fn is(&self, out: u64) -> bool {
        self.layer != UNUSED && self.out == out as u32
    }
}

/// What is to leave again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Its number at the viewer.
    pub out: SeqNo,
    /// Its layer.
    pub layer: u8,
    /// Its number at the publisher.
    pub original: SeqNo,
    /// How often it leaves again, with this time.
    pub times: u8,
}

/// Why a packet is to leave again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// It was asked for: what was sent again a moment ago may still come.
    Asked,
    /// A report says that what left up to this moment is lost.
    Lost(Time),
    /// What was sent again leaves twice, so that one may be lost.
    Copy,
}

/// An unwrapper counts from one turn above zero.
const UNWRAPPED_FROM: u64 = 1 << 32;
/// Not to be sent again.
const FORGOTTEN: u8 = u8::MAX;

/// What left since the last change of layer.
#[derive(Debug)]
pub struct SentLog {
    /// Stays empty where nothing is sent again.
    ring: Vec<Sent>,
    answers: bool,
    /// Bit n: the n-th number below the newest left.
    recent: u64,
    numbers: SeqUnwrapper,
    /// Finds the upper half of the publisher's numbers again.
    originals: Unwrapper<32>,
    turned: Time,
    /// Whether anything below this left is no longer known.
    floor: u64,
}

impl SentLog {
    /// A log of nothing yet; without `answers` it only keeps numbers from leaving twice.
    pub fn new(answers: bool) -> SentLog {
        SentLog {
            ring: Vec::new(),
            answers,
            recent: 0,
            numbers: SeqUnwrapper::default(),
            originals: Unwrapper::default(),
            turned: Time::ZERO,
            floor: 0,
        }
    }

    /// Notes a packet; false when one of this number left before, or may have (then it must not leave again).
    pub fn note(&mut self, now: Time, out: SeqNo, layer: u8, seq: SeqNo) -> bool {
        if !self.answers {
            return self.note_number(out);
        }
        let newest = self.numbers.newest();
        if newest.is_none_or(|newest| out > newest) {
            self.make_room(now, out);
        } else if out.0 < self.floor
            || newest.is_some_and(|newest| out.0 + self.ring.len() as u64 <= newest.0)
        {
            return false;
        }
        let index = self.index(out.0);
        let entry = &mut self.ring[index];
        if entry.is(out.0) {
            return false;
        }
        *entry = Sent { out: out.0 as u32, seq: seq.0 as u32, answered_ms: 0, answers: 0, layer };
        self.numbers.commit(out);
        self.originals.commit(seq.0 + UNWRAPPED_FROM);
        true
    }

    fn note_number(&mut self, out: SeqNo) -> bool {
        let Some(newest) = self.numbers.newest() else {
            self.recent = 1;
            self.numbers.commit(out);
            return true;
        };
        if let Some(ahead) = out.0.checked_sub(newest.0).filter(|ahead| *ahead > 0) {
            self.recent = self.recent.checked_shl(ahead.min(64) as u32).unwrap_or(0) | 1;
            self.numbers.commit(out);
            return true;
        }
        let bit = 1_u64.checked_shl((newest.0 - out.0).min(64) as u32).unwrap_or(0);
        let new = bit != 0 && self.recent & bit == 0;
        self.recent |= bit;
        new
    }

    /// The packet sent `back` numbers before the newest, if it may be sent again: its number, layer and number at the
    /// publisher.
    pub fn recent(&self, back: u64) -> Option<(SeqNo, u8, SeqNo)> {
        let out = self.numbers.newest()?.0.checked_sub(back)?;
        let entry = self.ring.get(if self.ring.is_empty() { return None } else { self.index(out) })?;
        let sent = entry.is(out) && entry.answers != FORGOTTEN;
        sent.then(|| (SeqNo(out), entry.layer, SeqNo(self.originals.peek(entry.seq) - UNWRAPPED_FROM)))
    }

    /// Nothing before this may be asked again; that it left is still known.
    pub fn forget(&mut self) {
        self.ring.iter_mut().for_each(|entry| entry.answers = FORGOTTEN);
    }

    /// The packet that is to leave again, unless it did too lately or too often. A request does not count for as long as an
    /// earlier answer is `on_its_way`.
    pub fn answer(&mut self, now: Time, (wire, again): (u16, Again), on_its_way: Duration) -> Option<Answer> {
        let out = self.numbers.peek(wire);
        let originals = self.originals;
        let index = if self.ring.is_empty() { return None } else { self.index(out.0) };
        let entry = self.ring.get_mut(index).filter(|entry| entry.is(out.0))?;
        let millis = |at: Time| (at.micros() / 1_000) as u16;
        let now_ms = millis(now);
        let may_come = match again {
            Again::Asked => {
                let spacing = on_its_way.max(MIN_ANSWER_SPACING).as_millis();
                // What was answered more than half a turn ago seems to be so in the future.
                u128::try_from(distance16(entry.answered_ms, now_ms)).is_ok_and(|since| since < spacing)
            }
            Again::Lost(at) => distance16(millis(at), entry.answered_ms) > 0,
            Again::Copy => false,
        };
        let too_soon = entry.answers > 0 && may_come;
        if entry.answers >= MAX_ANSWERS || too_soon {
            return None;
        }
        if again != Again::Copy {
            entry.answers += 1;
            entry.answered_ms = now_ms;
        }
        let original = SeqNo(originals.peek(entry.seq) - UNWRAPPED_FROM);
        Some(Answer { out, layer: entry.layer, original, times: entry.answers })
    }

    /// The next packet is about to be noted.
    pub fn prefetch(&self) {
        if let Some(newest) = self.numbers.newest().filter(|_| !self.ring.is_empty()) {
            prefetch(&self.ring[self.index(newest.0 + 1)]);
        }
    }

    fn index(&self, out: u64) -> usize {
        out as usize & (self.ring.len() - 1)
    }

    /// Doubles the ring when it turned too fast to remember long enough.
    fn make_room(&mut self, now: Time, out: SeqNo) {
        if self.ring.is_empty() {
            self.ring.resize(INITIAL_SLOTS, Sent::default());
            self.turned = now;
        } else if self.index(out.0) == 0 {
            if now.since(self.turned) < KEPT && self.ring.len() < MAX_SLOTS {
                let newest = self.numbers.newest().unwrap_or(out);
                self.floor = (newest.0 + 1).saturating_sub(self.ring.len() as u64);
                let old = std::mem::take(&mut self.ring);
                self.ring.resize(old.len() * 2, Sent::default());
                for entry in old.into_iter().filter(|entry| entry.layer != UNUSED) {
                    let index = self.index(u64::from(entry.out));
                    self.ring[index] = entry;
                }
            }
            self.turned = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    #[test]
    fn a_number_leaves_once() {
        let mut log = SentLog::new(true);
        assert!(log.note(Time::ZERO, SeqNo(70_000), 0, SeqNo(5)));
        assert!(!log.note(Time::ZERO, SeqNo(70_000), 0, SeqNo(6)));
        log.forget();
        assert!(!log.note(Time::ZERO, SeqNo(70_000), 1, SeqNo(6)));
        assert!(log.note(Time::ZERO, SeqNo(70_000 + MAX_SLOTS as u64), 0, SeqNo(7)));
        assert!(!log.note(Time::ZERO, SeqNo(70_000), 0, SeqNo(5)));
    }

    #[test]
    fn without_answers_a_number_leaves_once_too() {
        let mut log = SentLog::new(false);
        for (out, new) in [(70_000, true), (70_000, false), (70_003, true), (70_001, true), (70_001, false)] {
            assert_eq!(log.note(Time::ZERO, SeqNo(out), 0, SeqNo(1)), new, "{out}");
        }
        assert!(log.note(Time::ZERO, SeqNo(70_200), 0, SeqNo(1)));
        assert!(!log.note(Time::ZERO, SeqNo(70_003), 0, SeqNo(1)));
        assert_eq!(log.answer(Time::ZERO, (SeqNo(70_200).wire(), Again::Asked), RTT), None);
    }

    #[test]
    fn answers_a_request_four_times_and_not_while_an_answer_is_on_its_way() {
        let mut log = SentLog::new(true);
        log.note(Time::ZERO, SeqNo(70_000), 2, SeqNo(5));
        let wire = SeqNo(70_000).wire();
        let answer = |log: &mut SentLog, ms| log.answer(Time::from_millis(ms), (wire, Again::Asked), RTT);
        let first = Answer { out: SeqNo(70_000), layer: 2, original: SeqNo(5), times: 1 };
        assert_eq!(answer(&mut log, 100), Some(first));
        assert_eq!(answer(&mut log, 120), None);
        for (ms, times) in [(150, 2), (200, 3), (250, 4)] {
            assert_eq!(answer(&mut log, ms), Some(Answer { times, ..first }));
        }
        assert_eq!(answer(&mut log, 900), None);
        assert_eq!(log.answer(Time::ZERO, (1, Again::Asked), RTT), None);
    }

    #[test]
    fn what_is_known_to_be_lost_need_not_wait_for_a_request_and_a_copy_counts_for_nothing() {
        let mut log = SentLog::new(true);
        log.note(Time::ZERO, SeqNo(70_000), 2, SeqNo(5));
        let mut answer =
            |ms, again| log.answer(Time::from_millis(ms), (SeqNo(70_000).wire(), again), RTT).is_some();
        assert!(answer(100, Again::Lost(Time::ZERO)));
        assert!(!answer(105, Again::Lost(Time::from_millis(80))), "what left since may come");
        assert!(answer(110, Again::Lost(Time::from_millis(100))));
        assert!((0..9).all(|_| answer(111, Again::Copy)));
        assert!(!answer(120, Again::Asked) && answer(160, Again::Asked));
    }

    #[test]
    fn remembers_long_enough_at_any_rate() {
        for packets_a_second in [50, 700, 2_000] {
            let mut log = SentLog::new(true);
            let count = packets_a_second * 4;
            for number in 0..count {
                let at = Time(number * 1_000_000 / packets_a_second);
                assert!(log.note(at, SeqNo(70_000 + number), 0, SeqNo(5_000_000_000 + number)));
            }
            let asked = count - packets_a_second;
            let answer =
                log.answer(Time::from_millis(4_000), (SeqNo(70_000 + asked).wire(), Again::Asked), RTT);
            let (out, original) = (SeqNo(70_000 + asked), SeqNo(5_000_000_000 + asked));
            assert_eq!(answer, Some(Answer { out, layer: 0, original, times: 1 }));
        }
    }

    #[test]
    fn nothing_from_before_a_switch_is_sent_again() {
        let mut log = SentLog::new(true);
        log.note(Time::ZERO, SeqNo(70_000), 2, SeqNo(5));
        log.forget();
        assert_eq!(log.answer(Time::from_millis(5), (SeqNo(70_000).wire(), Again::Asked), RTT), None);
    }
}
