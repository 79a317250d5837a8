//! A viewer that is light on the processor: it reports what comes, and neither decrypts nor repairs it.
//!
//! What a report needs stands in the clear: the source, its sequence number and, in a header extension, the
//! transport-wide number. So the server hears what a viewer on a good link says, for a fraction of what a whole viewer
//! costs this process, and one processor bears enough of them to load the server. Unlike a whole viewer it tells the kernel's
//! times of arrival, so that waiting for this process does not look like the link's delay, has reception reports of sound as
//! often as of pictures, and asks for nothing again.

use std::time::Duration;

use loupe_core::reports::{REPORT_INTERVAL, Reception};
use loupe_core::rtcp::{ReportBlock, Rtcp, compound, write_receiver_report};
use loupe_core::rtp::RtpHeader;
use loupe_core::rtp::extensions::Elements;
use loupe_core::seq::SeqUnwrapper;
use loupe_core::srtp::{InboundSrtp, OutboundSrtp, RtcpReplay, SrtpError};
use loupe_core::twcc::ArrivalLog;
use loupe_core::units::{NtpTime, SeqNo, Ssrc, Time};

use crate::profile::Keying;

/// Who reports. The state machine that joined is kept from reporting, and names itself otherwise: no key serves a number
/// of one source twice.
const OWN: Ssrc = Ssrc(0x4C69_6768);
/// Between two reports while there is something to tell, as whole viewers space them.
const SPACING: Duration = Duration::from_millis(50);

/// What a light viewer has to know of what comes.
pub struct Light {
    keys: (InboundSrtp, OutboundSrtp),
    /// Identifier of the header extension with the transport-wide number.
    transport_cc: u8,
    numbers: SeqUnwrapper,
    arrivals: ArrivalLog,
    sources: Vec<Source>,
    /// When the next report is due, if anything came since the last.
    due: Time,
    pending: bool,
    /// When reception is reported next.
    next_blocks: Time,
    /// SRTCP's index of the next datagram.
    index: u32,
    /// The datagram that is written or read.
    scratch: Vec<u8>,
}

/// One source, since its first packet.
struct Source {
    ssrc: Ssrc,
    numbers: SeqUnwrapper,
    first: SeqNo,
    received: u64,
    /// Packets expected and received when the last report was written.
    reported: (u64, u64),
    replay: RtcpReplay,
    /// The time in its newest sender report, and when that came.
    heard: Option<(NtpTime, Time)>,
}

impl Light {
    /// A viewer of a transport that has its keys.
    pub fn new(keying: &Keying, transport_cc: u8) -> Result<Self, SrtpError> {
        let inbound = InboundSrtp::new(keying.profile, &keying.theirs)?;
        let outbound = OutboundSrtp::new(keying.profile, &keying.ours)?;
        Ok(Self {
            keys: (inbound, outbound),
            transport_cc,
            numbers: SeqUnwrapper::new(),
            arrivals: ArrivalLog::default(),
            sources: Vec::new(),
            due: Time::ZERO,
            pending: false,
            next_blocks: Time::ZERO,
            index: 0,
            scratch: Vec::new(),
        })
    }

    /// A protected RTP packet came. What is malformed is not reported, so that the server sees it lost.
    pub fn receive_rtp(&mut self, now: Time, packet: &[u8]) {
        let Ok(header) = RtpHeader::parse(packet) else { return };
        let elements = header.extension.map(|block| Elements::new(packet, block));
        let number = elements.into_iter().flatten().find(|(id, _)| *id == self.transport_cc);
        if let Some(number) = number.and_then(|(_, data)| data.try_into().ok()) {
            let number = self.numbers.unwrap(u16::from_be_bytes(number));
            self.arrivals.receive(now, number, packet.len());
            if self.due == Time::ZERO {
                self.due = now + SPACING;
            }
            self.pending = true;
        }
        match self.sources.iter_mut().find(|source| source.ssrc == header.ssrc) {
            Some(source) => source.take(header.sequence),
            None => self.sources.push(Source::new(&header)),
        }
    }

