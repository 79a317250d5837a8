//! The RTP header (RFC 3550 section 5.1), parsed before decryption and written for egress.

use std::fmt;

use crate::units::Ssrc;

/// Bytes of the header without CSRCs and extension.
pub const FIXED_HEADER_LENGTH: usize = 12;
/// Longest packet accepted, in bytes: more than any path's MTU that a browser uses, and offsets stay 16 bits wide.
pub const MAX_PACKET_LENGTH: usize = 2_048;

/// Why bytes are no RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Shorter than the fixed header.
    TooShort,
    /// Longer than [`MAX_PACKET_LENGTH`].
    TooLong,
    /// Not version 2.
    Version,
    /// The list of contributing sources leaves the packet.
    Sources,
    /// The header extension leaves the packet.
    Extension,
    /// The padding is empty or longer than the payload.
    Padding,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::TooShort => "shorter than an RTP header",
            Malformed::TooLong => "longer than any RTP packet",
            Malformed::Version => "not RTP version 2",
            Malformed::Sources => "contributing sources leave the packet",
            Malformed::Extension => "header extension leaves the packet",
            Malformed::Padding => "padding is empty or longer than the payload",
        })
    }
}

impl std::error::Error for Malformed {}

/// A part of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Span {
    /// Offset of the first byte in the packet.
    pub start: u16,
    /// Bytes.
    pub length: u16,
}

impl Span {
    /// The bytes of this part; empty when `packet` is not the one it was found in.
    #[inline]
    pub fn of(self, packet: &[u8]) -> &[u8] {
        let start = usize::from(self.start);
        packet.get(start..start + usize::from(self.length)).unwrap_or_default()
    }
}

/// The header extension of a packet: what RFC 8285 calls "defined by profile", and its elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExtensionBlock {
    /// 0xBEDE for one-byte, 0x100X for two-byte elements.
    pub profile: u16,
    /// The elements, padding included, without the four bytes before them.
    pub elements: Span,
}

/// A parsed header: values and offsets, no borrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RtpHeader {
    /// Who sends.
    pub ssrc: Ssrc,
    /// As on the wire; unwrap it with [`crate::seq::SeqUnwrapper`].
    pub sequence: u16,
    /// As on the wire, in ticks of the codec's clock.
    pub timestamp: u32,
    /// 0 to 127.
    pub payload_type: u8,
    /// For video: the last packet of a frame.
    pub marker: bool,
    /// Whether the packet ends in padding, to be read after decryption.
    pub has_padding: bool,
    /// Contributing sources, 0 to 15.
    pub source_count: u8,
    /// Bytes before the payload, extension included.
    pub header_length: u16,
    /// The header extension.
    pub extension: Option<ExtensionBlock>,
}

#[inline]
fn word(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

impl RtpHeader {
    /// Parses the clear part of an RTP or SRTP packet; does not look at payload or padding.
    ///
    /// The header, extension included, lies within `packet`; the payload may be empty.
    #[inline]
    pub fn parse(packet: &[u8]) -> Result<RtpHeader, Malformed> {
        if packet.len() > MAX_PACKET_LENGTH {
            return Err(Malformed::TooLong);
        }
        let fixed = packet.first_chunk::<FIXED_HEADER_LENGTH>().ok_or(Malformed::TooShort)?;
        if fixed[0] >> 6 != 2 {
            return Err(Malformed::Version);
        }
        let source_count = fixed[0] & 0x0f;
        let mut header_length = FIXED_HEADER_LENGTH + 4 * usize::from(source_count);
        if header_length > packet.len() {
            return Err(Malformed::Sources);
        }
        let mut extension = None;
        if fixed[0] & 0x10 != 0 {
            let head = word(packet, header_length).ok_or(Malformed::Extension)?;
            let start = header_length + 4;
            let length = 4 * (head & 0xffff) as usize;
            header_length = start + length;
            if header_length > packet.len() {
                return Err(Malformed::Extension);
            }
            let elements = Span { start: start as u16, length: length as u16 };
            extension = Some(ExtensionBlock { profile: (head >> 16) as u16, elements });
        }
        Ok(RtpHeader {
            ssrc: Ssrc(u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]])),
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            payload_type: fixed[1] & 0x7f,
            marker: fixed[1] & 0x80 != 0,
            has_padding: fixed[0] & 0x20 != 0,
            source_count,
            header_length: header_length as u16,
            extension,
        })
    }

    /// Where the payload of the plain `packet` ends and its padding begins.
    ///
    /// The count in the last byte must be at least 1 and must not reach into the header (RFC 3550 section 5.1); a
    /// packet of padding alone gives the header's length.
    #[inline]
    pub fn payload_end(&self, packet: &[u8]) -> Result<usize, Malformed> {
        let header_length = usize::from(self.header_length);
        if packet.len() < header_length {
            return Err(Malformed::TooShort);
        }
        if !self.has_padding {
            return Ok(packet.len());
        }
        let padding = usize::from(packet.last().copied().unwrap_or(0));
        if padding == 0 || padding > packet.len() - header_length {
            return Err(Malformed::Padding);
        }
        Ok(packet.len() - padding)
    }

    /// The payload of the plain `packet`, padding cut off.
    #[inline]
    pub fn payload<'a>(&self, packet: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let end = self.payload_end(packet)?;
        Ok(packet.get(usize::from(self.header_length)..end).unwrap_or_default())
    }
}

