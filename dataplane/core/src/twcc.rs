//! Transport-wide feedback both ways (draft-holmer-rmcat-transport-wide-cc-extensions-01): what arrived from a
//! publisher, and what was sent to a viewer and became of it.

use std::time::Duration;

use crate::rtcp::TwccBuilder;
use crate::seq::SeqUnwrapper;
use crate::units::{SeqNo, Time};

/// How often arrivals are reported; libwebrtc's estimator works best between 50 and 100 ms.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);
/// Arrivals kept between two reports; a publisher cannot make it grow.
const MAX_ARRIVALS: usize = 2_048;

/// Arrival times of a publisher's packets since the last report.
#[derive(Debug, Default)]
pub struct ArrivalLog {
    arrivals: Vec<(SeqNo, Time)>,
    sorted: bool,
    next_report: Option<Time>,
    reported: Option<SeqNo>,
    /// Writes the reports.
    pub builder: TwccBuilder,
}

impl ArrivalLog {
    /// Notes a packet; false when there is no room for it.
    pub fn receive(&mut self, now: Time, seq: SeqNo) -> bool {
        if self.arrivals.len() >= MAX_ARRIVALS {
            return false;
        }
        self.sorted = self.arrivals.is_empty()
            || (self.sorted && self.arrivals.last().is_some_and(|last| last.0 < seq));
        self.arrivals.push((seq, now));
        self.next_report.get_or_insert(now + FEEDBACK_INTERVAL);
        true
    }

    /// When a report is due.
    pub fn next_timeout(&self) -> Time {
        self.next_report.unwrap_or(Time::NEVER)
    }

    /// Takes what the report due now says: the first packet it covers, and all arrivals in order.
    pub fn take(&mut self, now: Time) -> Option<(SeqNo, Vec<(SeqNo, Time)>)> {
        if self.next_timeout() > now {
            return None;
        }
        self.next_report = None;
        let mut arrivals = std::mem::take(&mut self.arrivals);
        if !self.sorted {
            arrivals.sort_unstable();
            arrivals.dedup_by_key(|arrival| arrival.0);
        }
        let (first, last) = (arrivals.first()?.0, arrivals.last()?.0);
        // What was missing since the last report is named as missing; what was named before and came late is told again.
        let base = self.reported.map_or(first, |reported| first.min(SeqNo(reported.0 + 1)));
        let base = if last.0 - base.0 > MAX_ARRIVALS as u64 { first } else { base };
        self.reported = Some(self.reported.map_or(last, |reported| reported.max(last)));
        Some((base, arrivals))
    }

    /// Gives the buffer of the last report back, to be filled again.
    pub fn recycle(&mut self, mut buffer: Vec<(SeqNo, Time)>) {
        if self.arrivals.is_empty() {
            buffer.clear();
            self.arrivals = buffer;
        }
    }
}

/// Outbound numbers begin one turn above zero, as [`crate::seq`] wants it.
pub const FIRST_OUT: SeqNo = SeqNo(1 << 16);
/// Sent packets whose fate a viewer may still report: at first, doubled while a turn takes less than [`REPORTED_WITHIN`].
const INITIAL_SENT: usize = 128;
const MAX_SENT: usize = 8_192;
/// A report that comes later than this tells nothing about the link as it is.
const REPORTED_WITHIN: Duration = Duration::from_millis(1_500);

/// One packet on its way to a viewer.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    seq: u32,
    bytes: u16,
    settled: bool,
    at: Time,
}

/// What a viewer's report told about one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fate {
    /// When it was sent.
    pub sent: Time,
    /// UDP payload bytes.
    pub bytes: u16,
    /// When it arrived, by the viewer's own clock; `None`: not (yet).
    pub received: Option<i64>,
}

/// What was sent to one viewer, numbered for transport-wide feedback.
#[derive(Debug)]
pub struct SendHistory {
    ring: Vec<Sent>,
    next: SeqNo,
    numbers: SeqUnwrapper,
}

impl Default for SendHistory {
    fn default() -> SendHistory {
        SendHistory { ring: Vec::new(), next: FIRST_OUT, numbers: SeqUnwrapper::default() }
    }
}

