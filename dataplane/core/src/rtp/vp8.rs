//! The VP8 payload descriptor (RFC 7741 section 4.2), read and rewritten in place.

use crate::seq::{wire7, wire8, wire15};

/// A picture id as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PictureId {
    /// 7 bits.
    Short(u8),
    /// 15 bits.
    Long(u16),
}

/// What stands before the VP8 data of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vp8Descriptor {
    /// Bytes of the descriptor.
    pub header_length: u8,
    /// First packet of a frame: S is set and the partition is 0.
    pub start_of_frame: bool,
    /// N: no other frame refers to this one.
    pub non_reference: bool,
    /// Counts frames.
    pub picture_id: Option<PictureId>,
    /// Counts frames of the lowest temporal layer.
    pub tl0_pic_idx: Option<u8>,
    /// Temporal layer, 0 to 3.
    pub temporal_id: Option<u8>,
    /// Y: the frame refers to the lowest temporal layer only, so a viewer may switch up here.
    pub layer_sync: bool,
    /// Counts key frames, five bits.
    pub key_idx: Option<u8>,
    /// Where in the payload the picture id stands; meaningful when there is one.
    pub picture_id_offset: u8,
    /// Where in the payload TL0PICIDX stands; meaningful when there is one.
    pub tl0_pic_idx_offset: u8,
}

impl Vp8Descriptor {
    /// Reads the descriptor of a payload; `None` when it leaves the payload or nothing follows it.
    #[inline]
    pub fn parse(payload: &[u8]) -> Option<Vp8Descriptor> {
        let first = *payload.first()?;
        let mut descriptor = Vp8Descriptor {
            header_length: 1,
            start_of_frame: first & 0x17 == 0x10,
            non_reference: first & 0x20 != 0,
            picture_id: None,
            tl0_pic_idx: None,
            temporal_id: None,
            layer_sync: false,
            key_idx: None,
            picture_id_offset: 0,
            tl0_pic_idx_offset: 0,
        };
        if first & 0x80 != 0 {
            descriptor.parse_extension(payload)?;
        }
        (payload.len() > usize::from(descriptor.header_length)).then_some(descriptor)
    }

    fn parse_extension(&mut self, payload: &[u8]) -> Option<()> {
        let flags = *payload.get(1)?;
        let mut at = 2;
        if flags & 0x80 != 0 {
            self.picture_id_offset = at as u8;
            let high = *payload.get(at)?;
            if high & 0x80 != 0 {
                let low = *payload.get(at + 1)?;
                self.picture_id = Some(PictureId::Long(u16::from_be_bytes([high & 0x7f, low])));
                at += 2;
            } else {
                self.picture_id = Some(PictureId::Short(high));
                at += 1;
            }
        }
        if flags & 0x40 != 0 {
            self.tl0_pic_idx_offset = at as u8;
            self.tl0_pic_idx = Some(*payload.get(at)?);
            at += 1;
        }
        if flags & 0x30 != 0 {
            let byte = *payload.get(at)?;
            if flags & 0x20 != 0 {
                self.temporal_id = Some(byte >> 6);
                self.layer_sync = byte & 0x20 != 0;
            }
            if flags & 0x10 != 0 {
                self.key_idx = Some(byte & 0x1f);
            }
            at += 1;
        }
        self.header_length = at as u8;
        Some(())
    }

    /// Writes new numbers over those of `payload`, each in the width it has there; what is absent stays absent.
    #[inline]
    pub fn rewrite(&self, payload: &mut [u8], picture_id: u64, tl0_pic_idx: u64) {
        let at = usize::from(self.picture_id_offset);
        match self.picture_id {
            Some(PictureId::Long(_)) => {
                if let Some(bytes) = payload.get_mut(at..at + 2) {
                    bytes.copy_from_slice(&(0x8000 | wire15(picture_id)).to_be_bytes());
                }
            }
            Some(PictureId::Short(_)) => {
                if let Some(byte) = payload.get_mut(at) {
                    *byte = wire7(picture_id);
                }
            }
            None => {}
        }
        if self.tl0_pic_idx.is_some()
            && let Some(byte) = payload.get_mut(usize::from(self.tl0_pic_idx_offset))
        {
            *byte = wire8(tl0_pic_idx);
        }
    }

    /// Whether `payload` begins a key frame: the P bit of the frame header is clear (RFC 7741 section 4.3).
    #[inline]
    pub fn starts_keyframe(&self, payload: &[u8]) -> bool {
        self.start_of_frame && payload.get(usize::from(self.header_length)).is_some_and(|byte| byte & 1 == 0)
    }

