//! Header extensions (RFC 8285): one pass over what came, and a writer for what leaves.

use super::header::{ExtensionBlock, FIXED_HEADER_LENGTH, RtpHeader, Span};
use crate::io::ExtensionIds;
use crate::units::Label;

/// "Defined by profile" of one-byte elements.
pub const ONE_BYTE_PROFILE: u16 = 0xbede;
/// "Defined by profile" of two-byte elements; the lower four bits are the application's.
pub const TWO_BYTE_PROFILE: u16 = 0x1000;
/// Most elements read from one packet: ids are 8 bits wide, and nobody negotiates more than a dozen.
pub const MAX_ELEMENTS: usize = 32;

/// Goes over the elements of an extension block: `(id, data)`.
///
/// An element that leaves the block ends the iteration (RFC 8285 section 4.2); what came before stands.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    packet: &'a [u8],
    at: usize,
    end: usize,
    left: usize,
    two_byte: bool,
}

impl<'a> Elements<'a> {
    /// The elements of `block` in `packet`; none when the profile is unknown.
    #[inline]
    pub fn new(packet: &'a [u8], block: ExtensionBlock) -> Elements<'a> {
        let at = usize::from(block.elements.start);
        let known = block.profile == ONE_BYTE_PROFILE || block.profile & 0xfff0 == TWO_BYTE_PROFILE;
        let end = (at + usize::from(block.elements.length)).min(packet.len());
        let left = if known { MAX_ELEMENTS } else { 0 };
        Elements { packet, at, end, left, two_byte: block.profile != ONE_BYTE_PROFILE }
    }

    /// Id and length of the element whose head begins at `at`, and the length of that head.
    #[inline]
    fn head(&self) -> Option<(u8, usize, usize)> {
        let first = *self.packet.get(self.at)?;
        if self.two_byte {
            Some((first, usize::from(*self.packet.get(self.at + 1)?), 2))
        } else {
            Some((first >> 4, usize::from(first & 0x0f) + 1, 1))
        }
    }

    /// The next element, by its place in the packet.
    #[inline]
    pub fn next_span(&mut self) -> Option<(u8, Span)> {
        // A byte of zero is padding between elements and at the end.
        while self.at < self.end && self.packet.get(self.at) == Some(&0) {
            self.at += 1;
        }
        if self.at >= self.end || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let (id, length, head) = self.head()?;
        // Section 4.2: id 15 is reserved and processing stops there.
        if !self.two_byte && id == 15 {
            self.left = 0;
            return None;
        }
        let start = self.at + head;
        if start + length > self.end {
            self.left = 0;
            return None;
        }
        self.at = start + length;
        // A one-byte head with id 0 and a length is malformed padding: skip its data without naming it.
        Some((id, Span { start: start as u16, length: length as u16 }))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        self.next_span().map(|(id, span)| (id, span.of(self.packet)))
    }
}

/// The negotiated extensions of one packet; those copied as they are come as places in the packet.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ReceivedExtensions {
    /// Identification of the media section (RFC 8843).
    pub mid: Option<Label>,
    /// Restriction identifier (RFC 8852).
    pub rid: Option<Label>,
    /// Restriction identifier of the source that this one repairs (RFC 8852).
    pub repaired_rid: Option<Label>,
    /// RFC 6464: voice activity in the upper bit, -dBov below.
    pub audio_level: Option<u8>,
    /// 3GPP TS 26.114 section 7.4.5: camera, flip and rotation bits.
    pub video_orientation: Option<u8>,
    /// 24 bits, 6.18 fixed point seconds.
    pub abs_send_time: Option<u32>,
    /// Transport-wide sequence number as on the wire.
    pub transport_cc: Option<u16>,
    /// 8 or 16 bytes.
    pub abs_capture_time: Option<Span>,
    /// 3 bytes.
    pub playout_delay: Option<Span>,
    /// 3 bytes or more.
    pub dependency_descriptor: Option<Span>,
}

impl ReceivedExtensions {
    /// Reads the extensions of `packet` that `ids` names; one of a wrong length counts as absent.
    #[inline]
    pub fn read(packet: &[u8], header: &RtpHeader, ids: &ExtensionIds) -> ReceivedExtensions {
        let mut received = ReceivedExtensions::default();
        let Some(block) = header.extension else { return received };
        let mut elements = Elements::new(packet, block);
        while let Some((id, span)) = elements.next_span() {
            if id != 0 {
                received.take(id, span, span.of(packet), ids);
            }
        }
        received
    }