    /// A protected RTCP packet came: the server's clocks, from whose return it measures the round trip.
    pub fn receive_rtcp(&mut self, now: Time, packet: &[u8]) {
        let Some(ssrc) = packet.get(4..).and_then(|rest| rest.first_chunk()) else { return };
        let ssrc = Ssrc(u32::from_be_bytes(*ssrc));
        let Some(source) = self.sources.iter_mut().find(|source| source.ssrc == ssrc) else { return };
        self.scratch.clear();
        self.scratch.extend_from_slice(packet);
        let Ok(length) = self.keys.0.unprotect_rtcp(&mut source.replay, &mut self.scratch) else { return };
        for report in compound(&self.scratch[..length]) {
            if let Ok(Rtcp::SenderReport(report)) = report
                && report.figures.ssrc == ssrc
            {
                source.heard = Some((report.figures.ntp, now));
            }
        }
    }

    /// When [`Light::report`] has one.
    pub fn due(&self) -> Time {
        if self.pending { self.due } else { Time::NEVER }
    }

    /// The protected report that is due now.
    pub fn report(&mut self, now: Time) -> Result<Option<&[u8]>, SrtpError> {
        if self.due() > now {
            return Ok(None);
        }
        let regular = self.due + SPACING;
        (self.due, self.pending) = (if regular > now { regular } else { now + SPACING }, false);
        // The log would space reports as a server does.
        let Some((mut base, arrivals)) = self.arrivals.take(Time::NEVER) else { return Ok(None) };
        self.scratch.clear();
        if now >= self.next_blocks {
            self.next_blocks = now + REPORT_INTERVAL;
            let blocks: Vec<_> = self.sources.iter_mut().filter_map(|source| source.block(now)).collect();
            write_receiver_report(&mut self.scratch, OWN, &blocks);
        }
        let media = self.sources.first().map_or(OWN, |source| source.ssrc);
        let mut rest = &arrivals[..];
        while !rest.is_empty() {
            let told = self.arrivals.builder.write(&mut self.scratch, (OWN, media), base, rest);
            base = SeqNo(rest[told - 1].0.0 + 1);
            rest = &rest[told..];
        }
        self.arrivals.recycle(arrivals);
        self.keys.1.protect_rtcp(&mut self.scratch, 0, self.index)?;
        self.index += 1;
        Ok(Some(&self.scratch))
    }
}

impl std::fmt::Debug for Light {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Light").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Source {
    fn new(header: &RtpHeader) -> Self {
        let mut numbers = SeqUnwrapper::new();
        let first = numbers.unwrap(header.sequence);
        let (ssrc, replay) = (header.ssrc, RtcpReplay::default());
        Self { ssrc, numbers, first, received: 1, reported: (0, 0), replay, heard: None }
    }

    fn take(&mut self, sequence: u16) {
        self.numbers.unwrap(sequence);
        self.received += 1;
    }

    /// What the next report says of it; jitter is not measured.
    fn block(&mut self, now: Time) -> Option<ReportBlock> {
        let highest = self.numbers.newest()?;
        let (ssrc, received, clock) = (self.ssrc, self.received, self.heard);
        let expected = highest.0 - self.first.0 + 1;
        let reception = Reception { ssrc, highest, expected, received, jitter: 0, clock };
        Some(reception.block(now, &mut self.reported))
    }
}

#[cfg(test)]
mod tests {
    use loupe_core::io::SrtpProfile;
    use loupe_core::rtcp::report::{SenderFigures, write_sender_report};
    use loupe_core::rtp::extensions::ExtensionWriter;

    use super::*;

    const NUMBER: u8 = 5;
    const CAMERA: Ssrc = Ssrc(7);

