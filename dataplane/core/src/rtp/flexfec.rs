//! Parity of RTP packets as browsers take it under the name `flexfec-03`: draft-ietf-payload-flexible-fec-scheme-03
//! section 4.2, one protected source and a flexible mask. (RFC 8627, which came of it, has another header.)

use super::header::{FIXED_HEADER_LENGTH, MAX_PACKET_LENGTH};
use crate::units::Ssrc;

/// From the lowest to the highest number that one parity packet may protect, both counted.
pub const MAX_SPAN: u64 = 109;
/// Bytes of the longest header before the parity itself.
pub const MAX_HEADER: usize = 32;
/// Bits of the mask in its three fields, each of which has another bit before it that says whether it is the last.
const FIELDS: [u32; 3] = [15, 31, 63];
/// Bytes of the header up to the first number: fields that are parity, the count of sources, and the source.
const BEFORE_NUMBER: usize = 16;
/// P, X and the count of contributing sources: the upper two bits say R and F, both 0 here.
const RECOVERED: u8 = 0x3f;

/// The exclusive or of packets.
#[derive(Clone, Debug, Default)]
pub struct Parity {
    /// Of their first two bytes.
    head: [u8; 2],
    time: [u8; 4],
    length: u16,
    /// Of what follows the fixed header.
    body: Vec<u8>,
    /// Bit n: the packet whose number is n above the base.
    mask: u128,
}

impl Parity {
    /// Whether no packet was added.
    pub fn is_empty(&self) -> bool {
        self.mask == 0
    }

    /// Bytes that [`Parity::write`] appends.
    pub fn bytes(&self) -> usize {
        self.header_length() + self.body.len()
    }

    /// Begins anew; keeps the buffer.
    pub fn clear(&mut self) {
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        *self = Parity { body, ..Parity::default() };
    }

    /// Adds the plain packet whose number is `offset` (below [`MAX_SPAN`]) above the base.
    pub fn add(&mut self, offset: u64, packet: &[u8]) {
        let Some((head, body)) = packet.split_first_chunk::<FIXED_HEADER_LENGTH>() else { return };
        debug_assert!(offset < MAX_SPAN);
        self.mask ^= 1 << offset.min(MAX_SPAN - 1);
        self.length ^= body.len() as u16;
        xor(&mut self.head, &head[..2]);
        xor(&mut self.time, &head[4..8]);
        if self.body.len() < body.len() {
            self.body.resize(body.len(), 0);
        }
        xor(&mut self.body, body);
    }

    fn header_length(&self) -> usize {
        match 128 - self.mask.leading_zeros() {
            0..=15 => BEFORE_NUMBER + 4,
            16..=46 => BEFORE_NUMBER + 8,
            _ => BEFORE_NUMBER + 16,
        }
    }

    /// Appends the payload of a parity packet: `base` is the wire's number of offset 0, `ssrc` the protected source.
    pub fn write(&self, out: &mut Vec<u8>, ssrc: Ssrc, base: u16) {
        out.extend_from_slice(&[self.head[0] & RECOVERED, self.head[1]]);
        out.extend_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(&self.time);
        // One source, and 24 reserved bits.
        out.extend_from_slice(&[1, 0, 0, 0]);
        out.extend_from_slice(&ssrc.0.to_be_bytes());
        out.extend_from_slice(&base.to_be_bytes());
        let (mut below, end) = (0, out.len() - BEFORE_NUMBER - 2 + self.header_length());
        for bits in FIELDS {
            let field = (self.mask >> below) as u64 & ((1 << bits) - 1);
            below += bits;
            // The lowest number is the uppermost bit of its field.
            let field = field.reverse_bits() >> (64 - bits);
            let bytes = (bits as usize + 1) / 8;
            let last = out.len() + bytes == end;
            let word = field | u64::from(last) << bits;
            out.extend_from_slice(&word.to_be_bytes()[8 - bytes..]);
            if last {
                break;
            }
        }
        out.extend_from_slice(&self.body);
    }
}

fn xor(into: &mut [u8], bytes: &[u8]) {
    into.iter_mut().zip(bytes).for_each(|(into, byte)| *into ^= byte);
}

/// A parity packet's payload as received.
#[derive(Clone, Debug)]
pub struct Received {
    /// The source that it protects.
    pub ssrc: Ssrc,
    /// The lowest number that it may protect.
    pub base: u16,
    parity: Parity,
}

impl Received {
    /// Reads a payload; `None` when it is none of the kind that [`Parity::write`] makes.
    pub fn read(payload: &[u8]) -> Option<Received> {
        let head = payload.first_chunk::<BEFORE_NUMBER>()?;
        if head[0] & !RECOVERED != 0 || head[8] != 1 || payload.len() > MAX_PACKET_LENGTH {
            return None;
        }
        let base = u16::from_be_bytes(*payload.get(BEFORE_NUMBER..)?.first_chunk()?);
        let (mut mask, mut below, mut at) = (0_u128, 0, BEFORE_NUMBER + 2);
        for bits in FIELDS {
            let bytes = payload.get(at..at + (bits as usize + 1) / 8)?;
            at += bytes.len();
            let word = bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
            let field = (word & ((1 << bits) - 1)) << (64 - bits);
            mask |= u128::from(field.reverse_bits()) << below;
            below += bits;
            if word >> bits & 1 == 1 {
                break;
            }
        }
        let body = payload.get(at..)?.to_vec();
        let length = u16::from_be_bytes([head[2], head[3]]);
        let time = [head[4], head[5], head[6], head[7]];
        let parity = Parity { head: [head[0], head[1]], time, length, body, mask };
        let ssrc = Ssrc(u32::from_be_bytes([head[12], head[13], head[14], head[15]]));
        Some(Received { ssrc, base, parity })
    }

