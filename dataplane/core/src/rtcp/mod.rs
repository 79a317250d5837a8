//! RTCP: a bounded walk over compound packets and writers for what the plane sends (`docs/rtcp.md`).
//!
//! ```text
//! compound(bytes) -> Result<Rtcp, MalformedRtcp>*   reading: borrows, allocates nothing, ends at the first lie
//! write_*(&mut Vec<u8>, ...)                        writing: appends one packet; call several for a compound
//! ```
//!
//! Reduced-size packets (RFC 5506) are accepted: browsers send feedback without a report before it. They are written only
//! where they were negotiated. What is known is checked whole before it is yielded, so that the iterators within cannot
//! fail; what is unknown is passed over.
//!
//! | file | packets |
//! |---|---|
//! | `report.rs` | sender and receiver reports (RFC 3550 section 6.4) |
//! | `source.rs` | SDES and BYE (sections 6.5, 6.6) |
//! | `feedback.rs` | NACK, PLI (RFC 4585), FIR (RFC 5104), REMB (draft-alvestrand-rmcat-remb-03) |
//! | `gathering.rs` | what is written, in compounds of bounded length (RFC 3550 section 6.1) |
//! | `transport_feedback.rs`, `twcc_builder.rs` | transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01) |

use std::fmt;

use crate::units::Ssrc;

pub mod feedback;
pub mod gathering;
pub mod report;
pub mod source;
pub mod transport_feedback;
pub mod twcc_builder;

pub use feedback::{Fir, Nack, Pli, Remb, write_fir, write_nack, write_pli, write_remb};
pub use gathering::{Gathering, MAX_COMPOUND_LENGTH, PREAMBLE_LENGTH, begin_compound, write_own_name};
pub use report::{
    ReceiverReport, ReportBlock, ReportBlocks, SenderFigures, SenderReport, write_receiver_report,
    write_sender_report,
};
pub use source::{Bye, write_bye, write_cname};
pub use transport_feedback::{PacketStatus, TransportFeedback};
pub use twcc_builder::TwccBuilder;

/// Most packets read from one compound; a browser sends up to about ten.
pub const MAX_PACKETS: usize = 64;
/// Most report blocks of one report: the count has five bits.
pub const MAX_REPORT_BLOCKS: usize = 31;

const HEADER_LENGTH: usize = 4;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const TRANSPORT_SPECIFIC: u8 = 205;
const PAYLOAD_SPECIFIC: u8 = 206;

/// Why bytes are no RTCP compound packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MalformedRtcp {
    /// Shorter than a header, or than its own length field says.
    Truncated,
    /// Not version 2.
    Version,
    /// The padding is empty or longer than the packet.
    Padding,
    /// The content does not fit its type and count.
    Content,
    /// More than [`MAX_PACKETS`].
    TooMany,
}

impl fmt::Display for MalformedRtcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MalformedRtcp::Truncated => "shorter than its length",
            MalformedRtcp::Version => "not RTCP version 2",
            MalformedRtcp::Padding => "padding is empty or longer than the packet",
            MalformedRtcp::Content => "content does not fit type and count",
            MalformedRtcp::TooMany => "too many packets in one compound",
        })
    }
}

