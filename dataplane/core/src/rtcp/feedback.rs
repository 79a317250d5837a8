//! Requests of receivers: NACK, PLI (RFC 4585), FIR (RFC 5104) and REMB.

use super::{PAYLOAD_SPECIFIC, TRANSPORT_SPECIFIC, Writer, half, word};
use crate::seq::{add16, distance16};
use crate::units::{Bitrate, Ssrc};

pub(super) const NACK: u8 = 1;
pub(super) const PLI: u8 = 1;
pub(super) const FIR: u8 = 4;
pub(super) const APPLICATION: u8 = 15;
const REMB_NAME: &[u8; 4] = b"REMB";
/// Numbers of one NACK at most: each takes four bytes where no two lie close together.
pub const MAX_LOST: usize = 256;
/// Largest mantissa of REMB: 18 bits.
const REMB_MANTISSA: u64 = 0x3_ffff;

/// Packets that a receiver misses.
#[derive(Clone, Copy, Debug)]
pub struct Nack<'a> {
    /// Who misses them.
    pub sender: Ssrc,
    /// Whose they are.
    pub media: Ssrc,
    entries: &'a [u8],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(content: &'a [u8]) -> Option<Nack<'a>> {
        let entries = content.get(8..).filter(|entries| entries.len() % 4 == 0)?;
        Some(Nack { sender: Ssrc(word(content, 0)?), media: Ssrc(word(content, 4)?), entries })
    }

    /// The sequence numbers, at most 17 per four bytes of the packet.
    pub fn lost(&self) -> impl Iterator<Item = u16> + 'a {
        self.entries.chunks_exact(4).flat_map(|entry| {
            let first = half(entry, 0).unwrap_or_default();
            let following = u32::from(half(entry, 2).unwrap_or_default());
            // Bit 0 is the packet itself, bit i the one i later.
            let bits = following << 1 | 1;
            (0..17_u16).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| add16(first, bit))
        })
    }
}

/// A picture is lost: send a key frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pli {
    /// Who asks.
    pub sender: Ssrc,
    /// Whose picture.
    pub media: Ssrc,
}

impl Pli {
    pub(super) fn parse(content: &[u8]) -> Option<Pli> {
        Some(Pli { sender: Ssrc(word(content, 0)?), media: Ssrc(word(content, 4)?) })
    }
}

/// Sources asked for a key frame.
#[derive(Clone, Copy, Debug)]
pub struct Fir<'a> {
    /// Who asks.
    pub sender: Ssrc,
    entries: &'a [u8],
}

impl<'a> Fir<'a> {
    pub(super) fn parse(content: &'a [u8]) -> Option<Fir<'a>> {
        // The media source of the common header is unused (RFC 5104 section 4.3.1.2).
        let entries = content.get(8..).filter(|entries| !entries.is_empty() && entries.len() % 8 == 0)?;
        Some(Fir { sender: Ssrc(word(content, 0)?), entries })
    }

    /// Source and command number; a repeated number is a repeated request.
    pub fn requests(&self) -> impl Iterator<Item = (Ssrc, u8)> + 'a {
        self.entries.chunks_exact(8).map(|entry| {
            (Ssrc(word(entry, 0).unwrap_or_default()), entry.get(4).copied().unwrap_or_default())
        })
    }
}

/// A receiver's estimate of what it can take.
#[derive(Clone, Copy, Debug)]
pub struct Remb<'a> {
    /// Who estimates.
    pub sender: Ssrc,
    /// For all its sources together.
    pub bitrate: Bitrate,
    sources: &'a [u8],
}

pub(super) fn is_remb(content: &[u8]) -> bool {
    content.get(8..12) == Some(REMB_NAME)
}

impl<'a> Remb<'a> {
    pub(super) fn parse(content: &'a [u8]) -> Option<Remb<'a>> {
        let figures = word(content, 12)?;
        let count = (figures >> 24) as usize;
        let exponent = figures >> 18 & 0x3f;
        let mantissa = u64::from(figures) & REMB_MANTISSA;
        // An exponent that leaves 64 bits says "no limit" no matter how large it is.
        let bitrate = if exponent > 46 { mantissa.min(1) * u64::MAX } else { mantissa << exponent };
        let sources = content.get(16..16 + 4 * count)?;
        Some(Remb { sender: Ssrc(word(content, 0)?), bitrate: Bitrate(bitrate), sources })
    }

    /// The sources meant, at most 255.
    pub fn sources(&self) -> impl Iterator<Item = Ssrc> + 'a {
        super::sources(self.sources)
    }
}

/// Appends a NACK for `lost`, sorted in sequence order (wrapping); nothing when it is empty.
pub fn write_nack(out: &mut Vec<u8>, sender: Ssrc, media: Ssrc, lost: &[u16]) {
    let Some((&first, rest)) = lost.split_first() else { return };
    let mut writer = Writer::begin(out, TRANSPORT_SPECIFIC, NACK);
    writer.word(sender.0);
    writer.word(media.0);
    let (mut base, mut following) = (first, 0_u16);
    for &number in rest {
        match distance16(base, number) {
            0 => {}
            ahead @ 1..=16 => following |= 1 << (ahead - 1),
            _ => {
                writer.word(u32::from(base) << 16 | u32::from(following));
                (base, following) = (number, 0);
            }
        }
    }
    writer.word(u32::from(base) << 16 | u32::from(following));
    writer.finish();
}