    /// Whether there is anything that leaves with the packet again.
    #[inline]
    pub fn has_any_to_pass_on(&self) -> bool {
        self.audio_level.is_some()
            || self.video_orientation.is_some()
            || self.abs_capture_time.is_some()
            || self.playout_delay.is_some()
            || self.dependency_descriptor.is_some()
    }

    #[inline]
    fn take(&mut self, id: u8, span: Span, data: &[u8], ids: &ExtensionIds) {
        // `id` is never 0 here, so an extension that was not negotiated (0) never matches.
        if id == ids.transport_cc {
            self.transport_cc = data.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes));
        } else if id == ids.abs_send_time {
            self.abs_send_time =
                data.first_chunk::<3>().map(|bytes| u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]));
        } else if id == ids.audio_level {
            self.audio_level = data.first().copied();
        } else if id == ids.mid {
            self.mid = Label::new(data);
        } else if id == ids.rid {
            self.rid = Label::new(data);
        } else if id == ids.repaired_rid {
            self.repaired_rid = Label::new(data);
        } else if id == ids.video_orientation {
            self.video_orientation = data.first().copied();
        } else if id == ids.dependency_descriptor {
            self.dependency_descriptor = (data.len() >= 3).then_some(span);
        } else if id == ids.abs_capture_time {
            self.abs_capture_time = matches!(data.len(), 8 | 16).then_some(span);
        } else if id == ids.playout_delay {
            self.playout_delay = (data.len() == 3).then_some(span);
        }
    }
}

/// Makes zero what differs each time a packet is sent (its time and its transport-wide number): parity knows of a packet
/// what is the same at both ends.
pub fn blank_volatile(packet: &mut [u8], header: &RtpHeader, ids: &ExtensionIds) {
    let Some(block) = header.extension else { return };
    let (mut spans, mut found) = ([Span::default(); 2], 0);
    let mut elements = Elements::new(packet, block);
    while let Some((id, span)) = elements.next_span() {
        if id != 0 && (id == ids.abs_send_time || id == ids.transport_cc) && found < spans.len() {
            spans[found] = span;
            found += 1;
        }
    }
    for span in &spans[..found] {
        let start = usize::from(span.start);
        packet[start..start + usize::from(span.length)].fill(0);
    }
}

/// Appends a header extension to a packet whose fixed header was just written.
///
/// Elements are one-byte; the first that does not fit (id above 14, or 0 or more than 16 bytes) turns the whole block
/// into two-byte form.
#[derive(Debug)]
pub struct ExtensionWriter<'a> {
    out: &'a mut Vec<u8>,
    packet: usize,
    elements: usize,
    two_byte: bool,
}

impl<'a> ExtensionWriter<'a> {
    /// Begins after the fixed header, which is the last thing in `out`.
    #[inline]
    pub fn begin(out: &'a mut Vec<u8>) -> ExtensionWriter<'a> {
        let packet = out.len().saturating_sub(FIXED_HEADER_LENGTH);
        out.extend_from_slice(&[0xbe, 0xde, 0, 0]);
        let elements = out.len();
        ExtensionWriter { out, packet, elements, two_byte: false }
    }

    /// Adds an element; nothing happens when `id` is 0 (not negotiated) or `data` longer than 255 bytes.
    ///
    /// Returns where in the buffer the data begin. A later element may move it, unless it is small: push last what is
    /// to be patched (the transport-wide number).
    #[inline]
    pub fn push(&mut self, id: u8, data: &[u8]) -> Option<usize> {
        if id == 0 || data.len() > 255 {
            return None;
        }
        if !self.two_byte && (id > 14 || data.is_empty() || data.len() > 16) {
            self.widen();
        }
        if self.two_byte {
            self.out.extend_from_slice(&[id, data.len() as u8]);
        } else {
            self.out.push((id << 4) | (data.len() - 1) as u8);
        }
        let at = self.out.len();
        self.out.extend_from_slice(data);
        Some(at)
    }

    /// Turns the one-byte heads written so far into two-byte heads.
    #[cold]
    fn widen(&mut self) {
        let mut at = self.elements;
        while let Some(&head) = self.out.get(at) {
            let length = usize::from(head & 0x0f) + 1;
            self.out[at] = head >> 4;
            self.out.insert(at + 1, length as u8);
            at += 2 + length;
        }
        self.two_byte = true;
    }

    /// Pads the block, writes its length and sets the header's extension bit; leaves no block when it is empty.
    ///
    /// Returns the bytes that the block takes.
    #[inline]
    pub fn finish(self) -> usize {
        let block = self.elements - 4;
        if self.out.len() == self.elements {
            self.out.truncate(block);
            return 0;
        }
        while !(self.out.len() - self.elements).is_multiple_of(4) {
            self.out.push(0);
        }
        let words = ((self.out.len() - self.elements) / 4) as u16;
        if self.two_byte {
            self.out[block..block + 2].copy_from_slice(&TWO_BYTE_PROFILE.to_be_bytes());
        }
        self.out[block + 2..self.elements].copy_from_slice(&words.to_be_bytes());
        self.out[self.packet] |= 0x10;
        self.out.len() - block
    }
}

#[cfg(test)]
mod tests {
    use super::super::FixedHeader;
    use super::*;
    use crate::units::Ssrc;
    use proptest::prelude::*;

