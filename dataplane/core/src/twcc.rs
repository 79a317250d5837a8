//! Transport-wide feedback both ways (draft-holmer-rmcat-transport-wide-cc-extensions-01): what arrived from a
//! publisher, and what was sent to a viewer and became of it.

use std::time::Duration;

use loupe_prefetch::prefetch;

use crate::rtcp::TwccBuilder;
use crate::seq::{SeqUnwrapper, Unwrapper};
use crate::units::{SeqNo, Time};

/// How often arrivals are reported: libwebrtc's estimator works best between 50 and 100 ms. Where that would take more than
/// [`REPORT_SHARE`] of what is reported on, less often.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);
const MAX_FEEDBACK_INTERVAL: Duration = Duration::from_millis(250);
/// Reports take at most this share of the bandwidth (RFC 3550 section 6.2), in percent.
const REPORT_SHARE: usize = 5;
/// Bytes of a report beside two for each packet: headers of IP, UDP and RTCP, the report's own, and SRTCP's trailer.
const REPORT_BYTES: usize = 28 + 20 + 18;
/// Arrivals kept between two reports; a publisher cannot make it grow.
const MAX_ARRIVALS: usize = 2_048;

/// Arrival times of a publisher's packets since the last report.
#[derive(Debug)]
pub struct ArrivalLog {
    arrivals: Vec<(SeqNo, Time)>,
    /// Of all arrivals since the last report.
    bytes: usize,
    interval: Duration,
    sorted: bool,
    next_report: Option<Time>,
    reported: Option<SeqNo>,
    /// Writes the reports.
    pub builder: TwccBuilder,
}

impl Default for ArrivalLog {
    fn default() -> ArrivalLog {
        ArrivalLog {
            arrivals: Vec::new(),
            bytes: 0,
            interval: FEEDBACK_INTERVAL,
            sorted: false,
            next_report: None,
            reported: None,
            builder: TwccBuilder::default(),
        }
    }
}

impl ArrivalLog {
    /// Notes a packet of `bytes`; false when there is no room for it.
    pub fn receive(&mut self, now: Time, seq: SeqNo, bytes: usize) -> bool {
        if self.arrivals.len() >= MAX_ARRIVALS {
            return false;
        }
        self.sorted = self.arrivals.is_empty()
            || (self.sorted && self.arrivals.last().is_some_and(|last| last.0 < seq));
        self.arrivals.push((seq, now));
        self.bytes += bytes;
        self.next_report.get_or_insert(now + self.interval);
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
        self.fit_interval();
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

    /// Reports become rarer while they are a burden, and as often as before when they are none.
    fn fit_interval(&mut self) {
        let report = REPORT_BYTES + 2 * self.arrivals.len();
        let burden = report * 100 > std::mem::take(&mut self.bytes) * REPORT_SHARE;
        let next = if burden { self.interval * 5 / 4 } else { self.interval * 7 / 8 };
        self.interval = next.clamp(FEEDBACK_INTERVAL, MAX_FEEDBACK_INTERVAL);
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
/// Of eight bytes each, those of 50 ms lie on up to three lines of cache.
const REPORTED_AHEAD: [u64; 3] = [0, 8, 16];

/// What is known of a packet that was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Known {
    #[default]
    Nothing,
    Missing,
    Received,
}

/// One packet on its way to a viewer. Small, because every packet that leaves writes one; its number is that of its place.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    /// When, in microseconds, lower half.
    at: u32,
    bytes: u16,
    known: Known,
    cluster: u8,
}

/// An unwrapper counts from one turn above zero.
const UNWRAPPED_FROM: u64 = 1 << 32;
/// After such a pause nothing of before is reported any more; it is well below half a turn of [`Sent::at`].
const LONG_PAUSE: Duration = Duration::from_mins(10);

/// What a viewer's report told about one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fate {
    /// Its transport-wide number.
    pub seq: SeqNo,
    /// When it was sent.
    pub sent: Time,
    /// UDP payload bytes.
    pub bytes: u16,
    /// The probe cluster it was sent with; 0: none.
    pub cluster: u8,
    /// When it arrived, by the viewer's own clock in microseconds; `None`: not (yet).
    pub received: Option<i64>,
    /// Whether an earlier report called it missing.
    pub missed_before: bool,
}

