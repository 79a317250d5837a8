//! VP8's counters of pictures, unwrapped on the way in and written anew on the way out (RFC 7741 section 4.2).

use crate::io::Codec;
use crate::rtp::vp8::{PictureId, Vp8Descriptor};
use crate::seq::{PictureIdUnwrapper, ShortPictureIdUnwrapper, Tl0PicIdxUnwrapper};

/// The counters of one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PictureNumbers {
    /// The picture id, unwrapped.
    pub id: Option<u64>,
    /// TL0PICIDX, unwrapped.
    pub tl0_index: Option<u64>,
    descriptor: Vp8Descriptor,
}

/// Unwraps the counters of one layer.
#[derive(Clone, Debug, Default)]
pub struct PictureUnwrapper {
    long: PictureIdUnwrapper,
    short: ShortPictureIdUnwrapper,
    tl0: Tl0PicIdxUnwrapper,
}

impl PictureUnwrapper {
    /// The counters of a payload; `None` for codecs and packets without.
    pub fn read(&mut self, codec: Codec, payload: &[u8]) -> Option<PictureNumbers> {
        if codec != Codec::Vp8 {
            return None;
        }
        let descriptor = Vp8Descriptor::parse(payload)?;
        let id = descriptor.picture_id.map(|id| match id {
            PictureId::Long(wire) => self.long.unwrap(u32::from(wire)),
            PictureId::Short(wire) => self.short.unwrap(u32::from(wire)),
        });
        let tl0_index = descriptor.tl0_pic_idx.map(|wire| self.tl0.unwrap(u32::from(wire)));
        (id.is_some() || tl0_index.is_some()).then_some(PictureNumbers { id, tl0_index, descriptor })
    }
}

impl PictureNumbers {
    /// Writes other counters over those of a copy of the payload.
    pub fn patch(&self, payload: &mut [u8], id: Option<u64>, tl0_index: Option<u64>) {
        if (id, tl0_index) != (self.id, self.tl0_index) {
            self.descriptor.rewrite(payload, id.unwrap_or_default(), tl0_index.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_survive_their_wrap_and_are_patched_in_place() {
        let mut unwrapper = PictureUnwrapper::default();
        let mut last = None;
        for (high, low, tl0) in [(0xff, 0xfe, 0xff), (0xff, 0xff, 0xff), (0x80, 0x00, 0x00)] {
            let mut payload = [0x90, 0xe0, high, low, tl0, 0x00, 0x01, 0x02];
            let numbers = unwrapper.read(Codec::Vp8, &payload).unwrap();
            assert!(last.is_none_or(|last| numbers.id == Some(last + 1)));
            last = numbers.id;
            numbers.patch(&mut payload, Some(0x1_8005), Some(0x107));
            assert_eq!(payload[2..5], [0x80, 0x05, 0x07]);
        }
        assert_eq!(unwrapper.read(Codec::H264, &[0x90, 0xe0, 0, 0, 0, 0, 0]), None);
    }
}