impl std::error::Error for MalformedRtcp {}

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
pub enum Rtcp<'a> {
    /// RFC 3550 section 6.4.1.
    SenderReport(SenderReport<'a>),
    /// RFC 3550 section 6.4.2.
    ReceiverReport(ReceiverReport<'a>),
    /// RFC 3550 section 6.5; its text identifies people and is not kept.
    SourceDescription,
    /// RFC 3550 section 6.6.
    Bye(Bye<'a>),
    /// RFC 4585 section 6.2.1.
    Nack(Nack<'a>),
    /// RFC 4585 section 6.3.1.
    Pli(Pli),
    /// RFC 5104 section 4.3.1.
    Fir(Fir<'a>),
    /// draft-alvestrand-rmcat-remb-03.
    Remb(Remb<'a>),
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01.
    TransportFeedback(TransportFeedback<'a>),
    /// Any other type or format, well delimited.
    Unknown {
        /// Packet type.
        packet_type: u8,
        /// Count or format, five bits.
        format: u8,
    },
}

/// Goes over the packets of a compound; see [`compound`].
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
    left: usize,
}

/// The packets of a plain (decrypted) compound packet, in order. The first error is the last item.
pub fn compound(bytes: &[u8]) -> Compound<'_> {
    Compound { rest: bytes, left: MAX_PACKETS }
}

impl<'a> Compound<'a> {
    fn take(&mut self) -> Result<Rtcp<'a>, MalformedRtcp> {
        let header = self.rest.first_chunk::<HEADER_LENGTH>().ok_or(MalformedRtcp::Truncated)?;
        if header[0] >> 6 != 2 {
            return Err(MalformedRtcp::Version);
        }
        if self.left == 0 {
            return Err(MalformedRtcp::TooMany);
        }
        let length = HEADER_LENGTH + 4 * usize::from(u16::from_be_bytes([header[2], header[3]]));
        let (packet, rest) = self.rest.split_at_checked(length).ok_or(MalformedRtcp::Truncated)?;
        let mut content = &packet[HEADER_LENGTH..];
        if header[0] & 0x20 != 0 {
            let padding = usize::from(content.last().copied().unwrap_or(0));
            let end =
                content.len().checked_sub(padding).filter(|_| padding > 0).ok_or(MalformedRtcp::Padding)?;
            content = &content[..end];
        }
        let parsed = parse_content(header[1], header[0] & 0x1f, content)?;
        self.rest = rest;
        self.left -= 1;
        Ok(parsed)
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<Rtcp<'a>, MalformedRtcp>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = self.take();
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

fn parse_content(packet_type: u8, format: u8, content: &[u8]) -> Result<Rtcp<'_>, MalformedRtcp> {
    let parsed = match (packet_type, format) {
        (SENDER_REPORT, count) => SenderReport::parse(count, content).map(Rtcp::SenderReport),
        (RECEIVER_REPORT, count) => ReceiverReport::parse(count, content).map(Rtcp::ReceiverReport),
        (SOURCE_DESCRIPTION, count) => {
            source::check_description(count, content).map(|()| Rtcp::SourceDescription)
        }
        (BYE, count) => Bye::parse(count, content).map(Rtcp::Bye),
        (TRANSPORT_SPECIFIC, feedback::NACK) => Nack::parse(content).map(Rtcp::Nack),
        (TRANSPORT_SPECIFIC, transport_feedback::FORMAT) => {
            TransportFeedback::parse(content).map(Rtcp::TransportFeedback)
        }
        (PAYLOAD_SPECIFIC, feedback::PLI) => Pli::parse(content).map(Rtcp::Pli),
        (PAYLOAD_SPECIFIC, feedback::FIR) => Fir::parse(content).map(Rtcp::Fir),
        (PAYLOAD_SPECIFIC, feedback::APPLICATION) if feedback::is_remb(content) => {
            Remb::parse(content).map(Rtcp::Remb)
        }
        _ => Some(Rtcp::Unknown { packet_type, format }),
    };
    parsed.ok_or(MalformedRtcp::Content)
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word))
}

#[inline]
fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk::<2>().map(|half| u16::from_be_bytes(*half))
}

fn sources(bytes: &[u8]) -> impl Iterator<Item = Ssrc> + '_ {
    bytes.chunks_exact(4).map(|bytes| Ssrc(word(bytes, 0).unwrap_or_default()))
}

