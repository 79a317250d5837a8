//! H.265 payloads (RFC 7798): where a key frame begins.

use super::PicturePart;

const AGGREGATE: u8 = 48;
const FRAGMENT: u8 = 49;
/// Bytes of the head of a unit, of an aggregate and of a fragment.
const HEAD_LENGTH: usize = 2;
/// Most units looked at in one aggregate.
const MAX_UNITS: usize = 32;

/// BLA, IDR and CRA pictures (16 to 21), video and sequence parameter sets (32, 33); other slices (below 32).
fn part_of_type(unit_type: u8) -> PicturePart {
    match unit_type {
        32 | 33 => PicturePart::Parameters,
        16..=21 => PicturePart::RandomAccess,
        0..32 => PicturePart::Slice,
        _ => PicturePart::Prefix,
    }
}

fn unit_type(head: u8) -> u8 {
    head >> 1 & 0x3f
}

/// What of its picture a payload holds: the most telling of its units.
#[inline]
pub fn picture_part(payload: &[u8]) -> PicturePart {
    let Some((head, content)) = payload.split_first_chunk::<HEAD_LENGTH>() else {
        return PicturePart::Prefix;
    };
    match unit_type(head[0]) {
        AGGREGATE => part_of_aggregate(content),
        FRAGMENT => match content.first() {
            Some(fragment) if fragment & 0x80 != 0 => part_of_type(fragment & 0x3f),
            _ => PicturePart::Slice,
        },
        unit_type => part_of_type(unit_type),
    }
}

/// Whether a payload holds the beginning of a random access picture or of the parameter sets before it.
#[inline]
pub fn starts_keyframe(payload: &[u8]) -> bool {
    picture_part(payload) >= PicturePart::RandomAccess
}

/// Units with 16 bits of length before each (section 4.4.2; without DONL, which nobody negotiates for live media).
fn part_of_aggregate(mut units: &[u8]) -> PicturePart {
    let mut part = PicturePart::Prefix;
    for _ in 0..MAX_UNITS {
        let Some((length, rest)) = units.split_first_chunk::<2>() else { break };
        let Some((unit, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
            break;
        };
        part = part.max(unit.first().map_or(PicturePart::Prefix, |head| part_of_type(unit_type(*head))));
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
        for (unit_type, expected) in
            [(1, false), (15, false), (16, true), (19, true), (21, true), (22, false)]
        {
            assert_eq!(starts_keyframe(&[unit_type << 1, 1, 0xaa]), expected, "type {unit_type}");
        }
        assert!(starts_keyframe(&[32 << 1, 1]) && starts_keyframe(&[33 << 1, 1]));
        assert!(!starts_keyframe(&[34 << 1, 1]), "picture parameters");
        assert!(!starts_keyframe(&[19 << 1]), "half a head");
    }

    #[test]
    fn aggregates() {
        assert!(starts_keyframe(&[0x60, 1, 0, 2, 35 << 1, 1, 0, 2, 32 << 1, 1]));
        assert!(!starts_keyframe(&[0x60, 1, 0, 2, 35 << 1, 1, 0, 2, 1 << 1, 1]));
        assert!(!starts_keyframe(&[0x60, 1, 0, 9, 32 << 1]), "the unit leaves the payload");
    }

    #[test]
    fn fragments_count_at_their_start() {
        assert!(starts_keyframe(&[0x62, 1, 0x93, 0xaa]));
        assert!(!starts_keyframe(&[0x62, 1, 19, 0xaa]), "middle");
        assert!(!starts_keyframe(&[0x62, 1, 0x80 | 1, 0xaa]), "other picture");
        assert!(!starts_keyframe(&[0x62, 1]));
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload: Vec<u8>) {
            starts_keyframe(&payload);
        }
    }
}
