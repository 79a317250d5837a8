//! The dependency descriptor header extension (AOM "RTP Payload Format for AV1", appendix A): which frame a packet
//! belongs to and which layers that frame serves, for any codec.

use crate::seq::forward6;

/// Most templates of a structure: ids have six bits.
pub const MAX_TEMPLATES: usize = 64;
/// Most decode targets of a structure: the count has five bits.
pub const MAX_DECODE_TARGETS: usize = 32;
/// Most frame differences of one template; the format sets no bound.
const MAX_FRAME_DIFFERENCES: usize = 16;
/// Bytes of the mandatory fields.
const MANDATORY_LENGTH: usize = 3;

/// The mandatory fields, and whether a structure follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DependencyDescriptor {
    /// First packet of a frame.
    pub start_of_frame: bool,
    /// Last packet of a frame.
    pub end_of_frame: bool,
    /// Names a template of the structure in force, six bits.
    pub template_id: u8,
    /// Counts frames of all layers, 16 bits.
    pub frame_number: u16,
    /// A new template structure follows: the frame is a key frame.
    pub has_structure: bool,
}

impl DependencyDescriptor {
    /// Reads the extension's data; `None` when they are shorter than three bytes.
    #[inline]
    pub fn parse(data: &[u8]) -> Option<DependencyDescriptor> {
        let fields = data.first_chunk::<MANDATORY_LENGTH>()?;
        Some(DependencyDescriptor {
            start_of_frame: fields[0] & 0x80 != 0,
            end_of_frame: fields[0] & 0x40 != 0,
            template_id: fields[0] & 0x3f,
            frame_number: u16::from_be_bytes([fields[1], fields[2]]),
            has_structure: data.get(MANDATORY_LENGTH).is_some_and(|flags| flags & 0x80 != 0),
        })
    }

    /// Whether the packet begins a key frame.
    #[inline]
    pub fn starts_keyframe(&self) -> bool {
        self.start_of_frame && self.has_structure
    }
}

/// What a decode target needs of a frame (table A.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Indication {
    /// The frame is not part of the target.
    NotPresent,
    /// No other frame of the target refers to it.
    Discardable,
    /// A viewer may switch to the target here.
    Switch,
    /// Part of the target, and others refer to it.
    Required,
}

/// The layers of the frames of one template.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Template {
    /// Spatial layer, 0 to 3.
    pub spatial_id: u8,
    /// Temporal layer, 0 to 7.
    pub temporal_id: u8,
    /// Two bits per decode target, the first in the lowest.
    indications: u64,
}

impl Template {
    /// What the decode target needs of the frame; a target that does not exist needs nothing.
    pub fn indication(&self, target: u8) -> Indication {
        let bits = self.indications.checked_shr(2 * u32::from(target)).unwrap_or(0) & 3;
        match bits {
            0 => Indication::NotPresent,
            1 => Indication::Discardable,
            2 => Indication::Switch,
            _ => Indication::Required,
        }
    }
}

/// The templates that later descriptors name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TemplateStructure {
    id_offset: u8,
    template_count: u8,
    /// Decode targets, 1 to 32.
    pub decode_target_count: u8,
    /// Decode targets that the sender produces now, the first in the lowest bit.
    pub active_decode_targets: u32,
    /// Highest spatial layer.
    pub max_spatial_id: u8,
    /// Highest temporal layer.
    pub max_temporal_id: u8,
    /// Width and height in pixels of the highest spatial layer, when given.
    pub dimensions: Option<(u32, u32)>,
    templates: [Template; MAX_TEMPLATES],
    /// Highest spatial and temporal layer of each decode target.
    targets: [(u8, u8); MAX_DECODE_TARGETS],
}

impl TemplateStructure {
    /// Reads the structure out of the extension's data; `None` when there is none or it is malformed.
    pub fn parse(data: &[u8]) -> Option<TemplateStructure> {
        let mut bits = Bits { bytes: data.get(MANDATORY_LENGTH..)?, at: 0 };
        if bits.take(1)? == 0 {
            return None;
        }
        let active_follows = bits.take(1)? == 1;
        // Custom indications, differences and chains belong to the frame's own definition, after the structure.
        bits.take(3)?;
        let mut structure = TemplateStructure {
            id_offset: bits.take(6)? as u8,
            template_count: 0,
            decode_target_count: bits.take(5)? as u8 + 1,
            active_decode_targets: 0,
            max_spatial_id: 0,
            max_temporal_id: 0,
            dimensions: None,
            templates: [Template::default(); MAX_TEMPLATES],
            targets: [(0, 0); MAX_DECODE_TARGETS],
        };
        structure.parse_layers(&mut bits)?;
        structure.parse_indications(&mut bits)?;
        structure.skip_differences(&mut bits)?;
        structure.skip_chains(&mut bits)?;
        structure.parse_dimensions(&mut bits)?;
        let targets = u32::from(structure.decode_target_count);
        structure.active_decode_targets = if active_follows {
            bits.take(targets)?
        } else {
            u32::MAX >> (MAX_DECODE_TARGETS as u32 - targets)
        };
        Some(structure)
    }

