//! What publishers send: RTP payloads that are valid in their first bytes and carry a stamp in their last.
//!
//! The stamp stands at the end because nothing on the way changes a payload's end: a server may rewrite the VP8
//! descriptor (picture ids) in front, and padding is taken off before a payload is delivered.

/// Bytes of a stamp.
pub const STAMP_LEN: usize = 28;
const MAGIC: u32 = 0x4C6F_7570;
/// VP8 payload descriptor with a 15 bit picture id: X, I, and two bytes of id (RFC 7741 section 4.2).
const DESCRIPTOR_LEN: usize = 4;
/// Frame tag, start code and size of a key frame (RFC 6386 section 9.1).
const KEY_HEADER_LEN: usize = 10;
/// Keeps a packet with its extensions and tag below 1,200 bytes on the wire.
const MAX_PAYLOAD: usize = 1_100;
const WIDTH: u16 = 1280;
const HEIGHT: u16 = 720;
/// A key frame is this many times the size of the others, as encoders make them at 720p.
const KEY_FRAME_FACTOR: usize = 4;
/// Opus TOC byte: CELT, full band, 20 ms, stereo, one frame (RFC 6716 section 3.1).
const OPUS_TOC: u8 = (31 << 3) | (1 << 2);
/// An Opus frame of about 30 kbit/s.
const OPUS_LEN: usize = 80;

/// What a payload says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the frame, from 0.
    pub frame: u32,
    /// Which of the frame's packets this is.
    pub index: u16,
    /// How many packets the frame has.
    pub count: u16,
    /// Whether the frame is a key frame.
    pub key: bool,
    /// When it was made, in nanoseconds since the epoch.
    pub captured: u64,
}

impl Stamp {
    /// The stamp of a payload, when it carries one.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let at = payload.len().checked_sub(STAMP_LEN)?;
        let bytes: &[u8; STAMP_LEN] = payload.get(at..)?.try_into().ok()?;
        let word = |from: usize| {
            u32::from_be_bytes([bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]])
        };
        let half = |from: usize| u16::from_be_bytes([bytes[from], bytes[from + 1]]);
        (word(0) == MAGIC).then(|| Self {
            frame: word(4),
            index: half(8),
            count: half(10),
            key: bytes[12] != 0,
            captured: (u64::from(word(16)) << 32) | u64::from(word(20)),
        })
    }

    fn write(self, payload: &mut [u8]) {
        let at = payload.len() - STAMP_LEN;
        let out = &mut payload[at..];
        out.fill(0);
        out[0..4].copy_from_slice(&MAGIC.to_be_bytes());
        out[4..8].copy_from_slice(&self.frame.to_be_bytes());
        out[8..10].copy_from_slice(&self.index.to_be_bytes());
        out[10..12].copy_from_slice(&self.count.to_be_bytes());
        out[12] = u8::from(self.key);
        out[16..24].copy_from_slice(&self.captured.to_be_bytes());
    }
}

/// Sizes of a VP8 publication.
#[derive(Clone, Copy, Debug)]
pub struct VideoShape {
    /// Packets of an ordinary frame.
    pub packets: usize,
    /// Payload bytes of each.
    pub payload: usize,
}

impl VideoShape {
    /// A frame of `kbps` at `fps` in the fewest packets of equal size.
    pub fn new(kbps: u32, fps: u32) -> Self {
        let frame = (kbps as usize * 125) / fps.max(1) as usize;
        let packets = frame.div_ceil(MAX_PAYLOAD).max(1);
        let smallest = DESCRIPTOR_LEN + KEY_HEADER_LEN + STAMP_LEN;
        Self { packets, payload: frame.div_ceil(packets).clamp(smallest, MAX_PAYLOAD) }
    }

    /// The payloads of one VP8 frame, all of one size (RFC 7741).
    pub fn frame(self, number: u32, key: bool, captured: u64) -> Vec<Vec<u8>> {
        let count = if key { self.packets * KEY_FRAME_FACTOR } else { self.packets };
        let picture = number.to_be_bytes();
        (0..count)
            .map(|index| {
                let mut payload = vec![0xA5; self.payload];
                let start = if index == 0 { 0x10 } else { 0 };
                payload[..DESCRIPTOR_LEN].copy_from_slice(&[
                    0x80 | start,
                    0x80,
                    0x80 | picture[2],
                    picture[3],
                ]);
                if index == 0 {
                    write_frame_header(&mut payload[DESCRIPTOR_LEN..], key, self.payload);
                }
                let stamp = Stamp { frame: number, index: index as u16, count: count as u16, key, captured };
                stamp.write(&mut payload);
                payload
            })
            .collect()
    }
}

/// One Opus packet of 20 ms.
pub fn opus(number: u32, captured: u64) -> Vec<u8> {
    let mut payload = vec![0x5A; OPUS_LEN];
    payload[0] = OPUS_TOC;
    Stamp { frame: number, index: 0, count: 1, key: false, captured }.write(&mut payload);
    payload
}

/// The frame tag, and for a key frame the start code and size (RFC 6386 section 9.1).
fn write_frame_header(out: &mut [u8], key: bool, partition: usize) {
    let size = partition as u32 & 0x7_FFFF;
    // From the lowest bit: not a key frame, version (3 bits), show frame, size of the first partition (19 bits).
    let tag = u32::from(!key) | (1 << 4) | (size << 5);
    out[..3].copy_from_slice(&tag.to_le_bytes()[..3]);
    if key {
        out[3..6].copy_from_slice(&[0x9D, 0x01, 0x2A]);
        out[6..8].copy_from_slice(&WIDTH.to_le_bytes());
        out[8..10].copy_from_slice(&HEIGHT.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_the_benchmark_is_six_equal_packets() {
        let shape = VideoShape::new(1_500, 30);
        assert_eq!((shape.packets, shape.payload), (6, 1_042));
    }

    #[test]
    fn a_stamp_survives_a_changed_descriptor() {
        let mut packets = VideoShape::new(1_500, 30).frame(70_000, true, 123_456_789_012_345);
        assert_eq!(packets.len(), 24);
        let first = &mut packets[0];
        assert_eq!(first[0], 0x90);
        assert_eq!(first[4] & 1, 0, "a key frame's first bit is 0");
        assert_eq!(&first[7..10], &[0x9D, 0x01, 0x2A]);
        first.splice(0..4, [0x90, 0xC0, 0x81, 0x02, 0x07]);
        let stamp = Stamp::read(first).expect("a stamp was written");
        assert_eq!(
            stamp,
            Stamp { frame: 70_000, index: 0, count: 24, key: true, captured: 123_456_789_012_345 }
        );
    }

    #[test]
    fn foreign_payloads_have_no_stamp() {
        assert_eq!(Stamp::read(&[0; 27]), None);
        assert_eq!(Stamp::read(&[0; 200]), None);
        assert!(Stamp::read(&opus(5, 9)).is_some_and(|stamp| stamp.frame == 5 && stamp.captured == 9));
    }

    #[test]
    fn delta_frames_say_so_and_tiny_rates_still_fit_a_stamp() {
        let packets = VideoShape::new(8, 30).frame(1, false, 0);
        assert_eq!(packets.len(), 1);
        assert_eq!(packets[0][4] & 1, 1);
        assert!(Stamp::read(&packets[0]).is_some());
    }
}
