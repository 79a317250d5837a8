//! Where frames and key frames begin, for every codec that the plane knows.

use crate::io::Codec;
use crate::rtp::av1::Aggregation;
use crate::rtp::vp8::Vp8Descriptor;
use crate::rtp::vp9::Vp9Descriptor;
use crate::rtp::{av1, h264, h265};

/// Whether a viewer may begin (or switch) at the packet with this payload. Every packet of sound is such a point.
#[inline]
pub fn is_keyframe_start(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Vp8 => {
            Vp8Descriptor::parse(payload).is_some_and(|descriptor| descriptor.starts_keyframe(payload))
        }
        Codec::Vp9 => Vp9Descriptor::parse(payload).is_some_and(|descriptor| descriptor.starts_keyframe()),
        Codec::H264 => h264::starts_keyframe(payload),
        Codec::H265 => h265::starts_keyframe(payload),
        Codec::Av1 => av1::starts_keyframe(payload),
        Codec::Opus | Codec::Opaque => true,
    }
}

/// Whether the packet with this payload is the first of a frame; `None` when the payload does not say. Then a new
/// timestamp is the only sign.
#[inline]
pub fn frame_start(codec: Codec, payload: &[u8]) -> Option<bool> {
    match codec {
        Codec::Vp8 => Vp8Descriptor::parse(payload).map(|descriptor| descriptor.start_of_frame),
        Codec::Vp9 => Vp9Descriptor::parse(payload).map(|descriptor| descriptor.start_of_frame),
        // A continued element is surely not the first; an element that begins may be any of the frame's.
        Codec::Av1 => Aggregation::parse(payload).and_then(|aggregation| {
            aggregation.continues.then_some(false).or(aggregation.new_sequence.then_some(true))
        }),
        Codec::H264 | Codec::H265 => None,
        Codec::Opus | Codec::Opaque => Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_PAYLOADS: [(Codec, &[u8]); 5] = [
        (Codec::Vp8, &[0x10, 0x10]),
        (Codec::Vp9, &[0x08, 0xaa]),
        (Codec::H264, &[0x65, 0x88]),
        (Codec::H265, &[19 << 1, 1]),
        (Codec::Av1, &[0x18, 0x30]),
    ];
    const DELTA_PAYLOADS: [(Codec, &[u8]); 5] = [
        (Codec::Vp8, &[0x10, 0x11]),
        (Codec::Vp9, &[0x48, 0xaa]),
        (Codec::H264, &[0x41, 0x9a]),
        (Codec::H265, &[1 << 1, 1]),
        (Codec::Av1, &[0x10, 0x30]),
    ];

    #[test]
    fn key_frames_are_told_from_others() {
        for (codec, payload) in KEY_PAYLOADS {
            assert!(is_keyframe_start(codec, payload), "{codec:?}");
        }
        for (codec, payload) in DELTA_PAYLOADS {
            assert!(!is_keyframe_start(codec, payload), "{codec:?}");
            assert!(!is_keyframe_start(codec, &[]), "{codec:?}");
        }
    }

    #[test]
    fn sound_begins_anywhere() {
        for codec in [Codec::Opus, Codec::Opaque] {
            assert!(is_keyframe_start(codec, &[]));
            assert_eq!(frame_start(codec, &[1]), Some(true));
        }
    }

    #[test]
    fn frames_begin_where_the_payload_says_so() {
        assert_eq!(frame_start(Codec::Vp8, &[0x10, 0x11]), Some(true));
        assert_eq!(frame_start(Codec::Vp8, &[0x00, 0x11]), Some(false));
        assert_eq!(frame_start(Codec::Vp9, &[0x48, 0xaa]), Some(true));
        assert_eq!(frame_start(Codec::Vp9, &[0x40, 0xaa]), Some(false));
        assert_eq!(frame_start(Codec::Av1, &[0x18, 0x30]), Some(true));
        assert_eq!(frame_start(Codec::Av1, &[0x90, 0x30]), Some(false));
        assert_eq!(frame_start(Codec::Av1, &[0x10, 0x30]), None);
        assert_eq!(frame_start(Codec::H264, &[0x65, 0x88]), None);
        assert_eq!(frame_start(Codec::H265, &[19 << 1, 1]), None);
    }
}
