//! Payloads that say which packet of which frame they are, so that a viewer can tell what it received.

use loupe_core::rtp::vp8::{PictureId, Vp8Descriptor};

/// Bytes before the filler: the descriptor's six, and eight of ours.
const HEAD: usize = 14;

/// What a payload of a test says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Content {
    pub keyframe: bool,
    pub layer: u8,
    pub frame: u32,
    pub index: u8,
    pub count: u8,
}

/// VP8's counters and layers as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Numbers {
    pub picture_id: u16,
    pub tl0_pic_idx: u8,
    pub temporal: u8,
    /// The frame refers to the lowest temporal layer only.
    pub sync: bool,
}

/// A VP8 payload of `length` bytes (RFC 7741 section 4.2): X; I with 15 bits, L and T; then the frame header's P bit.
pub fn vp8(content: Content, numbers: Numbers, length: usize) -> Vec<u8> {
    let id = (numbers.picture_id | 0x8000).to_be_bytes();
    let start = if content.index == 0 { 0x90 } else { 0x80 };
    let layers = numbers.temporal << 6 | u8::from(numbers.sync) << 5;
    let mut payload = vec![start, 0xe0, id[0], id[1], numbers.tl0_pic_idx, layers];
    payload.push(u8::from(!content.keyframe));
    payload.extend_from_slice(&say(content));
    fill(payload, content, length)
}

/// A VP9 payload of `length` bytes in non-flexible mode (RFC 9628 section 4.2): I with 15 bits, P, L, B and E; the lowest
/// spatial layer has `layer` 0.
pub fn vp9(content: Content, numbers: Numbers, length: usize) -> Vec<u8> {
    let id = (numbers.picture_id | 0x8000).to_be_bytes();
    let starts = u8::from(content.index == 0) << 3;
    let ends = u8::from(content.index + 1 == content.count) << 2;
    let flags = 0xa0 | u8::from(!content.keyframe) << 6 | starts | ends;
    // D: higher spatial layers refer to the one below.
    let layers = content.layer << 1 | u8::from(content.layer > 0);
    let mut payload = vec![flags, id[0], id[1], layers, numbers.tl0_pic_idx, 0];
    payload.push(u8::from(!content.keyframe));
    payload.extend_from_slice(&say(content));
    fill(payload, content, length)
}

/// Sound: no descriptor.
pub fn opus(content: Content, length: usize) -> Vec<u8> {
    let mut payload = vec![0; HEAD - 7];
    payload.extend_from_slice(&say(content));
    fill(payload, content, length)
}

fn say(content: Content) -> [u8; 7] {
    let frame = content.frame.to_be_bytes();
    [content.layer, frame[0], frame[1], frame[2], frame[3], content.index, content.count]
}

fn fill(mut payload: Vec<u8>, content: Content, length: usize) -> Vec<u8> {
    let from = payload.len();
    let mixed = content.frame.wrapping_mul(31).wrapping_add(u32::from(content.index));
    payload.extend((from..length).map(|at| (mixed as usize ^ at) as u8));
    payload
}

/// What a payload says; `None` for one that no test made.
pub fn read(payload: &[u8]) -> Option<Content> {
    let said = payload.get(HEAD - 7..)?.first_chunk::<7>()?;
    Some(Content {
        keyframe: payload[HEAD - 8] == 0,
        layer: said[0],
        frame: u32::from_be_bytes([said[1], said[2], said[3], said[4]]),
        index: said[5],
        count: said[6],
    })
}

/// The counters of a VP8 payload.
pub fn numbers(payload: &[u8]) -> Option<Numbers> {
    let descriptor = Vp8Descriptor::parse(payload)?;
    let PictureId::Long(picture_id) = descriptor.picture_id? else { return None };
    Some(Numbers {
        picture_id,
        tl0_pic_idx: descriptor.tl0_pic_idx?,
        temporal: descriptor.temporal_id?,
        sync: descriptor.layer_sync,
    })
}
