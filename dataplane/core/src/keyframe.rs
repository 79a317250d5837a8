//! Where key frames begin, for every codec that the plane knows.

use crate::io::Codec;
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
        }
    }
}
