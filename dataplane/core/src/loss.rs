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
/// What comes this long after it was missed is of use to a recording.
const GIVE_UP_RECORDED: Duration = Duration::from_secs(6);
/// Requests for a recording's sake are repeated no sooner than this.
const LATE_RETRY: Duration = Duration::from_millis(300);
/// Packets of a layer that are asked for so late, at most.
const MAX_LATE: usize = 128;
/// The first packet of a stream may have overtaken others that come within this time, and these may be so many.
const BEGINNING: Duration = Duration::from_millis(100);
const MAX_OVERTAKEN: u64 = 64;

#[derive(Clone, Copy, Debug)]
struct Missing {
    seq: SeqNo,
    since: Time,
    next_request: Time,
    tries: u8,
    /// Of no use any more to live viewers.
    late: bool,
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
    /// It filled a gap when only a recording can use it.
    Late,
    /// Older than the newest and not missed: given up, or here before.
    Old,
}

/// Gaps of one received stream, oldest first.
#[derive(Debug, Default)]
pub struct LossLog {
    highest: Option<SeqNo>,
    /// The lowest number, and when the first packet came.
    begun: Option<(SeqNo, Time)>,
    missing: Vec<Missing>,
    given_up: u64,
    recorded: bool,
}

impl LossLog {
    /// Notes a packet.
    pub fn receive(&mut self, now: Time, seq: SeqNo) -> Arrival {
        let Some(highest) = self.highest else {
            self.highest = Some(seq);
            self.begun = Some((seq, now));
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
            self.given_up += gap;
            self.abandon();
            return Arrival::Gap(gap);
        }
        self.missing.extend(missing_between(now, highest, seq));
        Arrival::Gap(gap)
    }

    fn fill(&mut self, now: Time, seq: SeqNo) -> Arrival {
        match self.missing.binary_search_by_key(&seq, |missing| missing.seq) {
            Ok(index) => {
                let missing = self.missing.remove(index);
                if missing.late {
                    return Arrival::Late;
                }
                // Of several requests the first counts: were only undoubted answers measured, a round trip longer
                // than the assumed one would never be learnt, since a repeat always precedes the answer.
                Arrival::Filled((missing.tries > 0).then(|| now.since(missing.since + REORDER_TOLERANCE)))
            }
            Err(_) if self.was_overtaken(now, seq) => Arrival::Filled(None),
            Err(_) => Arrival::Old,
        }
    }

    /// Whether the stream begins with this packet and not with the one that came first; then what lies between is missing.
    fn was_overtaken(&mut self, now: Time, seq: SeqNo) -> bool {
        let Some((first, at)) = self.begun else { return false };
        let distance = first.0.saturating_sub(seq.0);
        if !(1..=MAX_OVERTAKEN).contains(&distance) || now.since(at) > BEGINNING {
            return false;
        }
        self.begun = Some((seq, at));
        self.missing.splice(..0, missing_between(now, seq, first));
        true
    }

    /// Takes the numbers to request now, lowest first; `round_trip` spaces the repeats.
    pub fn requests(&mut self, now: Time, round_trip: Duration, out: &mut Vec<SeqNo>) {
        let retry = (round_trip + round_trip / 4).max(MIN_RETRY);
        self.expire(now);
        for missing in self.missing.iter_mut().filter(|missing| missing.next_request <= now) {
            out.push(missing.seq);
            missing.tries = missing.tries.saturating_add(1);
            missing.next_request = now + if missing.late { retry.max(LATE_RETRY) } else { retry };
        }
    }

    /// Lets go what is too old to ask for: for live viewers, and for a recording.
    fn expire(&mut self, now: Time) {
        let (mut given_up, mut late) = (0, 0);
        let recorded = self.recorded;
        self.missing.retain_mut(|missing| {
            let age = now.since(missing.since);
            if !missing.late && missing.tries < MAX_TRIES && age < GIVE_UP {
                return true;
            }
            given_up += u64::from(!missing.late);
            if !missing.late {
                missing.next_request = now;
            }
            missing.late = true;
            late += 1;
            recorded && age < GIVE_UP_RECORDED && late <= MAX_LATE
        });
        self.given_up += given_up;
    }

    /// Nothing of what is missing will come.
    fn abandon(&mut self) {
        self.given_up += self.missing.iter().filter(|missing| !missing.late).count() as u64;
        self.missing.clear();
    }

    /// Whether a recorder takes what comes too late for live viewers: then it is asked for somewhat longer.
    pub fn set_recorded(&mut self, recorded: bool) {
        self.recorded = recorded;
    }

    /// Whether this packet is missed by a recording alone.
    pub fn misses_late(&self, seq: SeqNo) -> bool {
        let found = self.missing.binary_search_by_key(&seq, |missing| missing.seq);
        found.is_ok_and(|index| self.missing[index].late)
    }

    /// When [`LossLog::requests`] has work again.
    pub fn next_timeout(&self) -> Time {
        self.missing.iter().map(|missing| missing.next_request).min().unwrap_or(Time::NEVER)
    }

    /// Another source begins: what is missing of the old one stays missing.
    pub fn restart(&mut self) {
        self.abandon();
        self.highest = None;
        self.begun = None;
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

/// What two neighbours in order of arrival left out, missing from now on.
fn missing_between(now: Time, low: SeqNo, high: SeqNo) -> impl Iterator<Item = Missing> {
    let next_request = now + REORDER_TOLERANCE;
    (low.0 + 1..high.0).map(move |seq| Missing {
        seq: SeqNo(seq),
        since: now,
        next_request,
        tries: 0,
        late: false,
    })
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
    fn what_the_first_packet_overtook_belongs_to_the_stream() {
        let mut log = LossLog::default();
        log.receive(Time::ZERO, SeqNo(70_000));
        log.receive(Time::ZERO, SeqNo(70_002));
        let soon = Time::from_millis(90);
        assert_eq!(log.receive(soon, SeqNo(69_997)), Arrival::Filled(None));
        assert_eq!(requested(&mut log, 98), [69_998, 69_999, 70_001]);
        assert_eq!(log.receive(soon, SeqNo(69_999)), Arrival::Filled(Some(Duration::ZERO)));
        assert_eq!(log.receive(soon, SeqNo(69_900)), Arrival::Old, "far below");
        assert_eq!(log.receive(Time::from_millis(101), SeqNo(69_996)), Arrival::Old, "later than that");
    }

    #[test]
    fn asks_longer_for_a_recording_and_says_when_it_is_late() {
        let mut log = LossLog::default();
        log.set_recorded(true);
        log.receive(Time::ZERO, SeqNo(10));
        log.receive(Time::ZERO, SeqNo(13));
        let asked: Vec<u64> = (0..8_000).filter(|at| !requested(&mut log, *at).is_empty()).collect();
        assert!(asked.last().is_some_and(|last| (5_600..6_000).contains(last)), "{asked:?}");
        assert!(asked.len() <= 10 + 17, "{}", asked.len());
        assert_eq!((log.given_up(), log.next_timeout()), (2, Time::NEVER));
        log.receive(Time::from_millis(9_000), SeqNo(15));
        requested(&mut log, 10_500);
        assert!(log.misses_late(SeqNo(14)) && !log.misses_late(SeqNo(12)));
        assert_eq!(log.receive(Time::from_millis(12_000), SeqNo(14)), Arrival::Late);
        assert_eq!(log.receive(Time::from_millis(12_001), SeqNo(14)), Arrival::Old);
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