    const IDS: ExtensionIds = ExtensionIds {
        mid: 1,
        rid: 2,
        repaired_rid: 3,
        abs_send_time: 4,
        transport_cc: 5,
        audio_level: 6,
        abs_capture_time: 7,
        playout_delay: 8,
        dependency_descriptor: 9,
        video_orientation: 10,
    };

    fn packet(elements: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0xff; 3];
        let fixed = FixedHeader { payload_type: 96, marker: false, sequence: 1, timestamp: 2, ssrc: Ssrc(3) };
        fixed.write(&mut bytes);
        let mut writer = ExtensionWriter::begin(&mut bytes);
        for (id, data) in elements {
            writer.push(*id, data);
        }
        writer.finish();
        bytes.extend_from_slice(b"payload");
        bytes.split_off(3)
    }

    fn raw(profile: u16, elements: &[u8]) -> (Vec<u8>, ReceivedExtensions) {
        let mut bytes = vec![0x90, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend_from_slice(&profile.to_be_bytes());
        bytes.extend_from_slice(&((elements.len() / 4) as u16).to_be_bytes());
        bytes.extend_from_slice(elements);
        let header = RtpHeader::parse(&bytes).unwrap();
        let received = ReceivedExtensions::read(&bytes, &header, &IDS);
        (bytes, received)
    }

    fn check_all(elements: &[(u8, &[u8])], profile: u16) {
        let bytes = packet(elements);
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!(header.extension.unwrap().profile, profile);
        assert_eq!(header.payload(&bytes), Ok(&b"payload"[..]));
        let received = ReceivedExtensions::read(&bytes, &header, &IDS);
        assert_eq!(received.mid, Label::new(b"0"));
        assert_eq!(received.rid, Label::new(b"high"));
        assert_eq!(received.repaired_rid, None);
        assert_eq!(received.abs_send_time, Some(0x0001_0203));
        assert_eq!(received.transport_cc, Some(0xfffe));
        assert_eq!(received.audio_level, Some(0x9e));
        assert_eq!(received.video_orientation, Some(2));
        assert_eq!(received.abs_capture_time.unwrap().of(&bytes), &[9; 16]);
        assert_eq!(received.playout_delay.unwrap().of(&bytes), &[1, 2, 3]);
        assert_eq!(received.dependency_descriptor.unwrap().of(&bytes), &[0xc0, 0, 7]);
    }

    const ALL: [(u8, &[u8]); 9] = [
        (1, b"0"),
        (2, b"high"),
        (4, &[1, 2, 3]),
        (5, &[0xff, 0xfe]),
        (6, &[0x9e]),
        (7, &[9; 16]),
        (8, &[1, 2, 3]),
        (9, &[0xc0, 0, 7]),
        (10, &[2]),
    ];

    #[test]
    fn one_byte_round_trip() {
        check_all(&ALL, ONE_BYTE_PROFILE);
    }

    #[test]
    fn any_wide_element_makes_the_block_two_byte() {
        for wide in [(15, &[1_u8; 4][..]), (14, &[1; 17]), (14, &[]), (200, &[7; 255])] {
            for position in 0..=ALL.len() {
                let mut elements = ALL.to_vec();
                elements.insert(position, wide);
                check_all(&elements, TWO_BYTE_PROFILE);
                let bytes = packet(&elements);
                let block = RtpHeader::parse(&bytes).unwrap().extension.unwrap();
                assert!(Elements::new(&bytes, block).eq(elements), "{wide:?} at {position}");
            }
        }
    }

    #[test]
    fn what_is_not_negotiated_or_too_long_is_not_written() {
        let bytes = packet(&[(0, &[1]), (1, &[0; 256])]);
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!((header.extension, header.header_length), (None, 12));
        assert_eq!(header.payload(&bytes), Ok(&b"payload"[..]));
    }

    #[test]
    fn the_last_element_can_be_patched() {
        let mut bytes = vec![0x80; FIXED_HEADER_LENGTH];
        let mut writer = ExtensionWriter::begin(&mut bytes);
        writer.push(1, b"0");
        writer.push(16, b"wide");
        let at = writer.push(5, &[0, 0]).unwrap();
        writer.finish();
        bytes[at..at + 2].copy_from_slice(&[0x12, 0x34]);
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!(ReceivedExtensions::read(&bytes, &header, &IDS).transport_cc, Some(0x1234));
    }

    #[test]
    fn what_differs_each_time_is_blanked_and_nothing_else() {
        for wide in [&[][..], &[(200, &[7; 20][..])]] {
            let with = |time: &'static [u8], number: &'static [u8]| {
                let mut bytes =
                    packet(&[&[(1, &b"0"[..]), (4, time), (5, number), (10, &[2])], wide].concat());
                let header = RtpHeader::parse(&bytes).unwrap();
                blank_volatile(&mut bytes, &header, &IDS);
                bytes
            };
            assert_eq!(
                with(&[1, 2, 3], &[4, 5]),
                packet(&[&[(1, &b"0"[..]), (4, &[0; 3]), (5, &[0; 2]), (10, &[2])], wide].concat())
            );
        }
    }

    #[test]
    fn id_fifteen_ends_and_id_zero_pads() {
        let (_, received) = raw(ONE_BYTE_PROFILE, &[0, 0x10, b'a', 0, 0xf0, 1, 0x20, b'b']);
        assert_eq!((received.mid, received.rid), (Label::new(b"a"), None));
        let (_, received) = raw(TWO_BYTE_PROFILE | 7, &[0, 1, 1, b'a', 0, 0, 2, 1, b'b', 0, 0, 0]);
        assert_eq!((received.mid, received.rid), (Label::new(b"a"), Label::new(b"b")));
    }

    #[test]
    fn an_element_beyond_the_block_ends_it() {
        let (_, received) = raw(ONE_BYTE_PROFILE, &[0x10, b'a', 0x2f, b'b']);
        assert_eq!((received.mid, received.rid), (Label::new(b"a"), None));
        let (_, received) = raw(TWO_BYTE_PROFILE, &[1, 1, b'a', 2]);
        assert_eq!((received.mid, received.rid), (Label::new(b"a"), None));
    }

    #[test]
    fn unknown_profiles_and_wrong_lengths_count_as_absent() {
        let (_, received) = raw(0x1234, &[0x10, b'a', 0, 0]);
        assert_eq!(received, ReceivedExtensions::default());
        let (_, received) = raw(ONE_BYTE_PROFILE, &[0x50, 1, 0x40, 1, 0x70, 1, 0x80, 1, 0x91, 1, 2, 0]);
        assert_eq!(received, ReceivedExtensions::default());
    }

    #[test]
    fn ids_that_were_not_negotiated_match_nothing() {
        let (bytes, _) = raw(TWO_BYTE_PROFILE, &[0, 0, 0, 0, 1, 1, b'a', 0]);
        let header = RtpHeader::parse(&bytes).unwrap();
        let received = ReceivedExtensions::read(&bytes, &header, &ExtensionIds::default());
        assert_eq!(received, ReceivedExtensions::default());
    }

    proptest! {
        #[test]
        fn no_block_panics(profile in prop_oneof![Just(ONE_BYTE_PROFILE), Just(TWO_BYTE_PROFILE)], words in prop::collection::vec(any::<u32>(), 0..30)) {
            let elements: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            let (bytes, received) = raw(profile, &elements);
            let spans = [received.abs_capture_time, received.playout_delay, received.dependency_descriptor];
            prop_assert!(spans.iter().flatten().all(|span| usize::from(span.start + span.length) <= bytes.len()));
        }

        #[test]
        fn what_is_written_is_read(elements in prop::collection::vec((1_u8..=14, prop::collection::vec(any::<u8>(), 0..20)), 1..12)) {
            let borrowed: Vec<(u8, &[u8])> = elements.iter().map(|(id, data)| (*id, &data[..])).collect();
            let bytes = packet(&borrowed);
            let block = RtpHeader::parse(&bytes).unwrap().extension.unwrap();
            prop_assert!(Elements::new(&bytes, block).eq(borrowed));
        }
    }
}
