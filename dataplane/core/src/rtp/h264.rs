//! H.264 payloads (RFC 6184): where a key frame begins.

use super::PicturePart;

const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const STAP_A: u8 = 24;
const STAP_B: u8 = 25;
const FU_A: u8 = 28;
const FU_B: u8 = 29;
/// Most units looked at in one aggregate: parameter sets and the slice come first.
const MAX_UNITS: usize = 32;

fn part_of_unit(head: u8) -> PicturePart {
    match head & 0x1f {
        SEQUENCE_PARAMETERS => PicturePart::Parameters,
        IDR_SLICE => PicturePart::RandomAccess,
        1..IDR_SLICE => PicturePart::Slice,
        _ => PicturePart::Prefix,
    }
}

/// What of its picture a payload holds: the most telling of its units.
#[inline]
pub fn picture_part(payload: &[u8]) -> PicturePart {
    let Some(&head) = payload.first() else { return PicturePart::Prefix };
    match head & 0x1f {
        STAP_A => part_of_aggregate(payload.get(1..).unwrap_or_default()),
        // Two bytes of decoding order number stand before the units (section 5.7.1).
        STAP_B => part_of_aggregate(payload.get(3..).unwrap_or_default()),
        FU_A | FU_B => match payload.get(1) {
            Some(fragment) if fragment & 0x80 != 0 => part_of_unit(*fragment),
            _ => PicturePart::Slice,
        },
        _ => part_of_unit(head),
    }
}

/// Whether a payload holds the beginning of an IDR slice or a sequence parameter set.
#[inline]
pub fn starts_keyframe(payload: &[u8]) -> bool {
    picture_part(payload) >= PicturePart::RandomAccess
}

/// Units with 16 bits of length before each (section 5.7.1); one that leaves the payload ends the search.
fn part_of_aggregate(mut units: &[u8]) -> PicturePart {
    let mut part = PicturePart::Prefix;
    for _ in 0..MAX_UNITS {
        let Some((length, rest)) = units.split_first_chunk::<2>() else { break };
        let Some((unit, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
            break;
        };
        part = part.max(unit.first().map_or(PicturePart::Prefix, |head| part_of_unit(*head)));
        units = rest;
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn single_units() {
        assert!(starts_keyframe(&[0x65, 0x88]), "IDR slice");
        assert!(starts_keyframe(&[0x67, 0x42]), "sequence parameters");
        assert!(!starts_keyframe(&[0x41, 0x9a]), "other slice");
        assert!(!starts_keyframe(&[0x68, 0xce]), "picture parameters");
        assert!(!starts_keyframe(&[]));
    }

    #[test]
    fn aggregates() {
        assert!(starts_keyframe(&[0x78, 0, 2, 0x09, 0xf0, 0, 2, 0x67, 0x42]));
        assert!(!starts_keyframe(&[0x78, 0, 2, 0x09, 0xf0, 0, 2, 0x41, 0x42]));
        assert!(!starts_keyframe(&[0x78, 0, 9, 0x67]), "the unit leaves the payload");
        assert!(!starts_keyframe(&[0x78, 0, 0, 0, 0]), "empty units");
        assert!(starts_keyframe(&[0x79, 0xff, 0xff, 0, 1, 0x65]));
    }

    #[test]
    fn fragments_count_at_their_start() {
        assert!(starts_keyframe(&[0x7c, 0x85, 0x88]));
        assert!(!starts_keyframe(&[0x7c, 0x05, 0x88]), "middle");
        assert!(!starts_keyframe(&[0x7c, 0x45, 0x88]), "end");
        assert!(!starts_keyframe(&[0x7c, 0x81, 0x88]), "other slice");
        assert!(!starts_keyframe(&[0x7c]));
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload: Vec<u8>) {
            starts_keyframe(&payload);
        }
    }
}
