//! Writes transport-wide feedback for what arrived (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).

use super::transport_feedback::{FIXED_LENGTH, FORMAT, REFERENCE_MICROS, TICK_MICROS};
use super::{HEADER_LENGTH, MAX_COMPOUND_LENGTH, PREAMBLE_LENGTH, TRANSPORT_SPECIFIC, Writer};
use crate::seq::{add8, wire24};
use crate::units::{SeqNo, Ssrc, Time};

/// Longest feedback packet written, in bytes.
pub const MAX_FEEDBACK_LENGTH: usize = MAX_COMPOUND_LENGTH - PREAMBLE_LENGTH;
/// Longest gap reported as lost: two run-length chunks. A longer one is a restart of the sender, not loss.
pub const MAX_GAP: u64 = 2 * MAX_RUN as u64;

const MAX_RUN: usize = 0x1fff;
const TICKS_PER_REFERENCE: u64 = (REFERENCE_MICROS / TICK_MICROS) as u64;
/// Symbols of a vector chunk with one and with two bits each.
const ONE_BIT_SYMBOLS: usize = 14;
const TWO_BIT_SYMBOLS: usize = 7;

const LOST: u8 = 0;
const SMALL: u8 = 1;
const LARGE: u8 = 2;

/// Writes the feedback of one transport; keeps the feedback counter and its scratch memory.
#[derive(Clone, Debug, Default)]
pub struct TwccBuilder {
    feedback_count: u8,
    symbols: Vec<u8>,
    deltas: Vec<u8>,
}

impl TwccBuilder {
    /// A builder whose first packet has the count 0.
    pub fn new() -> TwccBuilder {
        TwccBuilder::default()
    }

    /// Appends one packet about `arrivals` (sorted by number, no duplicates) and returns how many of them it holds:
    /// at least one unless there are none. Call again with the rest, and the number after the last one as `base`.
    ///
    /// Missing numbers from `base` on are reported lost, unless the gap is longer than [`MAX_GAP`]. The packet ends
    /// early at [`MAX_FEEDBACK_LENGTH`] bytes, at such a gap, and at a delta of more than 16 bits (8.19 s).
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        (sender, media): (Ssrc, Ssrc),
        base: SeqNo,
        arrivals: &[(SeqNo, Time)],
    ) -> usize {
        let Some(&(first, first_arrival)) = arrivals.first() else { return 0 };
        let base = if first.0.checked_sub(base.0).is_some_and(|gap| gap <= MAX_GAP) { base } else { first };
        let reference = first_arrival.0 / REFERENCE_MICROS as u64;
        let taken = self.collect(base, reference * TICKS_PER_REFERENCE, arrivals);

        let mut writer = Writer::begin(out, TRANSPORT_SPECIFIC, FORMAT);
        writer.word(sender.0);
        writer.word(media.0);
        writer.word(u32::from(base.wire()) << 16 | self.symbols.len() as u32);
        writer.word(wire24(reference) << 8 | u32::from(self.feedback_count));
        write_chunks(&mut writer, &self.symbols);
        writer.bytes(&self.deltas);
        writer.pad();
        writer.finish();
        self.feedback_count = add8(self.feedback_count, 1);
        taken
    }

    /// Turns arrivals into symbols and deltas, as many as one packet holds.
    fn collect(&mut self, base: SeqNo, reference_ticks: u64, arrivals: &[(SeqNo, Time)]) -> usize {
        self.symbols.clear();
        self.deltas.clear();
        let mut next = base.0;
        let mut last_ticks = reference_ticks;
        // Header, padding, and a last chunk that is not full.
        let mut length = HEADER_LENGTH + FIXED_LENGTH + 3 + 2;
        let mut vector_symbols = 0;
        for (taken, &(number, arrival)) in arrivals.iter().enumerate() {
            let Some(gap) = number.0.checked_sub(next) else { return taken };
            let ticks = arrival.0 / TICK_MICROS as u64;
            let delta = i16::try_from(ticks as i64 - last_ticks as i64);
            // Every chunk but the last speaks of seven packets or more; a long gap is runs of its own.
            let runs = if gap > 2 * ONE_BIT_SYMBOLS as u64 { gap / MAX_RUN as u64 + 1 } else { 0 };
            vector_symbols += if runs > 0 { TWO_BIT_SYMBOLS + 1 } else { gap as usize + 1 };
            length += 2 * runs as usize + if matches!(delta, Ok(0..=255)) { 1 } else { 2 };
            let fits = length + 2 * vector_symbols.div_ceil(TWO_BIT_SYMBOLS) <= MAX_FEEDBACK_LENGTH
                && u16::try_from(self.symbols.len() + gap as usize + 1).is_ok();
            let (Ok(delta), true) = (delta, taken == 0 || (fits && gap <= MAX_GAP)) else { return taken };
            self.symbols.resize(self.symbols.len() + gap as usize, LOST);
            if let Ok(small) = u8::try_from(delta) {
                self.symbols.push(SMALL);
                self.deltas.push(small);
            } else {
                self.symbols.push(LARGE);
                self.deltas.extend_from_slice(&delta.to_be_bytes());
            }
            next = number.0 + 1;
            last_ticks = ticks;
        }
        arrivals.len()
    }
}

