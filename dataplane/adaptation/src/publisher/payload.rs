//! The first bytes of video payloads as codecs write them: descriptors with all counters, and frame headers.

use crate::truth::Truth;

/// Payload bytes of a packet at most; with everything around them they stay below 1,280 bytes.
pub const MAX_PAYLOAD: usize = 1_100;

/// Counters of a source's pictures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PictureNumbers {
    /// Counts pictures, 15 bits on the wire.
    pub picture_id: u64,
    /// Counts pictures of temporal layer 0, 8 bits on the wire.
    pub tl0_pic_idx: u64,
}

/// Splits a frame of `bytes` over as few packets as hold it, all nearly equal.
pub fn split(bytes: usize) -> impl ExactSizeIterator<Item = usize> {
    let bytes = bytes.max(crate::truth::LENGTH + 20);
    let count = bytes.div_ceil(MAX_PAYLOAD);
    (0..count).map(move |n| bytes * (n + 1) / count - bytes * n / count)
}

/// A VP8 payload (RFC 7741 section 4): X; I with 15 bits, L, T; temporal layer 1 refers to layer 0 only (Y) and nothing
/// refers to it (N).
pub fn vp8(truth: Truth, numbers: PictureNumbers, (width, height): (u16, u16), length: usize) -> Vec<u8> {
    let upper = truth.temporal > 0;
    let id = 0x8000 | (numbers.picture_id % 0x8000) as u16;
    let first = 0x80 | if truth.index == 0 { 0x10 } else { 0 } | if upper { 0x20 } else { 0 };
    let layer = truth.temporal << 6 | if upper { 0x20 } else { 0 };
    let mut payload = vec![first, 0xe0, (id >> 8) as u8, id as u8, numbers.tl0_pic_idx as u8, layer];
    if truth.index == 0 {
        // RFC 6386 section 9.1: P bit clear for a key frame, then start code and dimensions.
        payload.extend_from_slice(&[u8::from(!truth.keyframe), 0, 0]);
        if truth.keyframe {
            payload.extend_from_slice(&[0x9d, 0x01, 0x2a]);
            payload.extend_from_slice(&width.to_le_bytes());
            payload.extend_from_slice(&height.to_le_bytes());
        }
    }
    truth.complete(&mut payload, length);
    payload
}

/// A VP9 payload in non-flexible mode (RFC 9628 section 4.2): I, P, L, B, E; 15-bit picture id; TID, U, SID, D and
/// TL0PICIDX. Upper spatial layers are predicted from the one below (D) and, but in key pictures, from their own past.
pub fn vp9(truth: Truth, numbers: PictureNumbers, layers: u8, length: usize) -> Vec<u8> {
    let id = 0x8000 | (numbers.picture_id % 0x8000) as u16;
    let predicted = !truth.keyframe;
    let mut first = 0x80 | 0x20;
    first |= if predicted { 0x40 } else { 0 };
    first |= if truth.index == 0 { 0x08 } else { 0 };
    first |= if truth.index + 1 == truth.count { 0x04 } else { 0 };
    // Z: nothing of an upper spatial layer refers to the highest.
    first |= u8::from(truth.layer + 1 == layers);
    let upper = truth.temporal > 0;
    let layer =
        truth.temporal << 5 | if upper { 0x10 } else { 0 } | truth.layer << 1 | u8::from(truth.layer > 0);
    let mut payload = vec![first, (id >> 8) as u8, id as u8, layer, numbers.tl0_pic_idx as u8];
    truth.complete(&mut payload, length);
    payload
}

#[cfg(test)]
mod tests {
    use loupe_core::rtp::vp8::{PictureId, Vp8Descriptor};
    use loupe_core::rtp::vp9::Vp9Descriptor;

    use super::*;

    fn truth(index: u16, temporal: u8, layer: u8, keyframe: bool) -> Truth {
        Truth { capture_us: 5, frame: 7, layer, temporal, keyframe, index, count: 2 }
    }

    const NUMBERS: PictureNumbers = PictureNumbers { picture_id: 40_000, tl0_pic_idx: 300 };

    #[test]
    fn frames_are_split_evenly_and_whole() {
        for bytes in [1, 60, 1_100, 1_101, 27_541] {
            let parts: Vec<usize> = split(bytes).collect();
            assert_eq!(parts.iter().sum::<usize>(), bytes.max(40));
            let (least, most) = (parts.iter().min().unwrap(), parts.iter().max().unwrap());
            assert!(most - least <= 1 && *most <= MAX_PAYLOAD);
        }
    }

    #[test]
    fn the_plane_reads_vp8_as_it_is_meant() {
        let payload = vp8(truth(0, 0, 0, true), NUMBERS, (1280, 720), 500);
        let descriptor = Vp8Descriptor::parse(&payload).unwrap();
        assert!(descriptor.starts_keyframe(&payload) && !descriptor.non_reference);
        assert_eq!(descriptor.dimensions(&payload), Some((1280, 720)));
        assert_eq!(descriptor.picture_id, Some(PictureId::Long(40_000 - 32_768)));
        assert_eq!((descriptor.tl0_pic_idx, descriptor.temporal_id), (Some(44), Some(0)));
        let payload = vp8(truth(1, 1, 0, false), NUMBERS, (1280, 720), 500);
        let descriptor = Vp8Descriptor::parse(&payload).unwrap();
        assert!(!descriptor.start_of_frame && descriptor.non_reference && descriptor.layer_sync);
        assert_eq!(descriptor.temporal_id, Some(1));
        assert_eq!(Truth::read(&payload), Some(truth(1, 1, 0, false)));
    }

    #[test]
    fn the_plane_reads_vp9_as_it_is_meant() {
        let payload = vp9(truth(0, 0, 0, true), NUMBERS, 3, 500);
        let descriptor = Vp9Descriptor::parse(&payload).unwrap();
        assert!(
            descriptor.starts_keyframe() && !descriptor.inter_layer && !descriptor.not_reference_for_upper
        );
        let payload = vp9(truth(1, 1, 2, false), NUMBERS, 3, 500);
        let descriptor = Vp9Descriptor::parse(&payload).unwrap();
        assert!(descriptor.end_of_frame && !descriptor.start_of_frame && descriptor.inter_predicted);
        assert!(
            descriptor.inter_layer && descriptor.switching_up_point && descriptor.not_reference_for_upper
        );
        assert_eq!((descriptor.temporal_id, descriptor.spatial_id), (1, 2));
        assert_eq!(descriptor.tl0_pic_idx, Some(44));
    }
}