/// What egress writes into the first twelve bytes; it never writes contributing sources or padding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FixedHeader {
    /// 0 to 127.
    pub payload_type: u8,
    /// For video: the last packet of a frame.
    pub marker: bool,
    /// The 16 bits for the wire.
    pub sequence: u16,
    /// The 32 bits for the wire.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: Ssrc,
}

impl FixedHeader {
    /// Appends the header to `out`; an [`super::ExtensionWriter`] may follow.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes());
    }

    /// The header with the extension bit clear.
    #[inline]
    pub fn bytes(&self) -> [u8; FIXED_HEADER_LENGTH] {
        let mut bytes = [0; FIXED_HEADER_LENGTH];
        bytes[0] = 0x80;
        bytes[1] = (self.payload_type & 0x7f) | if self.marker { 0x80 } else { 0 };
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.0.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 0xe0, 0x12, 0x34, 0, 1, 2, 3, 0xde, 0xad, 0xbe, 0xef];
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn reads_every_field() {
        let bytes = packet(0x80, b"payload");
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!(header.ssrc, Ssrc(0xdead_beef));
        assert_eq!(header.sequence, 0x1234);
        assert_eq!(header.timestamp, 0x0001_0203);
        assert_eq!(header.payload_type, 96);
        assert!(header.marker && !header.has_padding);
        assert_eq!(header.payload(&bytes), Ok(&b"payload"[..]));
    }

    #[test]
    fn refuses_what_leaves_the_packet() {
        assert_eq!(RtpHeader::parse(&[]), Err(Malformed::TooShort));
        assert_eq!(RtpHeader::parse(&packet(0x80, &[])[..11]), Err(Malformed::TooShort));
        assert_eq!(RtpHeader::parse(&packet(0x40, &[])), Err(Malformed::Version));
        assert_eq!(RtpHeader::parse(&packet(0x82, &[0; 7])), Err(Malformed::Sources));
        assert_eq!(RtpHeader::parse(&packet(0x90, &[0xbe, 0xde, 0])), Err(Malformed::Extension));
        assert_eq!(RtpHeader::parse(&packet(0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0])), Err(Malformed::Extension));
        assert_eq!(RtpHeader::parse(&packet(0x90, &[0xbe, 0xde, 0xff, 0xff])), Err(Malformed::Extension));
        assert_eq!(RtpHeader::parse(&packet(0x80, &[0; MAX_PACKET_LENGTH])), Err(Malformed::TooLong));
    }

    #[test]
    fn finds_sources_and_extension() {
        let bytes = packet(0x91, &[1, 2, 3, 4, 0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0, 9]);
        let header = RtpHeader::parse(&bytes).unwrap();
        let extension = header.extension.unwrap();
        assert_eq!((header.source_count, header.header_length, extension.profile), (1, 24, 0xbede));
        assert_eq!(extension.elements.of(&bytes), &[0x10, 0xaa, 0, 0]);
        assert_eq!(header.payload(&bytes), Ok(&[9][..]));
        assert_eq!(extension.elements.of(&bytes[..20]), &[] as &[u8]);
    }

    #[test]
    fn padding_stays_between_one_and_the_payload() {
        for (tail, expected) in [
            (&[7, 7, 0, 0, 3][..], Ok(14)),
            (&[7, 7, 0, 0, 0][..], Err(Malformed::Padding)),
            (&[7, 7, 0, 0, 5][..], Ok(12)),
            (&[7, 7, 0, 0, 6][..], Err(Malformed::Padding)),
            (&[][..], Err(Malformed::Padding)),
        ] {
            let bytes = packet(0xa0, tail);
            assert_eq!(RtpHeader::parse(&bytes).unwrap().payload_end(&bytes), expected, "{tail:?}");
        }
    }

    #[test]
    fn header_of_a_longer_packet_is_refused() {
        let bytes = packet(0x81, &[0; 8]);
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!(header.payload_end(&bytes[..12]), Err(Malformed::TooShort));
    }

    #[test]
    fn writes_what_it_reads() {
        let fixed = FixedHeader {
            payload_type: 111,
            marker: true,
            sequence: 65_535,
            timestamp: u32::MAX,
            ssrc: Ssrc(7),
        };
        let mut bytes = Vec::new();
        fixed.write(&mut bytes);
        let header = RtpHeader::parse(&bytes).unwrap();
        assert_eq!((header.payload_type, header.marker, header.sequence), (111, true, 65_535));
        assert_eq!((header.timestamp, header.ssrc, header.header_length), (u32::MAX, Ssrc(7), 12));
        assert_eq!(header.extension, None);
    }
}
