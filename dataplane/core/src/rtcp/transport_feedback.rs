//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1): which packets of a
//! transport arrived, and when.

use super::{half, word};
use crate::seq::add16;
use crate::units::Ssrc;

pub(super) const FORMAT: u8 = 15;
/// Bytes before the chunks, common feedback header included.
pub(super) const FIXED_LENGTH: usize = 16;
/// Microseconds of a tick of an arrival delta.
pub const TICK_MICROS: i64 = 250;
/// Microseconds of a unit of the reference time.
pub const REFERENCE_MICROS: i64 = 64_000;

/// One packet as the receiver saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PacketStatus {
    /// Transport-wide number as on the wire.
    pub sequence: u16,
    /// When it arrived, in microseconds after the reference time of the feedback; `None`: not received.
    pub arrival_micros: Option<i64>,
}

/// One feedback packet, checked whole.
#[derive(Clone, Copy, Debug)]
pub struct TransportFeedback<'a> {
    /// Who received.
    pub sender: Ssrc,
    /// Any source of the transport.
    pub media: Ssrc,
    /// Number of the first packet reported.
    pub base_sequence: u16,
    /// Packets reported, received or not.
    pub status_count: u16,
    /// The receiver's clock in units of 64 ms, 24 bits: unwrap it with [`crate::seq::Unwrapper24`] and multiply by
    /// [`REFERENCE_MICROS`].
    pub reference_time: u32,
    /// Counts feedback packets, so that lost ones show.
    pub feedback_count: u8,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

/// One packet status chunk: what it says of one packet after another.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    bits: u16,
    taken: u16,
}

impl Chunk {
    const DONE: Chunk = Chunk { bits: 0, taken: 0 };

    /// Packets that the chunk speaks of: 13 bits of run length, or 14 or 7 symbols.
    fn count(self) -> u16 {
        match self.bits >> 14 {
            0 | 1 => self.bits & 0x1fff,
            2 => 14,
            _ => 7,
        }
    }

    /// The symbol of the packet `index` in the chunk: 0 not received, 1 small delta, 2 large delta, 3 reserved.
    fn symbol(self, index: u16) -> u16 {
        match self.bits >> 14 {
            0 | 1 => self.bits >> 13 & 3,
            2 => self.bits >> (13 - index) & 1,
            _ => self.bits >> (12 - 2 * index) & 3,
        }
    }

    /// Bytes of deltas for the first `count` packets; `None` when a symbol is reserved.
    fn delta_length(self, count: u16) -> Option<usize> {
        if self.bits < 0x8000 {
            let symbol = self.symbol(0);
            return (symbol < 3).then_some(usize::from(symbol) * usize::from(count));
        }
        let mut length = 0;
        for index in 0..count {
            let symbol = self.symbol(index);
            if symbol == 3 {
                return None;
            }
            length += usize::from(symbol);
        }
        Some(length)
    }
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn parse(content: &'a [u8]) -> Option<TransportFeedback<'a>> {
        let last = word(content, 12)?;
        let body = content.get(FIXED_LENGTH..)?;
        let status_count = half(content, 10)?;
        let (mut left, mut at, mut delta_length) = (status_count, 0, 0);
        while left > 0 {
            let chunk = Chunk { bits: half(body, at)?, taken: 0 };
            let count = chunk.count().min(left);
            delta_length += chunk.delta_length(count)?;
            left -= count;
            at += 2;
        }
        let (chunks, rest) = body.split_at_checked(at)?;
        Some(TransportFeedback {
            sender: Ssrc(word(content, 0)?),
            media: Ssrc(word(content, 4)?),
            base_sequence: half(content, 8)?,
            status_count,
            reference_time: last >> 8,
            feedback_count: (last & 0xff) as u8,
            chunks,
            // Beyond the deltas there may be zeros up to a multiple of four bytes.
            deltas: rest.get(..delta_length)?,
        })
    }

    /// What is said of each packet from `base_sequence` on; exactly `status_count` items.
    pub fn statuses(&self) -> Statuses<'a> {
        Statuses {
            chunks: self.chunks,
            deltas: self.deltas,
            chunk: Chunk::DONE,
            sequence: self.base_sequence,
            left: self.status_count,
            arrival_micros: 0,
        }
    }
}

/// Goes over the packets of a feedback; see [`TransportFeedback::statuses`].
#[derive(Clone, Debug)]
pub struct Statuses<'a> {
    chunks: &'a [u8],
    deltas: &'a [u8],
    chunk: Chunk,
    sequence: u16,
    left: u16,
    arrival_micros: i64,
}