/// One packet being written: header now, length when dropped off with [`Writer::finish`].
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    fn begin(out: &'a mut Vec<u8>, packet_type: u8, format: u8) -> Writer<'a> {
        let start = out.len();
        out.extend_from_slice(&[0x80 | (format & 0x1f), packet_type, 0, 0]);
        Writer { out, start }
    }

    fn word(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes the length. Content is a multiple of four bytes, or [`Self::pad`] was called.
    fn finish(self) {
        let words = ((self.out.len() - self.start) / 4 - 1) as u16;
        self.out[self.start + 2..self.start + 4].copy_from_slice(&words.to_be_bytes());
    }

    /// One to four zeros up to a multiple of four bytes.
    fn zeros(&mut self) {
        let count = 4 - (self.out.len() - self.start) % 4;
        self.out.resize(self.out.len() + count, 0);
    }

    /// Pads to four bytes and says so in the header (RFC 3550 section 6.4.1).
    fn pad(&mut self) {
        let count = (4 - (self.out.len() - self.start) % 4) % 4;
        if count > 0 {
            self.out[self.start] |= 0x20;
            self.out.resize(self.out.len() + count - 1, 0);
            self.out.push(count as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn errors(bytes: &[u8]) -> Vec<Option<MalformedRtcp>> {
        compound(bytes).map(Result::err).collect()
    }

    #[test]
    fn what_is_good_before_a_lie_is_yielded() {
        let mut bytes = Vec::new();
        write_pli(&mut bytes, Ssrc(1), Ssrc(2));
        let good = bytes.len();
        write_pli(&mut bytes, Ssrc(3), Ssrc(4));
        bytes[good + 3] = 200;
        assert_eq!(errors(&bytes), [None, Some(MalformedRtcp::Truncated)]);
        bytes[good + 3] = 0;
        assert_eq!(errors(&bytes), [None, Some(MalformedRtcp::Content)]);
        bytes[good] = 0x41;
        assert_eq!(errors(&bytes), [None, Some(MalformedRtcp::Version)]);
        bytes.truncate(good + 3);
        assert_eq!(errors(&bytes), [None, Some(MalformedRtcp::Truncated)]);
    }

    #[test]
    fn packets_are_at_most_64() {
        let many: Vec<u8> = [0x80, 210, 0, 0].repeat(MAX_PACKETS + 1);
        let found = errors(&many);
        assert_eq!(found.len(), MAX_PACKETS + 1);
        assert_eq!(found.last(), Some(&Some(MalformedRtcp::TooMany)));
        assert_eq!(errors(&many[4..]), vec![None; MAX_PACKETS]);
    }

    #[test]
    fn padding_is_within_the_packet() {
        let pli = |padding: u8| [0xa1, PAYLOAD_SPECIFIC, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, padding];
        assert_eq!(errors(&pli(4)), [None]);
        assert_eq!(errors(&pli(0)), [Some(MalformedRtcp::Padding)]);
        assert_eq!(errors(&pli(13)), [Some(MalformedRtcp::Padding)]);
        assert_eq!(errors(&pli(12)), [Some(MalformedRtcp::Content)]);
    }

    #[test]
    fn unknown_types_are_passed_over() {
        let mut bytes = vec![0x85, 210, 0, 1, 1, 2, 3, 4];
        write_pli(&mut bytes, Ssrc(1), Ssrc(2));
        let mut packets = compound(&bytes);
        assert!(matches!(packets.next(), Some(Ok(Rtcp::Unknown { packet_type: 210, format: 5 }))));
        let Some(Ok(Rtcp::Pli(pli))) = packets.next() else { panic!("no PLI") };
        assert_eq!(pli, Pli { sender: Ssrc(1), media: Ssrc(2) });
    }

    fn walk(bytes: &[u8]) {
        for packet in compound(bytes) {
            match packet {
                Ok(
                    Rtcp::SenderReport(SenderReport { blocks, .. })
                    | Rtcp::ReceiverReport(ReceiverReport { blocks, .. }),
                ) => {
                    assert!(blocks.into_iter().count() <= MAX_REPORT_BLOCKS);
                }
                Ok(Rtcp::Bye(bye)) => assert!(bye.sources().count() <= 31),
                Ok(Rtcp::Nack(nack)) => assert!(nack.lost().count() <= bytes.len() / 4 * 17),
                Ok(Rtcp::Fir(fir)) => assert!(fir.requests().count() <= bytes.len() / 8),
                Ok(Rtcp::Remb(remb)) => assert!(remb.sources().count() <= 255),
                Ok(Rtcp::TransportFeedback(feedback)) => {
                    assert_eq!(feedback.statuses().count(), usize::from(feedback.status_count));
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            walk(&bytes);
        }

        #[test]
        fn no_content_panics(packet_type in 199_u8..208, format in 0_u8..32, words in prop::collection::vec(any::<u32>(), 0..40)) {
            let mut bytes = vec![0x80 | format, packet_type, 0, words.len() as u8];
            for word in &words {
                bytes.extend_from_slice(&word.to_be_bytes());
            }
            walk(&bytes);
        }
    }
}