/// What was sent to one viewer, numbered for transport-wide feedback.
#[derive(Debug)]
pub struct SendHistory {
    /// Packet `n` at `n` modulo the length, which is a power of two.
    ring: Vec<Sent>,
    /// The lowest number that is kept.
    oldest: SeqNo,
    next: SeqNo,
    numbers: SeqUnwrapper,
    /// Finds the upper halves of times again.
    times: Unwrapper<32>,
    latest: Time,
    /// Above all that a report spoke of.
    told: SeqNo,
}

impl Default for SendHistory {
    fn default() -> SendHistory {
        SendHistory {
            ring: Vec::new(),
            oldest: FIRST_OUT,
            next: FIRST_OUT,
            numbers: SeqUnwrapper::default(),
            times: Unwrapper::default(),
            latest: Time::ZERO,
            told: FIRST_OUT,
        }
    }
}

impl SendHistory {
    /// Notes a packet that leaves now under the number [`SendHistory::next_seq`]; `bytes` of UDP payload, sent with
    /// the probe cluster `cluster` (0: none).
    pub fn send(&mut self, now: Time, bytes: usize, cluster: u8) {
        let seq = self.next;
        if now.since(self.latest) > LONG_PAUSE {
            self.oldest = seq;
        }
        self.make_room(now, seq);
        let index = self.index(seq);
        self.ring[index] =
            Sent { at: now.micros() as u32, bytes: bytes as u16, known: Known::Nothing, cluster };
        self.numbers.commit(seq);
        self.times.commit(now.micros() + UNWRAPPED_FROM);
        self.latest = now;
        self.next = SeqNo(seq.0 + 1);
    }

    /// The next packet is about to be noted.
    pub fn prefetch(&self) {
        if !self.ring.is_empty() {
            prefetch(&self.ring[self.index(self.next)]);
        }
    }

    /// A report is about to come, which goes on where the last one ended.
    pub fn prefetch_for_report(&self) {
        for ahead in REPORTED_AHEAD.into_iter().filter(|_| !self.ring.is_empty()) {
            prefetch(&self.ring[self.index(SeqNo(self.told.0 + ahead))]);
        }
    }

    /// The number of the next packet.
    pub fn next_seq(&self) -> SeqNo {
        self.next
    }

    /// What a report says about one packet, `wire` as it names it; `None` when it was told before or is not kept.
    pub fn settle(&mut self, wire: u16, received: Option<i64>) -> Option<Fate> {
        let seq = self.numbers.peek(wire);
        if seq < self.oldest || seq >= self.next {
            return None;
        }
        let index = self.index(seq);
        let sent = &mut self.ring[index];
        if sent.known == Known::Received {
            return None;
        }
        self.told = self.told.max(SeqNo(seq.0 + 1));
        let missed_before = sent.known == Known::Missing;
        sent.known = if received.is_some() { Known::Received } else { Known::Missing };
        let Sent { at, bytes, cluster, .. } = *sent;
        Some(Fate { seq, sent: self.time(at), bytes, cluster, received, missed_before })
    }

