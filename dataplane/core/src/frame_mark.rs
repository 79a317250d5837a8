//! Which temporal and spatial layer a packet's frame belongs to, and where a viewer may take up more of them.

use crate::io::Codec;
use crate::rtp::dependency_descriptor::{DependencyDescriptor, Indication, TemplateStructure};
use crate::rtp::vp8::Vp8Descriptor;
use crate::rtp::vp9::Vp9Descriptor;

const START: u8 = 1;
const END: u8 = 2;
const BEGINS_TEMPORAL: u8 = 4;
const BEGINS_SPATIAL: u8 = 8;

/// The place of a packet's frame among the layers of its encoding; all zero where there is one layer only.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FrameMark {
    /// Spatial layer, the lowest is 0.
    pub spatial: u8,
    /// Temporal layer, the lowest is 0.
    pub temporal: u8,
    /// From this frame on, frames up to this temporal layer refer to nothing before it but what a viewer has that
    /// gets this frame.
    pub opens: u8,
    flags: u8,
}

impl FrameMark {
    /// First packet of a frame of its spatial layer.
    pub fn starts(self) -> bool {
        self.flags & START != 0
    }

    /// Last packet of a frame of its spatial layer.
    pub fn ends(self) -> bool {
        self.flags & END != 0
    }

    /// The frame refers to the lowest temporal layer only: a viewer may take up its temporal layer here.
    pub fn begins_temporal(self) -> bool {
        self.flags & BEGINS_TEMPORAL != 0
    }

    /// The frame refers to nothing earlier of its spatial layer: a viewer may take it up here.
    pub fn begins_spatial(self) -> bool {
        self.flags & BEGINS_SPATIAL != 0
    }

    fn of_vp8(payload: &[u8]) -> Option<FrameMark> {
        let descriptor = Vp8Descriptor::parse(payload)?;
        let flags = flag(descriptor.start_of_frame, START) | flag(descriptor.layer_sync, BEGINS_TEMPORAL);
        Some(FrameMark {
            spatial: 0,
            temporal: descriptor.temporal_id.unwrap_or(0),
            opens: 0,
            flags: flags | BEGINS_SPATIAL,
        })
    }

    fn of_vp9(payload: &[u8]) -> Option<FrameMark> {
        let descriptor = Vp9Descriptor::parse(payload)?;
        Some(FrameMark {
            spatial: descriptor.spatial_id,
            temporal: descriptor.temporal_id,
            // RFC 9628 section 4.2, U: what follows in higher temporal layers refers to nothing before this picture.
            opens: if descriptor.switching_up_point { u8::MAX } else { 0 },
            flags: flag(descriptor.start_of_frame, START)
                | flag(descriptor.end_of_frame, END)
                | flag(!descriptor.inter_predicted, BEGINS_SPATIAL),
        })
    }

    fn of_descriptor(descriptor: DependencyDescriptor, structure: &TemplateStructure) -> Option<FrameMark> {
        let template = structure.template(descriptor.template_id)?;
        let switches = |target: &u8| template.indication(*target) == Indication::Switch;
        let targets = (0..structure.decode_target_count).filter(switches).map(|it| structure.target(it));
        let (mut opens, mut begins_spatial) = (0, false);
        for (spatial, temporal) in targets {
            opens = opens.max(temporal);
            begins_spatial |= spatial == template.spatial_id;
        }
        Some(FrameMark {
            spatial: template.spatial_id,
            temporal: template.temporal_id,
            opens,
            flags: flag(descriptor.start_of_frame, START)
                | flag(descriptor.end_of_frame, END)
                | flag(begins_spatial && opens >= template.temporal_id, BEGINS_SPATIAL),
        })
    }
}

fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

/// Reads the marks of one encoding; descriptors refer to a structure that only key frames carry.
#[derive(Clone, Debug, Default)]
pub struct MarkReader {
    structure: Option<Box<TemplateStructure>>,
}

impl MarkReader {
    /// The mark of a packet; `descriptor`: the data of its dependency descriptor, empty when there is none.
    pub fn read(&mut self, codec: Codec, payload: &[u8], descriptor: &[u8]) -> FrameMark {
        let described = DependencyDescriptor::parse(descriptor).and_then(|parsed| {
            if parsed.has_structure
                && let Some(structure) = TemplateStructure::parse(descriptor)
            {
                self.structure = Some(Box::new(structure));
            }
            FrameMark::of_descriptor(parsed, self.structure.as_deref()?)
        });
        let mark = described.or_else(|| match codec {
            Codec::Vp8 => FrameMark::of_vp8(payload),
            Codec::Vp9 => FrameMark::of_vp9(payload),
            Codec::H264 | Codec::H265 | Codec::Av1 | Codec::Opus | Codec::Opaque => None,
        });
        mark.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vp8_tells_its_temporal_layer_and_where_it_may_be_taken_up() {
        let mut reader = MarkReader::default();
        // X, S; I, L and T; picture id of 15 bits; TL0PICIDX; temporal layer 1 with and without Y.
        let sync = reader.read(Codec::Vp8, &[0x90, 0xe0, 0x80, 1, 7, 0x60, 0x01], &[]);
        assert!(sync.temporal == 1 && sync.starts() && sync.begins_temporal());
        let other = reader.read(Codec::Vp8, &[0x80, 0xe0, 0x80, 1, 7, 0x40, 0x01], &[]);
        assert!(other.temporal == 1 && !other.starts() && !other.begins_temporal());
    }

    #[test]
    fn vp9_tells_both_layers() {
        let mark = MarkReader::default().read(Codec::Vp9, &[0xac, 0x81, 0x02, 0x53, 200, 0xaa], &[]);
        assert_eq!((mark.spatial, mark.temporal, mark.opens), (1, 2, u8::MAX));
        assert!(mark.starts() && mark.ends() && mark.begins_spatial());
    }

    #[test]
    fn a_descriptor_needs_the_structure_of_its_key_frame() {
        let mut reader = MarkReader::default();
        let unknown = reader.read(Codec::Av1, &[0x10, 0x30], &[0xfe, 0, 9]);
        assert_eq!(unknown, FrameMark::default());
        let key = crate::rtp::dependency_descriptor::samples::two_temporal_layers();
        let key = reader.read(Codec::Av1, &[0x18, 0x30], &key);
        assert_eq!((key.spatial, key.temporal, key.opens), (0, 0, 1));
        assert!(key.begins_spatial());
        let upper = reader.read(Codec::Av1, &[0x10, 0x30], &[0xfe, 0, 9]);
        assert_eq!((upper.temporal, upper.opens), (1, 0));
        assert_eq!(reader.read(Codec::H264, &[0x41, 0x9a], &[]), FrameMark::default());
    }
}
