//! Where key frames begin, for every codec that the plane knows.

use crate::history::{History, StoredPacket};
use crate::io::Codec;
use crate::rtp::vp8::Vp8Descriptor;
use crate::rtp::vp9::Vp9Descriptor;
use crate::rtp::{PicturePart, av1, h264, h265};
use crate::units::{MediaTime, SeqNo};

/// Packets before the first slice of a picture that are looked at.
const MAX_PREFIX: u64 = 16;

/// Whether a viewer may begin (or switch) at a packet that comes now, by its payload and by what came before it.
///
/// Encoders for live media send parameter sets before the first slice of a key frame (RFC 7742 section 6.2), without
/// which nobody can decode it. A slice is a beginning only where nothing of its picture is missing before it, so that
/// there were none; else the sets are, also when they come late.
pub fn begins(codec: Codec, payload: &[u8], (seq, time): (SeqNo, MediaTime), history: &History) -> bool {
    let part: fn(&[u8]) -> PicturePart = match codec {
        Codec::H264 => h264::picture_part,
        Codec::H265 => h265::picture_part,
        _ => return is_keyframe_start(codec, payload),
    };
    match part(payload) {
        PicturePart::Parameters => true,
        PicturePart::RandomAccess => {
            let mut before = (1..=MAX_PREFIX).map(|back| history.get(SeqNo(seq.0.saturating_sub(back))));
            let last = before.find(|packet| !packet.is_some_and(|packet| is_prefix(packet, time, part)));
            last.flatten().is_some_and(|packet| packet.time != time)
        }
        PicturePart::Prefix | PicturePart::Slice => false,
    }
}

/// Whether a viewer may begin at the packet with this payload, for all that it says itself. Every packet of sound is such
/// a point.
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

fn is_prefix(packet: &StoredPacket, time: MediaTime, part: fn(&[u8]) -> PicturePart) -> bool {
    packet.time == time && part(packet.payload()) == PicturePart::Prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame_mark::FrameMark;
    use crate::rtp::ReceivedExtensions;
    use crate::units::Time;

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

    const SLICE: &[u8] = &[0x41, 0x9a];
    const KEY_SLICE: &[u8] = &[0x65, 0x88];
    const DELIMITER: &[u8] = &[0x09, 0xf0];
    const SEQUENCE_SET: &[u8] = &[0x67, 0x42];
    const PICTURE_SET: &[u8] = &[0x68, 0xce];

    /// Whether a key slice of picture 2 is a beginning after these packets: number, picture, payload.
    fn begins_after(before: &[(u64, u64, &[u8])], seq: u64) -> bool {
        let mut history = History::default();
        for (seq, time, payload) in before {
            let entry = StoredPacket {
                seq: SeqNo(*seq),
                time: MediaTime(*time),
                arrival: Time::ZERO,
                header_length: 0,
                marker: false,
                keyframe_start: false,
                mark: FrameMark::default(),
                picture: None,
                extensions: ReceivedExtensions::default(),
                bytes: Vec::new(),
            };
            history.insert(entry, payload, History::limit(0));
        }
        begins(Codec::H264, KEY_SLICE, (SeqNo(seq), MediaTime(2)), &history)
    }

    #[test]
    fn a_key_slice_is_a_beginning_only_where_no_parameter_sets_can_be_missing() {
        assert!(begins_after(&[(10, 1, SLICE)], 11), "a picture without any");
        assert!(begins_after(&[(10, 1, SLICE), (11, 2, DELIMITER)], 12));
        assert!(
            !begins_after(&[(10, 1, SLICE), (11, 2, SEQUENCE_SET), (12, 2, PICTURE_SET)], 13),
            "they are"
        );
        assert!(!begins_after(&[(10, 1, SLICE)], 12), "lost");
        assert!(!begins_after(&[(10, 1, SLICE), (12, 2, PICTURE_SET)], 13), "half of them lost");
        assert!(!begins_after(&[], 12), "nobody knows");
        assert!(!begins_after(&[(10, 1, SLICE), (11, 2, KEY_SLICE)], 12), "the second slice");
    }

    #[test]
    fn parameter_sets_are_a_beginning_after_anything() {
        let history = History::default();
        assert!(begins(Codec::H264, SEQUENCE_SET, (SeqNo(70_000), MediaTime(2)), &history));
        assert!(begins(Codec::H265, &[33 << 1, 1], (SeqNo(70_000), MediaTime(2)), &history));
        assert!(!begins(Codec::H265, &[19 << 1, 1], (SeqNo(70_000), MediaTime(2)), &history));
        assert!(begins(Codec::Vp8, &[0x10, 0x10], (SeqNo(70_000), MediaTime(2)), &history));
    }

    #[test]
    fn sound_begins_anywhere() {
        for codec in [Codec::Opus, Codec::Opaque] {
            assert!(is_keyframe_start(codec, &[]));
        }
    }
}