    /// How far above the base the protected numbers lie, rising.
    pub fn offsets(&self) -> impl Iterator<Item = u64> + '_ {
        (0..MAX_SPAN).filter(|offset| self.parity.mask >> offset & 1 == 1)
    }

    /// The one packet that is missing, `missing` above the base, out of all others that are protected (each with its
    /// offset); `None` when they are not what was protected.
    pub fn recover<'a>(
        mut self,
        missing: u64,
        others: impl Iterator<Item = (u64, &'a [u8])>,
    ) -> Option<Vec<u8>> {
        others.for_each(|(offset, packet)| self.parity.add(offset, packet));
        let Parity { head, time, length, body, mask } = self.parity;
        if mask != 1 << missing {
            return None;
        }
        let body = body.get(..usize::from(length))?;
        let mut packet = vec![0x80 | head[0] & RECOVERED, head[1]];
        packet.extend_from_slice(&crate::units::SeqNo(u64::from(self.base) + missing).wire().to_be_bytes());
        packet.extend_from_slice(&time);
        packet.extend_from_slice(&self.ssrc.0.to_be_bytes());
        packet.extend_from_slice(body);
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SOURCE: Ssrc = Ssrc(0xdead_beef);

    fn packet(seq: u16, marker: bool, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x90, if marker { 0xe0 } else { 0x60 }];
        bytes.extend_from_slice(&seq.to_be_bytes());
        bytes.extend_from_slice(&[0, 1, 2, 3, 0xde, 0xad, 0xbe, 0xef]);
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn a_payload_is_written_as_the_draft_has_it() {
        let mut parity = Parity::default();
        parity.add(0, &packet(1_000, false, &[1, 2, 3]));
        parity.add(2, &packet(1_002, true, &[4, 5]));
        let mut out = vec![9];
        parity.write(&mut out, SOURCE, 1_000);
        let fields = [
            &[0x00, 0x80, 0x00, 0x01][..], // R, F, P, X, CC; M, PT; length 3 ^ 2
            &[0, 0, 0, 0],                 // timestamps are alike
            &[1, 0, 0, 0],
            &[0xde, 0xad, 0xbe, 0xef],
            &[0x03, 0xe8, 0xd0, 0x00], // 1,000; the last field, its first and third bits
            &[5, 7, 3],
        ];
        assert_eq!(out[1..], fields.concat());
        assert_eq!(parity.bytes(), out.len() - 1);
    }

    #[test]
    fn the_mask_takes_the_fields_that_it_needs() {
        for (offset, header) in [(14, 20), (15, 24), (45, 24), (46, 32), (108, 32)] {
            let mut parity = Parity::default();
            parity.add(0, &packet(65_500, false, &[1]));
            parity.add(offset, &packet(SeqAt(65_500, offset).wire(), false, &[2]));
            let mut out = Vec::new();
            parity.write(&mut out, SOURCE, 65_500);
            assert_eq!(out.len(), header + 1, "{offset}");
            assert!(header <= MAX_HEADER);
            let received = Received::read(&out).unwrap();
            assert_eq!(received.offsets().collect::<Vec<_>>(), [0, offset]);
        }
    }

    struct SeqAt(u16, u64);

    impl SeqAt {
        fn wire(&self) -> u16 {
            crate::units::SeqNo(u64::from(self.0) + self.1).wire()
        }
    }

    #[test]
    fn what_is_no_parity_of_one_source_is_refused() {
        let mut parity = Parity::default();
        parity.add(46, &packet(46, false, &[1; 40]));
        let mut whole = Vec::new();
        parity.write(&mut whole, SOURCE, 0);
        assert!((0..MAX_HEADER).all(|length| Received::read(&whole[..length]).is_none()));
        assert!(Received::read(&whole[..MAX_HEADER]).is_some());
        for (at, value) in [(0, 0x80), (0, 0x40), (8, 0), (8, 2)] {
            let mut other = whole.clone();
            other[at] = value;
            assert!(Received::read(&other).is_none(), "{at}: {value}");
        }
        // The recovered length exceeds what is there.
        let short = Received::read(&whole[..MAX_HEADER + 10]).unwrap();
        assert_eq!(short.recover(46, std::iter::empty()), None);
    }

    proptest! {
        #[test]
        fn any_one_packet_comes_back(
            bodies in prop::collection::vec((1_u64..4, prop::collection::vec(any::<u8>(), 0..300)), 1..25),
            base: u16, missing: prop::sample::Index,
        ) {
            let mut offset = 0;
            let mut parity = Parity::default();
            let mut packets = Vec::new();
            for (step, body) in bodies {
                offset += step;
                let bytes = packet(SeqAt(base, offset).wire(), body.len() % 2 == 0, &body);
                parity.add(offset, &bytes);
                packets.push((offset, bytes));
            }
            let mut out = Vec::new();
            parity.write(&mut out, SOURCE, base);
            let (lost, bytes) = packets.remove(missing.index(packets.len()));
            let others = || packets.iter().map(|(offset, bytes)| (*offset, &bytes[..]));
            let received = Received::read(&out).unwrap();
            prop_assert_eq!(received.clone().recover(lost, others()), Some(bytes));
            prop_assert_eq!(packets.is_empty(), received.recover(lost, others().skip(1)).is_some());
        }

        #[test]
        fn no_payload_panics(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(received) = Received::read(&payload) {
                let offsets: Vec<u64> = received.offsets().collect();
                for missing in offsets {
                    let _ = received.clone().recover(missing, std::iter::empty());
                }
            }
        }
    }
}
