//! The VP9 payload descriptor (RFC 9628 section 4.2).

use super::vp8::PictureId;

/// Most reference differences of one packet in flexible mode (RFC 9628 section 4.2: `P_DIFF` up to three times).
const MAX_REFERENCES: usize = 3;

/// What stands before the VP9 data of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the format, independent of each other")]
pub struct Vp9Descriptor {
    /// Bytes of the descriptor.
    pub header_length: u16,
    /// P: the frame refers to earlier pictures.
    pub inter_predicted: bool,
    /// B: first packet of a frame (of one spatial layer).
    pub start_of_frame: bool,
    /// E: last packet of a frame (of one spatial layer).
    pub end_of_frame: bool,
    /// Counts pictures.
    pub picture_id: Option<PictureId>,
    /// Temporal layer, 0 to 7.
    pub temporal_id: u8,
    /// U: a viewer may switch up to this temporal layer here.
    pub switching_up_point: bool,
    /// Spatial layer, 0 to 7.
    pub spatial_id: u8,
    /// D: the frame refers to the lower spatial layer of its picture.
    pub inter_layer: bool,
    /// Counts pictures of the lowest temporal layer, in non-flexible mode.
    pub tl0_pic_idx: Option<u8>,
    /// Z: no higher spatial layer refers to this frame.
    pub not_reference_for_upper: bool,
    /// Width and height in pixels of the highest spatial layer, when a scalability structure says them.
    pub dimensions: Option<(u16, u16)>,
}

/// Reads byte after byte.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn half(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }
}

impl Vp9Descriptor {
    /// Reads the descriptor of a payload; `None` when it leaves the payload or nothing follows it.
    #[inline]
    pub fn parse(payload: &[u8]) -> Option<Vp9Descriptor> {
        let mut reader = Reader { bytes: payload, at: 0 };
        let flags = reader.byte()?;
        let mut descriptor = Vp9Descriptor {
            header_length: 1,
            inter_predicted: flags & 0x40 != 0,
            start_of_frame: flags & 0x08 != 0,
            end_of_frame: flags & 0x04 != 0,
            picture_id: None,
            temporal_id: 0,
            switching_up_point: false,
            spatial_id: 0,
            inter_layer: false,
            tl0_pic_idx: None,
            not_reference_for_upper: flags & 0x01 != 0,
            dimensions: None,
        };
        let flexible = flags & 0x10 != 0;
        if flags & 0x80 != 0 {
            let high = reader.byte()?;
            descriptor.picture_id = Some(if high & 0x80 != 0 {
                PictureId::Long(u16::from_be_bytes([high & 0x7f, reader.byte()?]))
            } else {
                PictureId::Short(high)
            });
        }
        if flags & 0x20 != 0 {
            descriptor.parse_layers(&mut reader, flexible)?;
        }
        if flexible && descriptor.inter_predicted {
            skip_references(&mut reader)?;
        }
        if flags & 0x02 != 0 {
            descriptor.parse_structure(&mut reader)?;
        }
        descriptor.header_length = reader.at as u16;
        (payload.len() > reader.at).then_some(descriptor)
    }

    fn parse_layers(&mut self, reader: &mut Reader<'_>, flexible: bool) -> Option<()> {
        let layers = reader.byte()?;
        self.temporal_id = layers >> 5;
        self.switching_up_point = layers & 0x10 != 0;
        self.spatial_id = layers >> 1 & 0x07;
        self.inter_layer = layers & 0x01 != 0;
        if !flexible {
            self.tl0_pic_idx = Some(reader.byte()?);
        }
        Some(())
    }

    /// Reads the scalability structure (section 4.2.1); of the sizes in it the last is the highest layer's.
    fn parse_structure(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let head = reader.byte()?;
        if head & 0x10 != 0 {
            for _ in 0..=head >> 5 {
                self.dimensions = Some((reader.half()?, reader.half()?));
            }
        }
        if head & 0x08 != 0 {
            for _ in 0..reader.byte()? {
                let references = reader.byte()? >> 2 & 0x03;
                for _ in 0..references {
                    reader.byte()?;
                }
            }
        }
        Some(())
    }

    /// Whether the packet begins a key picture: its lowest spatial layer refers to nothing.
    #[inline]
    pub fn starts_keyframe(&self) -> bool {
        self.start_of_frame && !self.inter_predicted && self.spatial_id == 0
    }
}

/// Passes over the reference differences; a fourth is malformed.
fn skip_references(reader: &mut Reader<'_>) -> Option<()> {
    for _ in 0..MAX_REFERENCES {
        if reader.byte()? & 1 == 0 {
            return Some(());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_non_flexible_mode() {
        // I, L, B, E; long picture id; temporal 2, U, spatial 1, D; TL0PICIDX 200.
        let descriptor = Vp9Descriptor::parse(&[0xac, 0x81, 0x02, 0x53, 200, 0xaa]).unwrap();
        assert_eq!(descriptor.picture_id, Some(PictureId::Long(0x0102)));
        assert_eq!((descriptor.temporal_id, descriptor.spatial_id), (2, 1));
        assert!(descriptor.switching_up_point && descriptor.inter_layer);
        assert!(descriptor.start_of_frame && descriptor.end_of_frame && !descriptor.inter_predicted);
        assert_eq!((descriptor.tl0_pic_idx, descriptor.header_length), (Some(200), 5));
        assert!(!descriptor.starts_keyframe(), "an upper spatial layer");
    }

    #[test]
    fn reads_flexible_mode_with_references() {
        // I, P, L, F, B, Z; short picture id; two differences.
        let descriptor = Vp9Descriptor::parse(&[0xf9, 0x05, 0x20, 0x03, 0x04, 0xaa]).unwrap();
        assert_eq!(descriptor.picture_id, Some(PictureId::Short(5)));
        assert_eq!((descriptor.temporal_id, descriptor.tl0_pic_idx, descriptor.header_length), (1, None, 5));
        assert!(descriptor.not_reference_for_upper && descriptor.inter_predicted);
        assert_eq!(Vp9Descriptor::parse(&[0xf9, 5, 0x20, 3, 3, 3, 0xaa, 0xaa]), None, "a fourth difference");
    }

    #[test]
    fn reads_the_scalability_structure() {
        // Two spatial layers with sizes, and a group of two pictures with one and two references.
        let payload =
            [0x0a, 0x38, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 2, 0x04, 1, 0x28, 1, 2, 0xaa];
        let descriptor = Vp9Descriptor::parse(&payload).unwrap();
        assert_eq!((descriptor.dimensions, descriptor.header_length), (Some((640, 360)), 16));
        assert!(descriptor.starts_keyframe());
        for length in 0..payload.len() {
            assert_eq!(Vp9Descriptor::parse(&payload[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_key_picture_begins_at_the_lowest_spatial_layer() {
        let starts = |flags: u8, layers: u8| {
            Vp9Descriptor::parse(&[flags, layers, 0, 0xaa]).unwrap().starts_keyframe()
        };
        assert!(starts(0x28, 0x00));
        assert!(!starts(0x68, 0x00), "P is set");
        assert!(!starts(0x20, 0x00), "B is clear");
        assert!(!starts(0x28, 0x02), "spatial layer 1");
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload: Vec<u8>) {
            if let Some(descriptor) = Vp9Descriptor::parse(&payload) {
                prop_assert!(usize::from(descriptor.header_length) < payload.len());
            }
        }
    }
}