impl Statuses<'_> {
    fn symbol(&mut self) -> Option<u16> {
        while self.chunk.taken >= self.chunk.count() {
            let (bits, rest) = self.chunks.split_first_chunk::<2>()?;
            self.chunks = rest;
            self.chunk = Chunk { bits: u16::from_be_bytes(*bits), taken: 0 };
        }
        let symbol = self.chunk.symbol(self.chunk.taken);
        self.chunk.taken += 1;
        Some(symbol)
    }

    fn delta(&mut self, symbol: u16) -> Option<i64> {
        if symbol == 1 {
            let (ticks, rest) = self.deltas.split_first()?;
            self.deltas = rest;
            return Some(i64::from(*ticks) * TICK_MICROS);
        }
        let (ticks, rest) = self.deltas.split_first_chunk::<2>()?;
        self.deltas = rest;
        Some(i64::from(i16::from_be_bytes(*ticks)) * TICK_MICROS)
    }
}

impl Iterator for Statuses<'_> {
    type Item = PacketStatus;

    fn next(&mut self) -> Option<PacketStatus> {
        self.left = self.left.checked_sub(1)?;
        let sequence = self.sequence;
        self.sequence = add16(sequence, 1);
        let symbol = self.symbol()?;
        if symbol == 0 {
            return Some(PacketStatus { sequence, arrival_micros: None });
        }
        self.arrival_micros += self.delta(symbol)?;
        Some(PacketStatus { sequence, arrival_micros: Some(self.arrival_micros) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feedback content with this base, count, chunks and deltas.
    fn content(base: u16, count: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 2];
        bytes.extend_from_slice(&base.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 3, 9]);
        bytes.extend_from_slice(body);
        bytes
    }

    fn arrivals(base: u16, count: u16, body: &[u8]) -> Option<Vec<(u16, Option<i64>)>> {
        let bytes = content(base, count, body);
        let feedback = TransportFeedback::parse(&bytes)?;
        assert_eq!((feedback.reference_time, feedback.feedback_count), (3, 9));
        Some(feedback.statuses().map(|status| (status.sequence, status.arrival_micros)).collect())
    }

    #[test]
    fn run_length_chunk() {
        let found = arrivals(65_535, 3, &[0x20, 3, 4, 0, 8]);
        assert_eq!(found, Some(vec![(65_535, Some(1_000)), (0, Some(1_000)), (1, Some(3_000))]));
    }

    #[test]
    fn one_bit_vector_ignores_what_lies_beyond_the_count() {
        let found = arrivals(10, 3, &[0b1010_1111, 0xff, 1, 2]);
        assert_eq!(found, Some(vec![(10, Some(250)), (11, None), (12, Some(750))]));
    }

    #[test]
    fn two_bit_vector_goes_back_in_time() {
        // Symbols: small, not received, large (negative), large.
        let found = arrivals(1, 4, &[0b1101_0010, 0b1000_0000, 4, 0xff, 0xfe, 0x01, 0x00]);
        assert_eq!(found, Some(vec![(1, Some(1_000)), (2, None), (3, Some(500)), (4, Some(64_500))]));
    }

    #[test]
    fn lies_are_refused() {
        assert_eq!(arrivals(0, 3, &[0x20, 3, 4, 0]), None, "a delta is missing");
        assert_eq!(arrivals(0, 9, &[0x20, 3, 4, 0, 0]), None, "a chunk is missing");
        assert_eq!(arrivals(0, 1, &[0x60, 1, 0, 0]), None, "a reserved run");
        assert_eq!(arrivals(0, 1, &[0b1111_0000, 0, 0, 0]), None, "a reserved symbol");
        assert_eq!(arrivals(0, 1, &[0, 0, 0, 0]), None, "runs of nothing");
        assert!(TransportFeedback::parse(&content(0, 0, &[])[..15]).is_none(), "a short header");
    }

    #[test]
    fn nothing_reported_is_no_error() {
        assert_eq!(arrivals(7, 0, &[]), Some(vec![]));
    }

    #[test]
    fn the_longest_report_is_bounded() {
        let body: Vec<u8> = [0x1f, 0xff].repeat(9);
        assert_eq!(arrivals(0, u16::MAX, &body).map(|found| found.len()), Some(65_535));
    }
}
