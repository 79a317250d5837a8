//! Sequence numbers of one received stream: what is missing, when to ask for it, when to give it up.

use std::collections::BTreeMap;
use std::time::Duration;

use loupe_core::seq::SeqUnwrapper;
use loupe_core::units::{SeqNo, Time};

/// A gap is asked about after this, for packets may have overtaken each other.
const ASK_AFTER: Duration = Duration::from_millis(10);
/// A request is repeated no sooner than this, and no sooner than a round trip.
const LEAST_REPEAT: Duration = Duration::from_millis(40);
/// What is missing for longer is given up.
pub const GIVE_UP: Duration = Duration::from_millis(800);
/// A longer gap is a new beginning, not loss.
const MAX_GAP: u64 = 1_000;
/// Round trip assumed before the first measurement.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
struct Missing {
    since: Time,
    first_asked: Option<Time>,
    next: Time,
    tries: u32,
}

/// The numbers of one stream.
#[derive(Debug)]
pub struct Numbers {
    asks: bool,
    unwrapper: SeqUnwrapper,
    first: Option<u64>,
    missing: BTreeMap<u64, Missing>,
    round_trip: Option<Duration>,
    /// Packets that came, each once; for reports.
    pub received: u64,
    /// Requests for packets.
    pub asked: u64,
}

impl Numbers {
    /// Nothing received; `asks` says whether missing packets can be asked for.
    pub fn new(asks: bool) -> Numbers {
        Numbers {
            asks,
            unwrapper: SeqUnwrapper::new(),
            first: None,
            missing: BTreeMap::new(),
            round_trip: None,
            received: 0,
            asked: 0,
        }
    }

    /// A packet; its unwrapped number, or `None` when it was here or is of no use any more.
    pub fn receive(&mut self, now: Time, wire: u16, repaired: bool) -> Option<u64> {
        let seq = self.unwrapper.peek(wire).0;
        let Some(highest) = self.unwrapper.newest().map(|newest| newest.0) else {
            self.first = Some(seq);
            return Some(self.take(seq));
        };
        if seq <= highest {
            let missing = self.missing.remove(&seq)?;
            // Which of several requests is answered nobody knows; but a round trip longer than the assumed one would never
            // be learnt from single ones, since a repeat always precedes the answer.
            let telling = missing.tries == 1 || self.round_trip.is_none();
            if let Some(asked) = missing.first_asked.filter(|_| repaired && telling) {
                let measured = now.since(asked);
                self.round_trip = Some(self.round_trip.map_or(measured, |old| (old * 7 + measured) / 8));
            }
            return Some(self.take(seq));
        }
        if seq - highest > MAX_GAP {
            self.missing.clear();
        } else {
            let missing = Missing { since: now, first_asked: None, next: now + ASK_AFTER, tries: 0 };
            self.missing.extend((highest + 1..seq).map(|lost| (lost, missing)));
        }
        Some(self.take(seq))
    }

    fn take(&mut self, seq: u64) -> u64 {
        self.unwrapper.commit(SeqNo(seq));
        self.received += 1;
        seq
    }

    /// Numbers to ask for now, as on the wire.
    pub fn due(&mut self, now: Time) -> Vec<u16> {
        if !self.asks {
            return Vec::new();
        }
        let repeat = self.round_trip().max(LEAST_REPEAT);
        let mut wanted = Vec::new();
        for (seq, missing) in &mut self.missing {
            if missing.next > now || now.since(missing.since) >= GIVE_UP {
                continue;
            }
            missing.first_asked.get_or_insert(now);
            missing.tries += 1;
            missing.next = now + repeat;
            wanted.push(SeqNo(*seq).wire());
        }
        self.asked += wanted.len() as u64;
        wanted
    }

    /// When [`Numbers::due`] has something.
    pub fn next_timeout(&self) -> Time {
        let asked = self.missing.values().filter(|missing| missing.next < missing.since + GIVE_UP);
        asked.map(|missing| missing.next).min().filter(|_| self.asks).unwrap_or(Time::NEVER)
    }

    /// What is below `seq` is of no use any more.
    pub fn forget_below(&mut self, seq: u64) {
        self.missing = self.missing.split_off(&seq);
    }

    /// From a request to its answer.
    pub fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(FIRST_ROUND_TRIP)
    }

    /// Highest number, and how many there were from the first to it.
    pub fn extent(&self) -> Option<(u64, u64)> {
        let highest = self.unwrapper.newest()?.0;
        Some((highest, highest - self.first? + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn asks_after_10_ms_repeats_after_a_round_trip_and_gives_up() {
        let mut numbers = Numbers::new(true);
        numbers.receive(ms(0), 65_534, false);
        numbers.receive(ms(20), 1, false);
        assert_eq!(numbers.next_timeout(), ms(30));
        assert!(numbers.due(ms(29)).is_empty());
        assert_eq!(numbers.due(ms(30)), [65_535, 0]);
        // 100 ms are assumed.
        assert_eq!((numbers.due(ms(129)), numbers.next_timeout()), (vec![], ms(130)));
        assert_eq!(numbers.due(ms(130)), [65_535, 0]);
        let mut asked = 2;
        while numbers.next_timeout() < Time::NEVER {
            let at = numbers.next_timeout();
            assert!(at < ms(820));
            numbers.due(at);
            asked += 1;
        }
        assert_eq!(asked, 8);
        assert!(numbers.receive(ms(900), 0, true).is_some(), "late, but it is not here yet");
        assert!(numbers.receive(ms(901), 0, true).is_none());
    }

    #[test]
    fn measures_the_round_trip_by_answers_to_single_requests() {
        let mut numbers = Numbers::new(true);
        numbers.receive(ms(0), 10, false);
        numbers.receive(ms(0), 12, false);
        numbers.due(ms(10));
        numbers.receive(ms(70), 11, true);
        assert_eq!(numbers.round_trip(), Duration::from_millis(60));
    }

    #[test]
    fn learns_a_round_trip_longer_than_the_assumed_one() {
        let mut numbers = Numbers::new(true);
        numbers.receive(ms(0), 10, false);
        numbers.receive(ms(0), 12, false);
        (10..610).step_by(100).for_each(|at| assert_eq!(numbers.due(ms(at)), [11]));
        numbers.receive(ms(610), 11, true);
        assert_eq!(numbers.round_trip(), Duration::from_millis(600));
    }

    #[test]
    fn what_is_forgotten_is_not_asked_for_and_not_taken() {
        let mut numbers = Numbers::new(true);
        let first = numbers.receive(ms(0), 10, false).unwrap();
        numbers.receive(ms(0), 20, false);
        numbers.forget_below(first + 5);
        assert_eq!(numbers.due(ms(10)), [15, 16, 17, 18, 19]);
        assert_eq!(numbers.receive(ms(11), 12, true), None);
        assert_eq!(numbers.extent(), Some((first + 10, 11)));
    }

    #[test]
    fn who_cannot_ask_does_not() {
        let mut numbers = Numbers::new(false);
        numbers.receive(ms(0), 10, false);
        numbers.receive(ms(0), 12, false);
        assert_eq!((numbers.next_timeout(), numbers.due(ms(10))), (Time::NEVER, vec![]));
    }
}