impl SendHistory {
    /// Notes a packet that leaves now under the number [`SendHistory::next_seq`]; `bytes` of UDP payload.
    pub fn send(&mut self, now: Time, bytes: usize) {
        let seq = self.next;
        self.make_room(now, seq);
        let index = self.index(seq);
        self.ring[index] = Sent { seq: seq.0 as u32, bytes: bytes as u16, settled: false, at: now };
        self.numbers.commit(seq);
        self.next = SeqNo(seq.0 + 1);
    }

    /// The number of the next packet.
    pub fn next_seq(&self) -> SeqNo {
        self.next
    }

    /// What a report says about one packet, `wire` as it names it; `None` when it was told before or is not kept.
    pub fn settle(&mut self, wire: u16, received: Option<i64>) -> Option<Fate> {
        let seq = self.numbers.peek(wire);
        let index = if self.ring.is_empty() { return None } else { self.index(seq) };
        let sent = self.ring.get_mut(index)?;
        if sent.seq != seq.0 as u32 || sent.settled || seq >= self.next {
            return None;
        }
        sent.settled = received.is_some();
        Some(Fate { sent: sent.at, bytes: sent.bytes, received })
    }

    fn index(&self, seq: SeqNo) -> usize {
        seq.0 as usize & (self.ring.len() - 1)
    }

    /// Doubles the ring when it turned too fast to remember long enough.
    fn make_room(&mut self, now: Time, seq: SeqNo) {
        if self.ring.is_empty() {
            self.ring.resize(INITIAL_SENT, Sent::default());
            return;
        }
        let displaced = self.ring[self.index(seq)];
        if displaced.seq == 0 || now.since(displaced.at) >= REPORTED_WITHIN || self.ring.len() >= MAX_SENT {
            return;
        }
        let old = std::mem::take(&mut self.ring);
        self.ring.resize(old.len() * 2, Sent::default());
        for sent in old.into_iter().filter(|sent| sent.seq != 0) {
            let index = self.index(SeqNo(u64::from(sent.seq)));
            self.ring[index] = sent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_every_interval_and_names_the_missing() {
        let mut log = ArrivalLog::default();
        assert_eq!(log.next_timeout(), Time::NEVER);
        for seq in [10, 12, 11, 15] {
            log.receive(Time::from_millis(seq), SeqNo(seq));
        }
        assert!(log.take(Time::from_millis(40)).is_none());
        let (base, arrivals) = log.take(Time::from_millis(60)).unwrap();
        assert_eq!(base, SeqNo(10));
        assert_eq!(arrivals.iter().map(|arrival| arrival.0.0).collect::<Vec<_>>(), [10, 11, 12, 15]);
        log.receive(Time::from_millis(70), SeqNo(18));
        let (base, _) = log.take(Time::from_millis(200)).unwrap();
        assert_eq!(base, SeqNo(16));
    }

    #[test]
    fn a_flood_between_reports_is_bounded() {
        let mut log = ArrivalLog::default();
        let kept = (0..100_000).filter(|seq| log.receive(Time::ZERO, SeqNo(*seq))).count();
        assert_eq!(kept, MAX_ARRIVALS);
    }

    #[test]
    fn remembers_long_enough_at_any_rate() {
        for packets_a_second in [50, 700, 2_000] {
            let mut history = SendHistory::default();
            let first = history.next_seq().0;
            let count = packets_a_second * 4;
            for number in 0..count {
                history.send(Time(number * 1_000_000 / packets_a_second), 100);
            }
            let asked = SeqNo(first + count - packets_a_second);
            assert_eq!(history.settle(asked.wire(), Some(1)).unwrap().sent, Time::from_millis(3_000));
        }
    }

    #[test]
    fn settles_each_packet_once() {
        let mut history = SendHistory::default();
        let first = history.next_seq().wire();
        history.send(Time::from_millis(1), 1_200);
        let second = history.next_seq().wire();
        history.send(Time::from_millis(2), 100);
        assert_eq!(history.settle(first, None).unwrap().received, None);
        assert_eq!(history.settle(first, Some(7)).unwrap().bytes, 1_200);
        assert_eq!(history.settle(first, Some(7)), None);
        assert_eq!(history.settle(history.next_seq().wire(), Some(7)), None);
        for _ in 0..MAX_SENT {
            history.send(Time::from_millis(3), 1);
        }
        assert_eq!(history.settle(second, Some(9)), None);
    }
}