    /// The template that a descriptor names; `None` when this structure does not have it.
    #[inline]
    pub fn template(&self, template_id: u8) -> Option<&Template> {
        let index = forward6(self.id_offset, template_id);
        self.templates[..usize::from(self.template_count)].get(usize::from(index))
    }

    /// Highest spatial and temporal layer of a decode target; (0, 0) for one that does not exist.
    pub fn target(&self, target: u8) -> (u8, u8) {
        self.targets.get(usize::from(target)).copied().unwrap_or_default()
    }

    fn parse_layers(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let (mut spatial_id, mut temporal_id) = (0, 0);
        loop {
            let template = self.templates.get_mut(usize::from(self.template_count))?;
            (template.spatial_id, template.temporal_id) = (spatial_id, temporal_id);
            self.template_count += 1;
            self.max_spatial_id = spatial_id;
            self.max_temporal_id = self.max_temporal_id.max(temporal_id);
            match bits.take(2)? {
                0 => {}
                1 => temporal_id += 1,
                2 => (spatial_id, temporal_id) = (spatial_id + 1, 0),
                _ => return Some(()),
            }
            if spatial_id > 3 || temporal_id > 7 {
                return None;
            }
        }
    }

    fn parse_indications(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        for template in &mut self.templates[..usize::from(self.template_count)] {
            for target in 0..self.decode_target_count {
                let indication = u64::from(bits.take(2)?);
                template.indications |= indication << (2 * target);
                if indication != 0 {
                    let (spatial, temporal) = &mut self.targets[usize::from(target)];
                    *spatial = (*spatial).max(template.spatial_id);
                    *temporal = (*temporal).max(template.temporal_id);
                }
            }
        }
        Some(())
    }

    fn skip_differences(&self, bits: &mut Bits<'_>) -> Option<()> {
        for _ in 0..self.template_count {
            let mut differences = 0;
            while bits.take(1)? == 1 {
                bits.take(4)?;
                differences += 1;
                if differences > MAX_FRAME_DIFFERENCES {
                    return None;
                }
            }
        }
        Some(())
    }

    fn skip_chains(&self, bits: &mut Bits<'_>) -> Option<()> {
        let chains = bits.non_symmetric(u32::from(self.decode_target_count) + 1)?;
        if chains == 0 {
            return Some(());
        }
        for _ in 0..self.decode_target_count {
            bits.non_symmetric(chains)?;
        }
        for _ in 0..u32::from(self.template_count) * chains {
            bits.take(4)?;
        }
        Some(())
    }

    fn parse_dimensions(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        if bits.take(1)? == 1 {
            for _ in 0..=self.max_spatial_id {
                self.dimensions = Some((bits.take(16)? + 1, bits.take(16)? + 1));
            }
        }
        Some(())
    }
}

/// Reads bits, the highest of a byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `count` (at most 32) bits.
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// A number below `count`, `ns(n)` of the AV1 specification section 4.10.7.
    fn non_symmetric(&mut self, count: u32) -> Option<u32> {
        let width = 32 - count.leading_zeros();
        let short = (1 << width) - count;
        let value = self.take(width - 1)?;
        if value < short { Some(value) } else { Some((value << 1) - short + self.take(1)?) }
    }
}

#[cfg(test)]
pub(crate) mod samples {
    //! Descriptors for tests here and of who reads them.

    /// One spatial and two temporal layers, two decode targets, one chain, templates from id 60 on.
    pub(crate) fn two_temporal_layers() -> Vec<u8> {
        super::tests::two_temporal_layers(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes `(value, bits)` one after another and pads with zeros.
    fn packed(fields: &[(u32, u32)]) -> Vec<u8> {
        let bits: Vec<u8> = fields
            .iter()
            .flat_map(|(value, count)| (0..*count).rev().map(move |bit| (value >> bit & 1) as u8))
            .collect();
        bits.chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | bit << (7 - at)))
            .collect()
    }

    /// One spatial and two temporal layers, two decode targets, one chain, templates from id 60 on.
    pub(super) fn two_temporal_layers(active: Option<u32>) -> Vec<u8> {
        let mut fields = vec![(1, 1), (0, 1), (60, 6), (0x1234, 16)];
        fields.extend([(1, 1), (u32::from(active.is_some()), 1), (0, 3), (60, 6), (1, 5)]);
        // Templates: key frame and base layer (0), then temporal layer 1.
        fields.extend([(0, 2), (1, 2), (3, 2)]);
        // Indications: targets 0 and 1 of each template.
        fields.extend([(2, 2), (2, 2), (3, 2), (3, 2), (0, 2), (1, 2)]);
        // Differences: none; 2; 1.
        fields.extend([(0, 1), (1, 1), (1, 4), (0, 1), (1, 1), (0, 4), (0, 1)]);
        // ns(3) = 1 chain takes two bits; ns(1) takes none; chain differences.
        fields.extend([(2, 2), (0, 4), (2, 4), (1, 4)]);
        fields.extend([(1, 1), (1279, 16), (719, 16)]);
        fields.extend(active.map(|targets| (targets, 2)));
        packed(&fields)
    }