    fn keying() -> Keying {
        Keying { profile: SrtpProfile::AeadAes128Gcm, ours: vec![1; 28], theirs: vec![2; 28] }
    }

    fn packet(sequence: u16, number: u16) -> Vec<u8> {
        let mut bytes = vec![0x90, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[2..4].copy_from_slice(&sequence.to_be_bytes());
        bytes[8..12].copy_from_slice(&CAMERA.0.to_be_bytes());
        let mut extensions = ExtensionWriter::begin(&mut bytes);
        extensions.push(3, &[1, 2, 3]);
        extensions.push(NUMBER, &number.to_be_bytes());
        extensions.finish();
        bytes.extend_from_slice(&[0; 60]);
        bytes
    }

    /// What the server reads: the blocks, and of each transport-wide number whether it came.
    fn read(datagram: &[u8]) -> (Vec<ReportBlock>, Vec<(u16, bool)>) {
        let server = InboundSrtp::new(keying().profile, &keying().ours).expect("the keys fit");
        let mut bytes = datagram.to_vec();
        let length = server.unprotect_rtcp(&mut RtcpReplay::default(), &mut bytes).expect("it is authentic");
        let (mut blocks, mut fates) = (Vec::new(), Vec::new());
        for packet in compound(&bytes[..length]) {
            match packet.expect("it is well formed") {
                Rtcp::ReceiverReport(report) => blocks.extend(report.blocks),
                Rtcp::TransportFeedback(feedback) => fates
                    .extend(feedback.statuses().map(|fate| (fate.sequence, fate.arrival_micros.is_some()))),
                other => panic!("{other:?}"),
            }
        }
        (blocks, fates)
    }

    #[test]
    fn what_came_and_what_is_missing_is_told_from_packets_nobody_decrypted() {
        let mut light = Light::new(&keying(), NUMBER).expect("the keys fit");
        for (sequence, number) in [(65_534, 500), (65_535, 501), (0, 502), (2, 504)] {
            light.receive_rtp(Time::ZERO, &packet(sequence, number));
        }
        assert!(light.report(Time::from_millis(49)).is_ok_and(|report| report.is_none()));
        let report = light.report(Time::from_millis(50)).expect("it is protected").expect("it is due");
        let (blocks, fates) = read(report);
        assert_eq!(fates, [(500, true), (501, true), (502, true), (503, false), (504, true)]);
        assert_eq!((blocks[0].ssrc, blocks[0].fraction_lost, blocks[0].cumulative_lost), (CAMERA, 51, 1));
        assert_eq!(blocks[0].highest_sequence, (1 << 16) + 2, "the number's turn is counted");

        light.receive_rtp(Time::from_millis(60), &packet(3, 505));
        let report = light.report(Time::from_millis(125)).expect("it is protected").expect("it is due");
        assert_eq!(read(report), (Vec::new(), vec![(505, true)]), "blocks come once a second");
    }

    #[test]
    fn the_servers_clock_is_sent_back() {
        let mut light = Light::new(&keying(), NUMBER).expect("the keys fit");
        light.receive_rtp(Time::from_millis(1), &packet(1, 1));
        let ntp = NtpTime(0x1111_2222_3333_4444);
        let figures = SenderFigures { ssrc: CAMERA, ntp, rtp_timestamp: 0, packets: 1, octets: 1 };
        let mut clock = Vec::new();
        write_sender_report(&mut clock, &figures, &[]);
        let server = OutboundSrtp::new(keying().profile, &keying().theirs).expect("the keys fit");
        server.protect_rtcp(&mut clock, 0, 0).expect("it is protected");
        light.receive_rtcp(Time::from_millis(26), &clock);
        let report = light.report(Time::from_millis(151)).expect("it is protected").expect("it is due");
        let block = read(report).0[0];
        let delay = block.delay_since_last_sender_report;
        assert_eq!((block.last_sender_report, delay), (0x2222_3333, 65_536 / 8));
    }
}
