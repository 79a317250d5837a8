//! Sender and receiver reports (RFC 3550 section 6.4).

use super::{MAX_REPORT_BLOCKS, RECEIVER_REPORT, SENDER_REPORT, Writer, word};
use crate::units::{NtpTime, Ssrc};

const BLOCK_LENGTH: usize = 24;

/// What a receiver says about one source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReportBlock {
    /// The source reported on.
    pub ssrc: Ssrc,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost in all, 24 bits signed: duplicates make it negative.
    pub cumulative_lost: i32,
    /// Cycles in the upper half, highest sequence number in the lower.
    pub highest_sequence: u32,
    /// Interarrival jitter in ticks of the codec's clock.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report; 0 when there was none.
    pub last_sender_report: u32,
    /// Time since then in 1/65536 s; what is left of the time since that report left is the round trip.
    pub delay_since_last_sender_report: u32,
}

impl ReportBlock {
    fn parse(bytes: &[u8; BLOCK_LENGTH]) -> ReportBlock {
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        ReportBlock {
            ssrc: Ssrc(word(0)),
            fraction_lost: bytes[4],
            // Shifted up and down again so that the sign of the 24 bits is kept.
            cumulative_lost: (word(4) << 8) as i32 >> 8,
            highest_sequence: word(8),
            jitter: word(12),
            last_sender_report: word(16),
            delay_since_last_sender_report: word(20),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let lost = self.cumulative_lost.clamp(-0x0080_0000, 0x007f_ffff) as u32 & 0x00ff_ffff;
        writer.word(self.ssrc.0);
        writer.word(u32::from(self.fraction_lost) << 24 | lost);
        writer.word(self.highest_sequence);
        writer.word(self.jitter);
        writer.word(self.last_sender_report);
        writer.word(self.delay_since_last_sender_report);
    }
}

/// The blocks of a report, at most [`MAX_REPORT_BLOCKS`].
#[derive(Clone, Copy, Debug)]
pub struct ReportBlocks<'a> {
    bytes: &'a [u8],
}

impl<'a> ReportBlocks<'a> {
    /// Profile-specific extensions may follow the blocks and are passed over.
    fn parse(count: u8, bytes: &'a [u8]) -> Option<ReportBlocks<'a>> {
        bytes.get(..usize::from(count) * BLOCK_LENGTH).map(|bytes| ReportBlocks { bytes })
    }
}

impl<'a> IntoIterator for ReportBlocks<'a> {
    type Item = ReportBlock;
    type IntoIter =
        std::iter::FilterMap<std::slice::ChunksExact<'a, u8>, fn(&'a [u8]) -> Option<ReportBlock>>;

    fn into_iter(self) -> Self::IntoIter {
        // Chunks are exact, so that none is filtered out.
        self.bytes.chunks_exact(BLOCK_LENGTH).filter_map(|block| block.first_chunk().map(ReportBlock::parse))
    }
}

/// A sender's clock and counts, and what it says about others.
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    /// Clock and counts.
    pub figures: SenderFigures,
    /// What it receives.
    pub blocks: ReportBlocks<'a>,
}

/// The sender information of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderFigures {
    /// Who sends.
    pub ssrc: Ssrc,
    /// The sender's wall clock.
    pub ntp: NtpTime,
    /// The same moment in ticks of the codec's clock.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(count: u8, content: &'a [u8]) -> Option<SenderReport<'a>> {
        let figures = SenderFigures {
            ssrc: Ssrc(word(content, 0)?),
            ntp: NtpTime(u64::from(word(content, 4)?) << 32 | u64::from(word(content, 8)?)),
            rtp_timestamp: word(content, 12)?,
            packets: word(content, 16)?,
            octets: word(content, 20)?,
        };
        Some(SenderReport { figures, blocks: ReportBlocks::parse(count, content.get(24..)?)? })
    }
}

/// What one receiver says.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverReport<'a> {
    /// Who reports.
    pub ssrc: Ssrc,
    /// What it receives.
    pub blocks: ReportBlocks<'a>,
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(count: u8, content: &'a [u8]) -> Option<ReceiverReport<'a>> {
        let blocks = ReportBlocks::parse(count, content.get(4..)?)?;
        Some(ReceiverReport { ssrc: Ssrc(word(content, 0)?), blocks })
    }
}