    /// Width and height in pixels from the header of a key frame (RFC 6386 section 9.1); `None` when `payload` does
    /// not begin one.
    pub fn dimensions(&self, payload: &[u8]) -> Option<(u16, u16)> {
        if !self.starts_keyframe(payload) {
            return None;
        }
        let header = payload.get(usize::from(self.header_length)..)?.first_chunk::<10>()?;
        if header[3..6] != [0x9d, 0x01, 0x2a] {
            return None;
        }
        // The upper two bits of each are a scale for the viewer.
        let width = u16::from_le_bytes([header[6], header[7]]) & 0x3fff;
        let height = u16::from_le_bytes([header[8], header[9]]) & 0x3fff;
        Some((width, height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// X, S; I with 15 bits, L, T and K; a key frame of 640x480.
    const FULL: [u8; 17] = [
        0x90, 0xf0, 0x92, 0x34, 0xfe, 0x6b, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x41, 0xff,
    ];

    #[test]
    fn reads_every_field() {
        let descriptor = Vp8Descriptor::parse(&FULL).unwrap();
        assert_eq!(descriptor.header_length, 6);
        assert!(descriptor.start_of_frame && !descriptor.non_reference && descriptor.layer_sync);
        assert_eq!(descriptor.picture_id, Some(PictureId::Long(0x1234)));
        assert_eq!(descriptor.tl0_pic_idx, Some(0xfe));
        assert_eq!((descriptor.temporal_id, descriptor.key_idx), (Some(1), Some(11)));
        assert!(descriptor.starts_keyframe(&FULL));
        assert_eq!(descriptor.dimensions(&FULL), Some((640, 480)));
    }

    #[test]
    fn rewrites_each_width_and_nothing_else() {
        let mut payload = FULL;
        Vp8Descriptor::parse(&FULL).unwrap().rewrite(&mut payload, 0x1_8001, 0x101);
        assert_eq!(payload[..6], [0x90, 0xf0, 0x80, 0x01, 0x01, 0x6b]);
        assert_eq!(payload[6..], FULL[6..]);

        let mut short = [0x90, 0x80, 0x7f, 0x00];
        Vp8Descriptor::parse(&short.clone()).unwrap().rewrite(&mut short, 0x80, 9);
        assert_eq!(short, [0x90, 0x80, 0x00, 0x00]);

        let mut bare = [0x10, 0x01];
        Vp8Descriptor::parse(&bare.clone()).unwrap().rewrite(&mut bare, 77, 9);
        assert_eq!(bare, [0x10, 0x01]);
    }

    #[test]
    fn a_key_frame_begins_at_partition_zero_with_p_clear() {
        let starts = |payload: &[u8]| Vp8Descriptor::parse(payload).unwrap().starts_keyframe(payload);
        assert!(starts(&[0x10, 0x10]));
        assert!(!starts(&[0x10, 0x11]), "P is set");
        assert!(!starts(&[0x00, 0x10]), "S is clear");
        assert!(!starts(&[0x11, 0x10]), "partition 1");
        assert_eq!(Vp8Descriptor::parse(&[0x10, 0x11]).unwrap().dimensions(&[0x10, 0x11]), None);
    }

    #[test]
    fn layers_without_key_index_and_the_other_way_round() {
        let layers = Vp8Descriptor::parse(&[0xb0, 0x20, 0xff, 0x01]).unwrap();
        assert_eq!((layers.temporal_id, layers.key_idx, layers.layer_sync), (Some(3), None, true));
        assert!(layers.non_reference);
        let index = Vp8Descriptor::parse(&[0x90, 0x10, 0xff, 0x01]).unwrap();
        assert_eq!((index.temporal_id, index.key_idx, index.layer_sync), (None, Some(31), false));
    }

    #[test]
    fn every_truncation_is_refused() {
        for length in 0..=6 {
            assert_eq!(Vp8Descriptor::parse(&FULL[..length]), None, "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_payload_panics(mut payload: Vec<u8>, picture_id: u64, tl0_pic_idx: u64) {
            if let Some(descriptor) = Vp8Descriptor::parse(&payload) {
                descriptor.dimensions(&payload);
                descriptor.rewrite(&mut payload, picture_id, tl0_pic_idx);
                let again = Vp8Descriptor::parse(&payload).unwrap();
                prop_assert_eq!(again.header_length, descriptor.header_length);
                prop_assert_eq!(again.temporal_id, descriptor.temporal_id);
                prop_assert_eq!(again.tl0_pic_idx.is_some(), descriptor.tl0_pic_idx.is_some());
            }
        }
    }
}
