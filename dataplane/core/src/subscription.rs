//! One publication as sent to one viewer: the state that a packet meets on its way out.

use std::time::Duration;

use crate::bucket::TokenBucket;
use crate::io::{Handle, OutboundMedia};
use crate::layer::{Forwarding, LayerSwitch};
use crate::rewrite::{OffsetLine, SequenceMap};
use crate::seq::SeqUnwrapper;
use crate::stats::{Figure, Figures};
use crate::twcc::FIRST_OUT;
use crate::units::{MediaTime, NtpTime, SeqNo, Time};

/// Sent packets that a viewer may ask again: 1.4 s at 700 packets a second.
const SENT_KEPT: usize = 1_024;
/// One packet is sent again at most this often.
const MAX_ANSWERS: u8 = 2;
/// A request that follows an answer sooner is about the same loss.
const MIN_ANSWER_SPACING: Duration = Duration::from_millis(10);

/// A packet as it left.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    /// Its number at the viewer; 0: none.
    out: u64,
    /// Its number at the publisher.
    seq: u64,
    /// When it was last sent again, in milliseconds.
    answered_ms: u32,
    answers: u8,
    layer: u8,
}

/// What left since the last change of layer, found by the viewer's numbers.
#[derive(Debug, Default)]
pub struct SentLog {
    ring: Vec<Sent>,
    numbers: SeqUnwrapper,
}

impl SentLog {
    /// Notes a packet; false when one of this number left before (then it must not leave again).
    pub fn note(&mut self, out: SeqNo, layer: u8, seq: SeqNo) -> bool {
        if self.ring.is_empty() {
            self.ring.resize(SENT_KEPT, Sent::default());
        }
        let entry = &mut self.ring[out.0 as usize % SENT_KEPT];
        if entry.out >= out.0 {
            return false;
        }
        *entry = Sent { out: out.0, seq: seq.0, answered_ms: 0, answers: 0, layer };
        self.numbers.commit(out);
        true
    }

    /// Nothing before this may be asked again.
    pub fn forget(&mut self) {
        // The numbers stay: they keep one number from leaving twice.
        self.ring.iter_mut().for_each(|entry| entry.answers = MAX_ANSWERS);
    }

    /// The packet a viewer asks for, unless it was sent again too lately or too often.
    pub fn answer(&mut self, now: Time, wire: u16, round_trip: Duration) -> Option<(SeqNo, u8, SeqNo)> {
        let out = self.numbers.peek(wire);
        let entry = self.ring.get_mut(out.0 as usize % SENT_KEPT).filter(|entry| entry.out == out.0)?;
        let now_ms = (now.micros() / 1_000) as u32;
        let spacing = round_trip.max(MIN_ANSWER_SPACING).as_millis() as u32;
        let too_soon = entry.answers > 0 && now_ms.saturating_sub(entry.answered_ms) < spacing;
        if entry.answers >= MAX_ANSWERS || too_soon {
            return None;
        }
        entry.answers += 1;
        entry.answered_ms = now_ms;
        Some((out, entry.layer, SeqNo(entry.seq)))
    }
}

/// A sender report as sent, for the round trip.
#[derive(Clone, Copy, Debug)]
pub struct ReportSent {
    /// The middle bits it carried.
    pub middle: u32,
    /// When it left.
    pub at: Time,
}

/// A subscription.
#[derive(Debug)]
pub struct Subscription {
    /// Its number.
    pub handle: Handle,
    /// The publication (key in the plane's slab).
    pub publication: usize,
    /// The transport it leaves by (key in the plane's slab).
    pub transport: usize,
    /// What was negotiated.
    pub media: OutboundMedia,
    /// Which layer it forwards.
    pub switch: LayerSwitch,
    /// Its line of sequence numbers.
    pub seqs: SequenceMap,
    /// Its line of timestamps.
    pub times: OffsetLine,
    /// Its line of VP8 picture ids.
    pub picture_ids: OffsetLine,
    /// Its line of VP8 TL0PICIDX.
    pub tl0_indices: OffsetLine,
    /// When and at which moment of which layer it last sent something new.
    pub last_sent: Option<(Time, u8, MediaTime)>,
    /// What left.
    pub sent: SentLog,
    /// Number of its next retransmission.
    pub next_rtx: SeqNo,
    /// Bytes that retransmissions may take.
    pub rtx_budget: TokenBucket,
    /// The last two sender reports.
    pub reports: [Option<ReportSent>; 2],
    /// Packets sent, retransmissions not counted.
    pub packets: u64,
    /// Payload bytes sent.
    pub octets: u64,
    /// Retransmissions sent.
    pub retransmitted: u64,
    /// Packets the viewer asked again.
    pub nacks: u64,
    /// Key frames the viewer asked for.
    pub plis: u64,
    /// Fraction lost by the viewer's last receiver report.
    pub fraction_lost: f64,
}