    #[test]
    fn reads_the_mandatory_fields() {
        let descriptor = DependencyDescriptor::parse(&[0xc5, 0xff, 0xfe]).unwrap();
        assert!(descriptor.start_of_frame && descriptor.end_of_frame && !descriptor.has_structure);
        assert_eq!((descriptor.template_id, descriptor.frame_number), (5, 0xfffe));
        assert!(!descriptor.starts_keyframe());
        assert_eq!(DependencyDescriptor::parse(&[0xc5, 0xff]), None);
        assert_eq!(TemplateStructure::parse(&[0xc5, 0xff, 0xfe]), None);
        assert_eq!(TemplateStructure::parse(&[0xc5, 0xff, 0xfe, 0x40, 0]), None, "no structure");
    }

    #[test]
    fn reads_the_structure() {
        let data = two_temporal_layers(None);
        assert!(DependencyDescriptor::parse(&data).unwrap().starts_keyframe());
        let structure = TemplateStructure::parse(&data).unwrap();
        assert_eq!((structure.max_spatial_id, structure.max_temporal_id), (0, 1));
        assert_eq!((structure.decode_target_count, structure.active_decode_targets), (2, 0b11));
        assert_eq!(structure.dimensions, Some((1280, 720)));
        assert_eq!(
            [structure.target(0), structure.target(1), structure.target(40)],
            [(0, 0), (0, 1), (0, 0)]
        );
        let layer = |id| structure.template(id).map(|template| (template.spatial_id, template.temporal_id));
        assert_eq!([layer(60), layer(61), layer(62)], [Some((0, 0)), Some((0, 0)), Some((0, 1))]);
        assert_eq!([layer(63), layer(0), layer(59)], [None; 3]);
        let template = structure.template(62).unwrap();
        assert_eq!(template.indication(0), Indication::NotPresent);
        assert_eq!(template.indication(1), Indication::Discardable);
        assert_eq!(template.indication(200), Indication::NotPresent);
        assert_eq!(structure.template(60).unwrap().indication(1), Indication::Switch);
        assert_eq!(structure.template(61).unwrap().indication(0), Indication::Required);
    }

    #[test]
    fn reads_the_active_targets() {
        let structure = TemplateStructure::parse(&two_temporal_layers(Some(0b01))).unwrap();
        assert_eq!(structure.active_decode_targets, 0b01);
    }

    #[test]
    fn every_truncation_is_refused() {
        let data = two_temporal_layers(None);
        for length in 0..data.len() {
            assert_eq!(TemplateStructure::parse(&data[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn layers_and_templates_are_bounded() {
        let head = [(0, 24), (1, 1), (0, 4), (0, 6), (0, 5)];
        let with = |next: u32, count: usize| {
            let mut fields = head.to_vec();
            fields.extend(vec![(next, 2); count]);
            fields.extend([(3, 2)]);
            let mut data = packed(&fields);
            data.resize(200, 0);
            TemplateStructure::parse(&data)
        };
        assert!(with(0, MAX_TEMPLATES - 1).is_some() && with(0, MAX_TEMPLATES).is_none());
        assert!(with(1, 7).is_some() && with(1, 8).is_none());
        assert!(with(2, 3).is_some() && with(2, 4).is_none());
    }

    #[test]
    fn numbers_below_a_bound_take_as_few_bits_as_they_need() {
        let read = |byte: u8, count| Bits { bytes: &[byte], at: 0 }.non_symmetric(count);
        assert_eq!(read(0, 1), Some(0));
        assert_eq!([read(0x00, 5), read(0x40, 5), read(0x80, 5)], [Some(0), Some(1), Some(2)]);
        assert_eq!([read(0xc0, 5), read(0xe0, 5)], [Some(3), Some(4)]);
    }

    proptest! {
        #[test]
        fn no_data_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
            DependencyDescriptor::parse(&data);
            TemplateStructure::parse(&data);
        }

        #[test]
        fn no_structure_panics(mut data in prop::collection::vec(any::<u8>(), 4..300)) {
            data[3] |= 0x80;
            if let Some(structure) = TemplateStructure::parse(&data) {
                prop_assert!((1..=32).contains(&structure.decode_target_count));
                prop_assert!(structure.template(data[3]).is_none_or(|template| template.spatial_id <= 3));
            }
        }
    }
}