/// Writes the symbols in as few chunks as a greedy choice gives.
fn write_chunks(writer: &mut Writer<'_>, mut symbols: &[u8]) {
    while let Some(&first) = symbols.first() {
        let run = symbols.iter().take(MAX_RUN).take_while(|symbol| **symbol == first).count();
        let narrow = symbols.iter().take(ONE_BIT_SYMBOLS).take_while(|symbol| **symbol != LARGE).count();
        let one_bit = narrow == ONE_BIT_SYMBOLS.min(symbols.len());
        let vector = if one_bit { ONE_BIT_SYMBOLS } else { TWO_BIT_SYMBOLS };
        let taken = if run >= vector.min(symbols.len()) {
            writer.bytes(&(u16::from(first) << 13 | run as u16).to_be_bytes());
            run
        } else {
            let taken = vector.min(symbols.len());
            writer.bytes(&vector_chunk(&symbols[..taken], one_bit).to_be_bytes());
            taken
        };
        symbols = &symbols[taken..];
    }
}

/// A vector of 14 symbols of one bit or 7 of two; packets beyond the end count as not received.
fn vector_chunk(symbols: &[u8], one_bit: bool) -> u16 {
    let (head, first_shift, width) = if one_bit { (0x8000, 13, 1) } else { (0xc000, 12, 2) };
    symbols
        .iter()
        .enumerate()
        .fold(head, |chunk, (index, symbol)| chunk | u16::from(*symbol) << (first_shift - width * index))
}

#[cfg(test)]
mod tests {
    use super::super::{Rtcp, TransportFeedback, compound};
    use super::*;
    use crate::seq::{SeqUnwrapper, Unwrapper24};
    use proptest::prelude::*;

    const SOURCES: (Ssrc, Ssrc) = (Ssrc(1), Ssrc(2));