    /// (when, UDP payload bytes) of what was sent after the packet `seq`, as far as it is kept.
    pub fn sent_after(&self, seq: SeqNo) -> impl Iterator<Item = (Time, u64)> + '_ {
        let after = seq.0.saturating_add(1).max(self.oldest.0)..self.next.0;
        after.map(|seq| {
            let sent = self.ring[self.index(SeqNo(seq))];
            (self.time(sent.at), u64::from(sent.bytes))
        })
    }

    fn time(&self, at: u32) -> Time {
        Time(self.times.peek(at).saturating_sub(UNWRAPPED_FROM))
    }

    fn index(&self, seq: SeqNo) -> usize {
        seq.0 as usize & (self.ring.len() - 1)
    }

    /// Lets the oldest packet go where the ring is full, or doubles the ring when it turned too fast to remember long
    /// enough.
    fn make_room(&mut self, now: Time, seq: SeqNo) {
        if self.ring.is_empty() {
            self.ring.resize(INITIAL_SENT, Sent::default());
            return;
        }
        let length = self.ring.len() as u64;
        if seq.0 - self.oldest.0 < length {
            return;
        }
        let displaced = self.time(self.ring[self.index(seq)].at);
        if now.since(displaced) >= REPORTED_WITHIN || self.ring.len() >= MAX_SENT {
            self.oldest = SeqNo(seq.0 + 1 - length);
            return;
        }
        let mut ring = vec![Sent::default(); self.ring.len() * 2];
        let mask = ring.len() - 1;
        for number in self.oldest.0..seq.0 {
            ring[number as usize & mask] = self.ring[self.index(SeqNo(number))];
        }
        self.ring = ring;
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
            log.receive(Time::from_millis(seq), SeqNo(seq), 1_000);
        }
        assert!(log.take(Time::from_millis(40)).is_none());
        let (base, arrivals) = log.take(Time::from_millis(60)).unwrap();
        assert_eq!(base, SeqNo(10));
        assert_eq!(arrivals.iter().map(|arrival| arrival.0.0).collect::<Vec<_>>(), [10, 11, 12, 15]);
        log.receive(Time::from_millis(70), SeqNo(18), 1_000);
        let (base, _) = log.take(Time::from_millis(200)).unwrap();
        assert_eq!(base, SeqNo(16));
    }

    #[test]
    fn a_flood_between_reports_is_bounded() {
        let mut log = ArrivalLog::default();
        let kept = (0..100_000).filter(|seq| log.receive(Time::ZERO, SeqNo(*seq), 100)).count();
        assert_eq!(kept, MAX_ARRIVALS);
    }

    #[test]
    fn reports_on_little_are_rare_and_on_more_frequent_again() {
        let mut log = ArrivalLog::default();
        let (mut now, mut seq, mut reports) = (Time::ZERO, 0, 0);
        let mut run = |bytes: usize, seconds: u64| {
            let (end, before) = (now + Duration::from_secs(seconds), reports);
            while now < end {
                now += Duration::from_millis(10);
                seq += 1;
                log.receive(now, SeqNo(seq), bytes);
                reports += usize::from(log.take(now).is_some());
            }
            reports - before
        };
        run(60, 5);
        // 6 kB a second: 300 B for reports, of about 100 B each.
        let few = run(60, 10);
        assert!((36..=50).contains(&few), "{few}");
        run(1_100, 3);
        let many = run(1_100, 10);
        assert!((160..=200).contains(&many), "{many}");
    }

    #[test]
    fn remembers_long_enough_at_any_rate() {
        for packets_a_second in [50, 700, 2_000] {
            let mut history = SendHistory::default();
            let first = history.next_seq().0;
            let count = packets_a_second * 4;
            for number in 0..count {
                history.send(Time(number * 1_000_000 / packets_a_second), 100, 0);
            }
            let asked = SeqNo(first + count - packets_a_second);
            assert_eq!(history.settle(asked.wire(), Some(1)).unwrap().sent, Time::from_millis(3_000));
        }
    }

    #[test]
    fn settles_each_packet_once() {
        let mut history = SendHistory::default();
        let first = history.next_seq().wire();
        history.send(Time::from_millis(1), 1_200, 3);
        let second = history.next_seq().wire();
        history.send(Time::from_millis(2), 100, 0);
        let after = |seq| history.sent_after(seq).map(|(_, bytes)| bytes).collect::<Vec<_>>();
        assert_eq!([after(FIRST_OUT), after(SeqNo(0))], [vec![100], vec![1_200, 100]]);
        assert_eq!(history.settle(first, None).unwrap().received, None);
        let fate = history.settle(first, Some(7)).unwrap();
        assert_eq!((fate.bytes, fate.cluster, fate.missed_before), (1_200, 3, true));
        assert_eq!(history.settle(first, Some(7)), None);
        assert_eq!(history.settle(history.next_seq().wire(), Some(7)), None);
        for _ in 0..MAX_SENT {
            history.send(Time::from_millis(3), 1, 0);
        }
        assert_eq!(history.settle(second, Some(9)), None);
    }
}
