//! H.264 payloads (RFC 6184): where a key frame begins.

const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const STAP_A: u8 = 24;
const STAP_B: u8 = 25;
const FU_A: u8 = 28;
const FU_B: u8 = 29;
/// Most units looked at in one aggregate: parameter sets and the slice come first.
const MAX_UNITS: usize = 32;

fn is_key_unit(head: u8) -> bool {
    matches!(head & 0x1f, IDR_SLICE | SEQUENCE_PARAMETERS)
}

/// Whether a payload holds the beginning of an IDR slice or a sequence parameter set.
///
/// Encoders for live media send parameter sets right before the IDR picture, so a viewer may join at either; when the
/// sets come first, the picture that follows is complete with them.
#[inline]
pub fn starts_keyframe(payload: &[u8]) -> bool {
    let Some(&head) = payload.first() else { return false };
    match head & 0x1f {
        STAP_A => aggregate_has_key_unit(payload.get(1..).unwrap_or_default()),
        // Two bytes of decoding order number stand before the units (section 5.7.1).
        STAP_B => aggregate_has_key_unit(payload.get(3..).unwrap_or_default()),
        FU_A | FU_B => payload.get(1).is_some_and(|fragment| fragment & 0x80 != 0 && is_key_unit(*fragment)),
        _ => is_key_unit(head),
    }
}

/// Units with 16 bits of length before each (section 5.7.1); one that leaves the payload ends the search.
fn aggregate_has_key_unit(mut units: &[u8]) -> bool {
    for _ in 0..MAX_UNITS {
        let Some((length, rest)) = units.split_first_chunk::<2>() else { return false };
        let Some((unit, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
            return false;
        };
        if unit.first().is_some_and(|head| is_key_unit(*head)) {
            return true;
        }
        units = rest;
    }
    false
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