/// Retransmissions may take a quarter of the stream, and never less than this (bytes a second).
const RTX_FLOOR: u64 = 8_000;

impl Subscription {
    /// A subscription that has sent nothing; `start` (15 bits) is where its numbers begin.
    pub fn new(
        now: Time,
        handle: Handle,
        (publication, transport): (usize, usize),
        media: OutboundMedia,
        needs_keyframe: bool,
        start: u16,
    ) -> Subscription {
        // Below 32,768 so that losing the first packets cannot hide a rollover (RFC 3711 section 3.3.1).
        let first = SeqNo(FIRST_OUT.0 + u64::from(start & 0x7fff));
        Subscription {
            handle,
            publication,
            transport,
            media,
            switch: LayerSwitch::new(needs_keyframe),
            seqs: SequenceMap::new(first),
            times: OffsetLine::default(),
            picture_ids: OffsetLine::default(),
            tl0_indices: OffsetLine::default(),
            last_sent: None,
            sent: SentLog::default(),
            next_rtx: first,
            rtx_budget: TokenBucket::new(now, RTX_FLOOR, RTX_FLOOR),
            reports: [None; 2],
            packets: 0,
            octets: 0,
            retransmitted: 0,
            nacks: 0,
            plis: 0,
            fraction_lost: 0.0,
        }
    }

    /// Fits the retransmission budget to the stream's rate in bits per second.
    pub fn fit_rtx_budget(&mut self, bits_per_second: u64) {
        let bytes = (bits_per_second / 8 / 4).max(RTX_FLOOR);
        self.rtx_budget.set_rate(bytes, bytes);
    }

    /// The round trip that a report block tells, when it answers one of our last two sender reports.
    pub fn round_trip(&self, now: Time, last_sender_report: u32, delay_since: u32) -> Option<Duration> {
        let report = self.reports.iter().flatten().find(|report| report.middle == last_sender_report)?;
        let waited = Duration::from_micros(u64::from(delay_since) * 1_000_000 / 65_536);
        now.since(report.at).checked_sub(waited)
    }

    /// Notes a sender report that leaves now.
    pub fn note_report(&mut self, now: Time, ntp: NtpTime) {
        self.reports = [Some(ReportSent { middle: ntp.middle(), at: now }), self.reports[0]];
    }

    /// Named figures for the snapshot.
    pub fn figures(&self) -> Figures {
        let (state, layer) = match self.switch.state() {
            Forwarding::PausedByViewer => ("paused_by_viewer", None),
            Forwarding::NothingFlows => ("nothing_flows", None),
            Forwarding::AwaitingKeyframe(_) => ("awaiting_keyframe", None),
            Forwarding::Layer(layer) => ("forwarding", Some(layer)),
            Forwarding::Switching(layer, _) => ("switching", Some(layer)),
        };
        vec![
            ("packets", Figure::Count(self.packets)),
            ("octets", Figure::Count(self.octets)),
            ("retransmitted", Figure::Count(self.retransmitted)),
            ("nacks_received", Figure::Count(self.nacks)),
            ("plis_received", Figure::Count(self.plis)),
            ("fraction_lost_ratio", Figure::Measure(self.fraction_lost)),
            ("layer", layer.map_or(Figure::Unknown, |layer| Figure::Count(u64::from(layer)))),
            ("state", Figure::Word(state)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    #[test]
    fn a_number_leaves_once() {
        let mut log = SentLog::default();
        assert!(log.note(SeqNo(70_000), 0, SeqNo(5)));
        assert!(!log.note(SeqNo(70_000), 0, SeqNo(6)));
        log.forget();
        assert!(!log.note(SeqNo(70_000), 1, SeqNo(6)));
        assert!(log.note(SeqNo(70_000 + SENT_KEPT as u64), 0, SeqNo(7)));
        assert!(!log.note(SeqNo(70_000), 0, SeqNo(5)));
    }

    #[test]
    fn answers_a_request_twice_and_not_within_a_round_trip() {
        let mut log = SentLog::default();
        log.note(SeqNo(70_000), 2, SeqNo(5));
        let wire = SeqNo(70_000).wire();
        let answer = |log: &mut SentLog, ms| log.answer(Time::from_millis(ms), wire, RTT);
        assert_eq!(answer(&mut log, 100), Some((SeqNo(70_000), 2, SeqNo(5))));
        assert_eq!(answer(&mut log, 120), None);
        assert!(answer(&mut log, 150).is_some());
        assert_eq!(answer(&mut log, 900), None);
        assert_eq!(log.answer(Time::ZERO, 1, RTT), None);
    }

    #[test]
    fn nothing_from_before_a_switch_is_sent_again() {
        let mut log = SentLog::default();
        log.note(SeqNo(70_000), 2, SeqNo(5));
        log.forget();
        assert_eq!(log.answer(Time::from_millis(5), SeqNo(70_000).wire(), RTT), None);
    }
}
