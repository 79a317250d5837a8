//! The numbers a viewer sees: one unbroken line of sequence numbers, timestamps and picture ids, whatever layer feeds it.

use crate::units::SeqNo;

/// Changes of the offset remembered, so that late packets still find their number.
const MAX_SPANS: usize = 32;

/// From `start` on, `out = in + offset`.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: SeqNo,
    offset: i64,
}

/// Maps a layer's sequence numbers to a subscription's.
#[derive(Debug)]
pub struct SequenceMap {
    /// The newest span, which nearly every packet belongs to; `None` before the first layer.
    current: Option<Span>,
    /// Those before it, oldest first.
    earlier: Vec<Span>,
    highest_in: Option<SeqNo>,
    /// `None`: the line begins with the first number as it is.
    next_out: Option<SeqNo>,
}

impl Default for SequenceMap {
    /// The first layer's numbers stay as they are.
    fn default() -> SequenceMap {
        SequenceMap { current: None, earlier: Vec::new(), highest_in: None, next_out: None }
    }
}

impl SequenceMap {
    /// The first packet sent will carry `first`.
    pub fn new(first: SeqNo) -> SequenceMap {
        SequenceMap { next_out: Some(first), ..SequenceMap::default() }
    }

    /// The number after the highest sent; `None` before the first of a line that takes it as it comes.
    pub fn next_out(&self) -> Option<SeqNo> {
        self.next_out
    }

    /// A new layer begins with this packet: it continues the line without a gap.
    pub fn switch(&mut self, seq: SeqNo) {
        self.earlier.clear();
        self.current = Some(Span { start: seq, offset: offset(self.next_out.unwrap_or(seq), seq) });
        self.highest_in = None;
    }

    /// Whether a packet lies within what was sent since the layer's beginning.
    pub fn knows(&self, seq: SeqNo) -> bool {
        let spans = self.earlier.first().or(self.current.as_ref());
        spans.is_some_and(|span| span.start <= seq)
    }

    /// The number of a packet of the current layer; `None` for one from before the layer's beginning.
    pub fn map(&mut self, seq: SeqNo) -> Option<SeqNo> {
        let current = self.current.filter(|span| span.start <= seq);
        let span = current.or_else(|| self.earlier.iter().rev().find(|span| span.start <= seq).copied())?;
        let out = SeqNo((seq.0 as i64 + span.offset) as u64);
        if self.highest_in.is_none_or(|highest| seq > highest) {
            self.highest_in = Some(seq);
            self.next_out = Some(SeqNo(out.0 + 1));
        }
        Some(out)
    }

    /// The packet is not forwarded and leaves no gap, if it is the newest; an older one leaves the gap it has.
    pub fn skip(&mut self, seq: SeqNo) {
        if self.highest_in.is_none_or(|highest| seq <= highest) {
            return;
        }
        let Some(last) = self.current else { return };
        self.highest_in = Some(seq);
        if last.start == seq {
            // Nothing left with this span: a row of skipped packets is one change.
            self.current = Some(Span { start: SeqNo(seq.0 + 1), offset: last.offset - 1 });
            return;
        }
        if self.earlier.len() == MAX_SPANS {
            self.earlier.remove(0);
        }
        self.earlier.push(last);
        self.current = Some(Span { start: SeqNo(seq.0 + 1), offset: last.offset - 1 });
    }
}

fn offset(out: SeqNo, seq: SeqNo) -> i64 {
    out.0 as i64 - seq.0 as i64
}

/// Keeps a counter of the payload (timestamp, picture id, TL0PICIDX) in one line across layers.
#[derive(Debug, Default)]
pub struct OffsetLine {
    offset: i64,
    highest_out: Option<u64>,
}

impl OffsetLine {
    /// A line that was left at its highest value and goes on.
    pub fn after(highest: Option<u64>) -> OffsetLine {
        OffsetLine { offset: 0, highest_out: highest }
    }

    /// A new layer begins: its value `first` shall become `step` after the highest sent, or stay as it is at the start.
    pub fn switch(&mut self, first: u64, step: u64) {
        if let Some(highest) = self.highest_out {
            self.offset = (highest + step) as i64 - first as i64;
        }
    }

    /// The value to send.
    pub fn map(&mut self, value: u64) -> u64 {
        let out = self.peek(value);
        self.highest_out = Some(self.highest_out.map_or(out, |highest| highest.max(out)));
        out
    }

    /// The value to send for a moment that may lie beyond what was sent (sender reports).
    pub fn peek(&self, value: u64) -> u64 {
        // A hostile publisher's value may lie below the line's beginning; it must not come back as a huge one.
        value.saturating_add_signed(self.offset)
    }

    /// The highest value sent.
    pub fn highest(&self) -> Option<u64> {
        self.highest_out
    }
}

