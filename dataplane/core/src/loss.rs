//! What a publisher's layer still misses, and when to ask for it again.

use std::time::Duration;

use crate::units::{SeqNo, Time};

/// Missing packets remembered at most; beyond it a key frame is the better request.
const MAX_MISSING: usize = 512;
/// Packets often overtake each other by a few milliseconds; a request before that is wasted.
const REORDER_TOLERANCE: Duration = Duration::from_millis(8);
/// A request is repeated no sooner than this, however short the way.
const MIN_RETRY: Duration = Duration::from_millis(25);
/// Requests for one packet at most.
const MAX_TRIES: u8 = 10;
/// What comes later than this is of no use to a live viewer.
const GIVE_UP: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct Missing {
    seq: SeqNo,
    since: Time,
    next_request: Time,
    tries: u8,
}

/// What an arrival meant for the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The next in order, or the first of all.
    InOrder,
    /// It left a gap of this many packets.
    Gap(u64),
    /// It filled a gap; asked for this long ago (`None`: never asked).
    Filled(Option<Duration>),
    /// Older than the newest and not missed.
    Old,
}

/// Gaps of one received stream, oldest first.
#[derive(Debug, Default)]
pub struct LossLog {
    highest: Option<SeqNo>,
    missing: Vec<Missing>,
    given_up: u64,
}

impl LossLog {
    /// Notes a packet.
    pub fn receive(&mut self, now: Time, seq: SeqNo) -> Arrival {
        let Some(highest) = self.highest else {
            self.highest = Some(seq);
            return Arrival::InOrder;
        };
        if seq <= highest {
            return self.fill(now, seq);
        }
        self.highest = Some(seq);
        let gap = seq.0 - highest.0 - 1;
        if gap == 0 {
            return Arrival::InOrder;
        }
        if gap + self.missing.len() as u64 > MAX_MISSING as u64 {
            self.given_up += gap + self.missing.len() as u64;
            self.missing.clear();
            return Arrival::Gap(gap);
        }
        let next_request = now + REORDER_TOLERANCE;
        self.missing.extend((highest.0 + 1..seq.0).map(|seq| Missing {
            seq: SeqNo(seq),
            since: now,
            next_request,
            tries: 0,
        }));
        Arrival::Gap(gap)
    }

    fn fill(&mut self, now: Time, seq: SeqNo) -> Arrival {
        match self.missing.binary_search_by_key(&seq, |missing| missing.seq) {
            Ok(index) => {
                let missing = self.missing.remove(index);
                // Of several requests the first counts: were only undoubted answers measured, a round trip longer
                // than the assumed one would never be learnt, since a repeat always precedes the answer.
                Arrival::Filled((missing.tries > 0).then(|| now.since(missing.since + REORDER_TOLERANCE)))
            }
            Err(_) => Arrival::Old,
        }
    }

    /// Takes the numbers to request now, lowest first; `round_trip` spaces the repeats.
    pub fn requests(&mut self, now: Time, round_trip: Duration, out: &mut Vec<SeqNo>) {
        let retry = (round_trip + round_trip / 4).max(MIN_RETRY);
        let before = self.missing.len();
        self.missing.retain(|missing| missing.tries < MAX_TRIES && now.since(missing.since) < GIVE_UP);
        self.given_up += (before - self.missing.len()) as u64;
        for missing in self.missing.iter_mut().filter(|missing| missing.next_request <= now) {
            out.push(missing.seq);
            missing.tries += 1;
            missing.next_request = now + retry;
        }
    }

    /// When [`LossLog::requests`] has work again.
    pub fn next_timeout(&self) -> Time {
        self.missing.iter().map(|missing| missing.next_request).min().unwrap_or(Time::NEVER)
    }

    /// Another source begins: what is missing of the old one stays missing.
    pub fn restart(&mut self) {
        self.given_up += self.missing.len() as u64;
        self.missing.clear();
        self.highest = None;
    }

    /// The highest number seen.
    pub fn highest(&self) -> Option<SeqNo> {
        self.highest
    }

    /// Packets that stayed missing, so far.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    fn requested(log: &mut LossLog, at_ms: u64) -> Vec<u64> {
        let mut out = Vec::new();
        log.requests(Time::from_millis(at_ms), RTT, &mut out);
        out.into_iter().map(|seq| seq.0).collect()
    }

    #[test]
    fn asks_once_a_round_trip_from_any_start() {
        for start in [1_u64 << 16, (1 << 16) + 65_530, (1 << 17) - 2] {
            let mut log = LossLog::default();
            assert_eq!(log.receive(Time::ZERO, SeqNo(start)), Arrival::InOrder);
            assert_eq!(log.receive(Time::ZERO, SeqNo(start + 3)), Arrival::Gap(2));
            assert_eq!(requested(&mut log, 2), []);
            assert_eq!(log.next_timeout(), Time::from_millis(8));
            assert_eq!(requested(&mut log, 8), [start + 1, start + 2]);
            assert_eq!(requested(&mut log, 100), []);
            assert_eq!(
                log.receive(Time::from_millis(108), SeqNo(start + 1)),
                Arrival::Filled(Some(Duration::from_millis(100)))
            );
            assert_eq!(requested(&mut log, 133), [start + 2]);
        }
    }

    #[test]
    fn reordering_within_the_tolerance_asks_nothing() {
        let mut log = LossLog::default();
        log.receive(Time::ZERO, SeqNo(10));
        log.receive(Time::ZERO, SeqNo(12));
        assert_eq!(log.receive(Time::from_millis(5), SeqNo(11)), Arrival::Filled(None));
        assert_eq!(log.next_timeout(), Time::NEVER);
    }

    #[test]
    fn gives_up_after_a_second_and_a_hopeless_gap_at_once() {
        let mut log = LossLog::default();
        log.receive(Time::ZERO, SeqNo(10));
        log.receive(Time::ZERO, SeqNo(12));
        let mut asked = 0;
        for at in 0..2_000 {
            asked += requested(&mut log, at).len();
        }
        assert!((8..=10).contains(&asked), "{asked}");
        assert_eq!(log.given_up(), 1);
        log.receive(Time::from_millis(2_000), SeqNo(5_000));
        assert_eq!(requested(&mut log, 2_100), []);
        assert_eq!(log.given_up(), 1 + 4_987);
    }
}