/// Appends a sender report; blocks beyond [`MAX_REPORT_BLOCKS`] are left out.
pub fn write_sender_report(out: &mut Vec<u8>, figures: &SenderFigures, blocks: &[ReportBlock]) {
    let blocks = &blocks[..blocks.len().min(MAX_REPORT_BLOCKS)];
    let mut writer = Writer::begin(out, SENDER_REPORT, blocks.len() as u8);
    writer.word(figures.ssrc.0);
    writer.bytes(&figures.ntp.0.to_be_bytes());
    writer.word(figures.rtp_timestamp);
    writer.word(figures.packets);
    writer.word(figures.octets);
    for block in blocks {
        block.write(&mut writer);
    }
    writer.finish();
}

/// Appends a receiver report; blocks beyond [`MAX_REPORT_BLOCKS`] are left out.
pub fn write_receiver_report(out: &mut Vec<u8>, ssrc: Ssrc, blocks: &[ReportBlock]) {
    let blocks = &blocks[..blocks.len().min(MAX_REPORT_BLOCKS)];
    let mut writer = Writer::begin(out, RECEIVER_REPORT, blocks.len() as u8);
    writer.word(ssrc.0);
    for block in blocks {
        block.write(&mut writer);
    }
    writer.finish();
}

#[cfg(test)]
mod tests {
    use super::super::{MalformedRtcp, Rtcp, compound};
    use super::*;

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: Ssrc(0x0102_0304),
        fraction_lost: 128,
        cumulative_lost: -5,
        highest_sequence: 0x0003_ffff,
        jitter: 77,
        last_sender_report: 0xdead_beef,
        delay_since_last_sender_report: 65_536,
    };
    const FIGURES: SenderFigures = SenderFigures {
        ssrc: Ssrc(9),
        ntp: NtpTime(0xe000_0000_8000_0000),
        rtp_timestamp: 90_000,
        packets: 3,
        octets: 3_300,
    };

    #[test]
    fn sender_report_round_trip() {
        let blocks = [BLOCK, ReportBlock { cumulative_lost: 0x007f_ffff, ..BLOCK }];
        let mut bytes = Vec::new();
        write_sender_report(&mut bytes, &FIGURES, &blocks);
        assert_eq!(bytes.len(), 28 + 2 * 24);
        let mut packets = compound(&bytes);
        let Some(Ok(Rtcp::SenderReport(report))) = packets.next() else { panic!("no sender report") };
        assert_eq!(report.figures, FIGURES);
        assert!(report.blocks.into_iter().eq(blocks));
        assert!(packets.next().is_none());
    }

    #[test]
    fn receiver_report_round_trip() {
        let mut bytes = Vec::new();
        write_receiver_report(&mut bytes, Ssrc(1), &[BLOCK]);
        write_receiver_report(&mut bytes, Ssrc(2), &[]);
        let mut reports = compound(&bytes).map(|packet| match packet {
            Ok(Rtcp::ReceiverReport(report)) => (report.ssrc, report.blocks.into_iter().collect::<Vec<_>>()),
            other => panic!("{other:?}"),
        });
        assert_eq!(reports.next(), Some((Ssrc(1), vec![BLOCK])));
        assert_eq!(reports.next(), Some((Ssrc(2), vec![])));
        assert_eq!(reports.next(), None);
    }

    #[test]
    fn losses_beyond_24_bits_are_clamped() {
        for (lost, expected) in [(i32::MAX, 0x007f_ffff), (i32::MIN, -0x0080_0000)] {
            let mut bytes = Vec::new();
            write_receiver_report(&mut bytes, Ssrc(1), &[ReportBlock { cumulative_lost: lost, ..BLOCK }]);
            let Some(Ok(Rtcp::ReceiverReport(report))) = compound(&bytes).next() else { panic!("no report") };
            assert_eq!(report.blocks.into_iter().next().map(|block| block.cumulative_lost), Some(expected));
        }
    }

    #[test]
    fn blocks_are_at_most_31() {
        let mut bytes = Vec::new();
        write_sender_report(&mut bytes, &FIGURES, &[BLOCK; 40]);
        let Some(Ok(Rtcp::SenderReport(report))) = compound(&bytes).next() else { panic!("no report") };
        assert_eq!(report.blocks.into_iter().count(), MAX_REPORT_BLOCKS);
    }

    #[test]
    fn a_count_beyond_the_content_is_refused() {
        let mut bytes = Vec::new();
        write_receiver_report(&mut bytes, Ssrc(1), &[BLOCK]);
        bytes[0] = 0x82;
        assert_eq!(compound(&bytes).next().map(Result::err), Some(Some(MalformedRtcp::Content)));
    }
}