/// Appends a picture loss indication.
pub fn write_pli(out: &mut Vec<u8>, sender: Ssrc, media: Ssrc) {
    let mut writer = Writer::begin(out, PAYLOAD_SPECIFIC, PLI);
    writer.word(sender.0);
    writer.word(media.0);
    writer.finish();
}

/// Appends a full intra request; `command` counts up with each new (not repeated) request.
pub fn write_fir(out: &mut Vec<u8>, sender: Ssrc, media: Ssrc, command: u8) {
    let mut writer = Writer::begin(out, PAYLOAD_SPECIFIC, FIR);
    writer.word(sender.0);
    writer.word(0);
    writer.word(media.0);
    writer.bytes(&[command, 0, 0, 0]);
    writer.finish();
}

/// Appends a receiver's estimate, rounded down to 18 significant bits; sources beyond 255 are left out.
pub fn write_remb(out: &mut Vec<u8>, sender: Ssrc, bitrate: Bitrate, sources: &[Ssrc]) {
    let sources = &sources[..sources.len().min(255)];
    let exponent = (64 - bitrate.0.leading_zeros()).saturating_sub(18);
    let mantissa = (bitrate.0 >> exponent) as u32;
    let mut writer = Writer::begin(out, PAYLOAD_SPECIFIC, APPLICATION);
    writer.word(sender.0);
    writer.word(0);
    writer.bytes(REMB_NAME);
    writer.word((sources.len() as u32) << 24 | exponent << 18 | mantissa);
    for source in sources {
        writer.word(source.0);
    }
    writer.finish();
}

#[cfg(test)]
mod tests {
    use super::super::{Rtcp, compound};
    use super::*;
    use proptest::prelude::*;

    fn nack_of(lost: &[u16]) -> (usize, Vec<u16>) {
        let mut bytes = Vec::new();
        write_nack(&mut bytes, Ssrc(1), Ssrc(2), lost);
        let Some(Ok(Rtcp::Nack(nack))) = compound(&bytes).next() else { panic!("no NACK") };
        assert_eq!((nack.sender, nack.media), (Ssrc(1), Ssrc(2)));
        (bytes.len(), nack.lost().collect())
    }

    #[test]
    fn nack_packs_seventeen_into_four_bytes() {
        let run: Vec<u16> = (100..117).collect();
        assert_eq!(nack_of(&run), (16, run.clone()));
        let longer: Vec<u16> = (100..118).collect();
        assert_eq!(nack_of(&longer), (20, longer.clone()));
    }

    #[test]
    fn nack_runs_through_the_wrap() {
        let lost = [65_530, 65_535, 0, 7, 400];
        assert_eq!(nack_of(&lost), (20, lost.to_vec()));
        let mut bytes = Vec::new();
        write_nack(&mut bytes, Ssrc(1), Ssrc(2), &[]);
        assert!(bytes.is_empty());
    }

    #[test]
    fn fir_round_trip() {
        let mut bytes = Vec::new();
        write_fir(&mut bytes, Ssrc(1), Ssrc(2), 255);
        let Some(Ok(Rtcp::Fir(fir))) = compound(&bytes).next() else { panic!("no FIR") };
        assert_eq!(fir.sender, Ssrc(1));
        assert!(fir.requests().eq([(Ssrc(2), 255)]));
    }

    fn remb_of(bitrate: u64) -> u64 {
        let mut bytes = Vec::new();
        write_remb(&mut bytes, Ssrc(1), Bitrate(bitrate), &[Ssrc(2), Ssrc(3)]);
        let Some(Ok(Rtcp::Remb(remb))) = compound(&bytes).next() else { panic!("no REMB") };
        assert!(remb.sources().eq([Ssrc(2), Ssrc(3)]));
        remb.bitrate.0
    }

    #[test]
    fn remb_keeps_eighteen_bits() {
        for exact in [0, 1, 0x3_ffff, 0x3_ffff << 5, 1 << 63, 0x3_ffff << 46] {
            assert_eq!(remb_of(exact), exact);
        }
        assert_eq!(remb_of(u64::MAX), 0x3_ffff << 46);
        assert_eq!(remb_of(0x4_0001), 0x4_0000);
    }

    #[test]
    fn remb_of_absurd_exponent_has_no_limit() {
        let mut bytes = Vec::new();
        write_remb(&mut bytes, Ssrc(1), Bitrate(1), &[]);
        bytes[17] = 63 << 2;
        let Some(Ok(Rtcp::Remb(remb))) = compound(&bytes).next() else { panic!("no REMB") };
        assert_eq!(remb.bitrate.0, u64::MAX);
    }

    #[test]
    fn other_application_feedback_is_unknown() {
        let mut bytes = Vec::new();
        write_remb(&mut bytes, Ssrc(1), Bitrate(1), &[]);
        bytes[12] = b'X';
        assert!(matches!(compound(&bytes).next(), Some(Ok(Rtcp::Unknown { packet_type: 206, format: 15 }))));
    }

    proptest! {
        #[test]
        fn any_sorted_losses_come_back(start: u16, steps in prop::collection::vec(1_u16..60, 0..100)) {
            let mut lost = vec![start];
            for step in steps {
                lost.push(add16(lost[lost.len() - 1], step));
            }
            prop_assert_eq!(nack_of(&lost).1, lost);
        }
    }
}