/// Steps of the RTP clock between the newest timestamp sent and the first of a new layer.
///
/// With sender reports of both layers (`aligned`: the new layer's frame in the old layer's clock, relative to the
/// highest sent) the picture keeps its true time; without, the time between the arrivals must do. Never zero or
/// negative: a viewer would take the frame for an old one.
pub fn timestamp_step(aligned: Option<i64>, elapsed_micros: u64, clock_rate: u32) -> u64 {
    let by_arrival = (elapsed_micros * u64::from(clock_rate) / 1_000_000).max(1);
    match aligned {
        // More than 3 s apart the two clocks are not one camera's.
        Some(step) if step.unsigned_abs() < u64::from(clock_rate) * 3 => step.max(1) as u64,
        _ => by_arrival,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(map: &mut SequenceMap, seqs: &[u64]) -> Vec<Option<u64>> {
        seqs.iter().map(|seq| map.map(SeqNo(*seq)).map(|out| out.0)).collect()
    }

    #[test]
    fn keeps_gaps_and_order_of_one_layer() {
        let mut map = SequenceMap::new(SeqNo(500));
        map.switch(SeqNo(70_000));
        assert_eq!(mapped(&mut map, &[70_000, 70_002, 70_001]), [Some(500), Some(502), Some(501)]);
        assert_eq!(mapped(&mut map, &[69_999]), [None]);
    }

    #[test]
    fn a_switch_continues_without_a_gap_and_forgets_the_old_layer() {
        let mut map = SequenceMap::new(SeqNo(10));
        map.switch(SeqNo(1_000));
        mapped(&mut map, &[1_000, 1_001]);
        map.switch(SeqNo(77));
        assert_eq!(mapped(&mut map, &[77, 78, 76]), [Some(12), Some(13), None]);
    }

    #[test]
    fn a_skipped_packet_leaves_no_gap_and_late_ones_keep_their_place() {
        let mut map = SequenceMap::new(SeqNo(1));
        map.switch(SeqNo(100));
        mapped(&mut map, &[100]);
        map.skip(SeqNo(102));
        assert_eq!(mapped(&mut map, &[103, 101, 104]), [Some(3), Some(2), Some(4)]);
    }

    #[test]
    fn rows_of_skipped_packets_leave_room_for_late_ones() {
        let mut map = SequenceMap::new(SeqNo(1));
        map.switch(SeqNo(100));
        for frame in 0..40 {
            let first = 100 + frame * 10;
            mapped(&mut map, &[first, first + 1]);
            (2..10).for_each(|packet| map.skip(SeqNo(first + packet)));
        }
        assert_eq!(mapped(&mut map, &[500, 491, 300]), [Some(81), Some(80), Some(41)]);
    }

    #[test]
    fn a_line_may_begin_with_its_own_numbers() {
        let mut map = SequenceMap::default();
        assert_eq!(map.next_out(), None);
        map.switch(SeqNo(7_000));
        map.skip(SeqNo(7_000));
        assert_eq!(mapped(&mut map, &[7_000, 7_002]), [Some(7_000), Some(7_002)]);
        map.switch(SeqNo(5));
        assert_eq!(mapped(&mut map, &[5, 6]), [Some(7_003), Some(7_004)]);
    }

    #[test]
    fn lines_go_on_across_layers() {
        let mut line = OffsetLine::default();
        line.switch(9_000, 1);
        assert_eq!(line.map(9_000), 9_000);
        assert_eq!(line.map(12_000), 12_000);
        line.switch(5, 3_000);
        assert_eq!(line.map(5), 15_000);
        assert_eq!(line.highest(), Some(15_000));
    }

    #[test]
    fn a_line_goes_on_where_it_was_left() {
        let mut line = OffsetLine::after(Some(15_000));
        line.switch(9_000_000, 3_000);
        assert_eq!((line.map(9_000_000), line.highest()), (18_000, Some(18_000)));
    }

    #[test]
    fn a_line_never_leaves_its_range() {
        // A publisher that mixes picture ids of 7 and 15 bits: far below what the new layer began with.
        let mut line = OffsetLine::default();
        assert_eq!(line.map(129), 129);
        line.switch(40_000, 1);
        assert_eq!(line.map(40_000 - 131), 0);
        line.switch(5, 1);
        assert_eq!(line.map(5), 130);
    }

    #[test]
    fn a_new_layer_keeps_its_true_time_when_it_is_known() {
        assert_eq!(timestamp_step(Some(3_600), 100_000, 90_000), 3_600);
        assert_eq!(timestamp_step(Some(-10), 100_000, 90_000), 1);
        assert_eq!(timestamp_step(None, 40_000, 90_000), 3_600);
        assert_eq!(timestamp_step(Some(900_000), 40_000, 90_000), 3_600);
    }
}
