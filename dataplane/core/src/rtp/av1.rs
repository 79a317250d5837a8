//! AV1 payloads (AOM "RTP Payload Format for AV1", section 4.4): where a coded video sequence begins.

const SEQUENCE_HEADER: u8 = 1;
/// Most elements looked at in one packet: temporal delimiter and sequence header come first.
const MAX_ELEMENTS: usize = 8;
/// Most bytes of a leb128 number (AV1 specification section 4.10.5).
const MAX_LEB128: usize = 8;

/// The aggregation header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Aggregation {
    /// Z: the first element continues one of the packet before.
    pub continues: bool,
    /// Y: the last element goes on in the next packet.
    pub continued: bool,
    /// W: elements in the packet; 0 means that every element has its length before it.
    pub elements: u8,
    /// N: first packet of a coded video sequence.
    pub new_sequence: bool,
}

impl Aggregation {
    /// Reads the first byte of a payload; `None` when nothing follows it.
    #[inline]
    pub fn parse(payload: &[u8]) -> Option<Aggregation> {
        let (first, rest) = payload.split_first()?;
        (!rest.is_empty()).then_some(Aggregation {
            continues: first & 0x80 != 0,
            continued: first & 0x40 != 0,
            elements: first >> 4 & 0x03,
            new_sequence: first & 0x08 != 0,
        })
    }
}

/// Whether a payload begins a coded video sequence: the N bit says so, or an element is a sequence header.
#[inline]
pub fn starts_keyframe(payload: &[u8]) -> bool {
    let Some(aggregation) = Aggregation::parse(payload) else { return false };
    if aggregation.continues {
        return false;
    }
    aggregation.new_sequence
        || has_sequence_header(payload.get(1..).unwrap_or_default(), aggregation.elements)
}

fn has_sequence_header(mut rest: &[u8], elements: u8) -> bool {
    for index in 1..=MAX_ELEMENTS {
        let is_last = usize::from(elements) == index;
        let element = if is_last {
            rest
        } else {
            let Some((length, body)) = leb128(rest) else { return false };
            let Some((element, after)) = body.split_at_checked(length) else { return false };
            rest = after;
            element
        };
        let unit_type = element.first().map(|head| head >> 3 & 0x0f);
        if unit_type == Some(SEQUENCE_HEADER) {
            return true;
        }
        if is_last || rest.is_empty() {
            return false;
        }
    }
    false
}

/// A number of seven bits a byte, lowest first, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(MAX_LEB128).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_aggregation_header() {
        let expected = Aggregation { continues: true, continued: false, elements: 2, new_sequence: true };
        assert_eq!(Aggregation::parse(&[0xa8, 0]), Some(expected));
        assert_eq!(Aggregation::parse(&[0xa8]), None);
        assert_eq!(Aggregation::parse(&[]), None);
    }

    #[test]
    fn the_n_bit_begins_a_sequence() {
        assert!(starts_keyframe(&[0x18, 0x30]));
        assert!(!starts_keyframe(&[0x10, 0x30]));
        assert!(!starts_keyframe(&[0x98, 0x30]), "the first element continues another");
    }

    #[test]
    fn a_sequence_header_is_found_behind_a_delimiter() {
        // W is 0: every element has its length. Temporal delimiter (2), then sequence header (1).
        assert!(starts_keyframe(&[0x00, 1, 0x12, 2, 0x0a, 0xff]));
        // W is 2: the last element has no length.
        assert!(starts_keyframe(&[0x20, 1, 0x12, 0x0a, 0xff]));
        assert!(!starts_keyframe(&[0x20, 1, 0x12, 0x32, 0xff]), "a frame");
        assert!(!starts_keyframe(&[0x00, 9, 0x0a]), "the element leaves the payload");
        assert!(!starts_keyframe(&[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x0a]));
    }

    #[test]
    fn lengths_have_seven_bits_a_byte() {
        assert_eq!(leb128(&[0xe5, 0x8e, 0x26, 7]), Some((624_485, &[7][..])));
        assert_eq!(leb128(&[0x80]), None);
        assert_eq!(leb128(&[0x80; 9]), None);
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload: Vec<u8>) {
            starts_keyframe(&payload);
        }
    }
}