    fn parsed(bytes: &[u8]) -> TransportFeedback<'_> {
        assert!(bytes.len() <= MAX_FEEDBACK_LENGTH && bytes.len().is_multiple_of(4), "{} bytes", bytes.len());
        let mut packets = compound(bytes);
        let Some(Ok(Rtcp::TransportFeedback(feedback))) = packets.next() else { panic!("no feedback") };
        assert!(packets.next().is_none());
        feedback
    }

    /// Writes all arrivals in as many packets as it takes and reads them back, unwrapped; also counts the packets.
    fn round_trip(base: SeqNo, arrivals: &[(SeqNo, Time)]) -> (Vec<(SeqNo, Option<u64>)>, usize) {
        let mut builder = TwccBuilder::new();
        let (mut numbers, mut references) = (SeqUnwrapper::new(), Unwrapper24::new());
        numbers.commit(base);
        references.commit(arrivals[0].1.0 / REFERENCE_MICROS as u64 + (1 << 24));
        let (mut found, mut next, mut rest, mut packets) = (Vec::new(), base, arrivals, 0);
        while !rest.is_empty() {
            let mut bytes = Vec::new();
            let taken = builder.write(&mut bytes, SOURCES, next, rest);
            assert!(taken > 0);
            let feedback = parsed(&bytes);
            assert_eq!(usize::from(feedback.feedback_count), packets % 256);
            let reference =
                (references.unwrap(feedback.reference_time) - (1 << 24)) * REFERENCE_MICROS as u64;
            found.extend(feedback.statuses().map(|status| {
                let arrival =
                    status.arrival_micros.map(|micros| reference.checked_add_signed(micros).unwrap());
                (numbers.unwrap(status.sequence), arrival)
            }));
            next = SeqNo(rest[taken - 1].0.0 + 1);
            rest = &rest[taken..];
            packets += 1;
        }
        (found, packets)
    }

    fn expected(base: SeqNo, arrivals: &[(SeqNo, Time)]) -> Vec<(SeqNo, Option<u64>)> {
        let mut next = base.0;
        let mut all = Vec::new();
        for (number, arrival) in arrivals {
            if number.0 - next > MAX_GAP {
                next = number.0;
            }
            all.extend((next..number.0).map(|lost| (SeqNo(lost), None)));
            all.push((*number, Some(arrival.0 / 250 * 250)));
            next = number.0 + 1;
        }
        all
    }

    #[test]
    fn a_steady_stream_is_one_run() {
        let arrivals: Vec<_> = (0..40).map(|i| (SeqNo(70_000 + i), Time(1_000_000 + i * 5_000))).collect();
        let mut bytes = Vec::new();
        assert_eq!(TwccBuilder::new().write(&mut bytes, SOURCES, SeqNo(70_000), &arrivals), 40);
        // 20 bytes of header, one chunk, 40 deltas, padding.
        assert_eq!(bytes.len(), 64);
        assert_eq!(round_trip(SeqNo(70_000), &arrivals), (expected(SeqNo(70_000), &arrivals), 1));
    }

    #[test]
    fn losses_reordering_and_the_wrap() {
        let arrivals = [
            (SeqNo(131_069), Time(64_000_100)),
            (SeqNo(131_071), Time(64_090_000)),
            (SeqNo(131_072), Time(64_020_000)),
            (SeqNo(131_100), Time(64_400_000)),
        ];
        let (found, packets) = round_trip(SeqNo(131_060), &arrivals);
        assert_eq!((found, packets), (expected(SeqNo(131_060), &arrivals), 1));
    }

    #[test]
    fn splits_where_a_delta_does_not_fit() {
        let arrivals =
            [(SeqNo(100_000), Time(0)), (SeqNo(100_001), Time(9_000_000)), (SeqNo(100_002), Time(9_000_250))];
        let (found, packets) = round_trip(SeqNo(100_000), &arrivals);
        assert_eq!((found, packets), (expected(SeqNo(100_000), &arrivals), 2));
    }

    #[test]
    fn splits_at_the_longest_packet() {
        let arrivals: Vec<_> = (0..5_000).map(|i| (SeqNo(100_000 + i), Time(i * 70_000))).collect();
        let (found, packets) = round_trip(SeqNo(100_000), &arrivals);
        assert_eq!(found, expected(SeqNo(100_000), &arrivals));
        // Two bytes of delta and two bits of symbol each.
        assert!((9..=12).contains(&packets), "{packets} packets");
    }

    #[test]
    fn a_restart_of_the_sender_is_no_loss() {
        let arrivals = [(SeqNo(100_000), Time(0)), (SeqNo(100_000 + MAX_GAP + 2), Time(1_000))];
        let mut bytes = Vec::new();
        assert_eq!(TwccBuilder::new().write(&mut bytes, SOURCES, SeqNo(0), &arrivals), 1);
        assert_eq!(parsed(&bytes).status_count, 1);
        let edge = [(SeqNo(100_000), Time(0)), (SeqNo(100_000 + MAX_GAP + 1), Time(1_000))];
        bytes.clear();
        assert_eq!(TwccBuilder::new().write(&mut bytes, SOURCES, SeqNo(100_000), &edge), 2);
        assert_eq!(u64::from(parsed(&bytes).status_count), MAX_GAP + 2);
    }

    #[test]
    fn nothing_gives_nothing() {
        let mut bytes = Vec::new();
        assert_eq!(TwccBuilder::new().write(&mut bytes, SOURCES, SeqNo(5), &[]), 0);
        assert!(bytes.is_empty());
    }

    proptest! {
        #[test]
        fn any_arrivals_come_back(
            start in 70_000_u64..200_000,
            first_gap in 0_u64..300,
            begin in 0_u64..2_000_000_000_000,
            steps in prop::collection::vec((1_u64..3, prop_oneof![8 => 0_i64..70_000, 1 => -200_000_i64..200_000, 1 => 0_i64..10_000_000]), 1..700),
            gaps in prop::collection::vec((0_usize..700, 1_u64..9_000), 0..4),
        ) {
            let (mut number, mut time) = (start + first_gap, begin + 100_000_000);
            let mut arrivals = vec![(SeqNo(number), Time(time))];
            for (index, (step, delay)) in steps.into_iter().enumerate() {
                let gap: u64 = gaps.iter().filter(|(at, _)| *at == index).map(|(_, gap)| gap).sum();
                number += step + gap.min(MAX_GAP - 3);
                time = time.saturating_add_signed(delay);
                arrivals.push((SeqNo(number), Time(time)));
            }
            prop_assert_eq!(round_trip(SeqNo(start), &arrivals).0, expected(SeqNo(start), &arrivals));
        }
    }
}
