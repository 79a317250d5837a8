//! A sender: frames of several packets, key frames on request, repairs on request, sender reports.

use std::time::Duration;

use loupe_core::rtcp::report::ReportBlock;
use loupe_core::rtcp::{PacketStatus, Rtcp, SenderFigures, write_sender_report};
use loupe_core::units::{NtpTime, Ssrc, Time};

use super::media::Media;
use super::source::Source;

const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Feedback about transport-wide numbers, when it came.
pub struct FeedbackSeen {
    pub at: Time,
    pub count: u8,
    pub reference_time: u32,
    pub statuses: Vec<PacketStatus>,
}

pub struct Publisher {
    number: usize,
    pub sources: Vec<Source>,
    /// Answers requests for packets.
    pub repairing: bool,
    /// Answers requests for key frames.
    pub obedient: bool,
    pub next_transport_seq: u16,
    pub nacked: Vec<(Time, u16)>,
    pub plis: Vec<(Time, u32)>,
    /// Source and command number.
    pub firs: Vec<(u32, u8)>,
    pub feedback: Vec<FeedbackSeen>,
    pub blocks: Vec<(Time, ReportBlock)>,
    pub rembs: Vec<(Time, u64)>,
    pub next_report: Time,
    wanted: Vec<(Time, usize, u16)>,
}

impl Publisher {
    pub fn new(number: usize) -> Publisher {
        Publisher {
            number,
            sources: Vec::new(),
            repairing: true,
            obedient: true,
            next_transport_seq: 65_400,
            nacked: Vec::new(),
            plis: Vec::new(),
            firs: Vec::new(),
            feedback: Vec::new(),
            blocks: Vec::new(),
            rembs: Vec::new(),
            next_report: Time::NEVER,
            wanted: Vec::new(),
        }
    }

    pub fn add(&mut self, now: Time, media: Media) {
        let first = now + Duration::from_millis(50);
        for mut source in media.sources {
            source.next = first;
            source.extensions = media.inbound.extensions;
            source.mid = media
                .inbound
                .mid
                .map(|mid| String::from_utf8_lossy(mid.as_bytes()).into())
                .unwrap_or_default();
            self.sources.push(source);
        }
        self.next_report = self.next_report.min(first + Duration::from_millis(100));
    }

    pub fn next_timeout(&self) -> Time {
        let flowing = self.sources.iter().filter(|source| source.flowing);
        flowing.map(|source| source.next).min().unwrap_or(Time::NEVER).min(self.next_report)
    }

    pub fn packets_due(&mut self, now: Time) -> Vec<(Vec<u8>, u64)> {
        let mut packets = Vec::new();
        for source in self.sources.iter_mut().filter(|source| source.flowing && source.next <= now) {
            packets.extend(source.next_frame(now, &mut self.next_transport_seq));
            source.next = now + source.interval;
        }
        packets
    }

    /// Answers to what was asked for since the last call.
    pub fn repairs(&mut self) -> Vec<(Vec<u8>, u64)> {
        let wanted = std::mem::take(&mut self.wanted);
        let numbers = &mut self.next_transport_seq;
        let sources = &mut self.sources;
        wanted
            .into_iter()
            .filter_map(|(now, source, seq)| sources[source].repair(now, seq, numbers))
            .collect()
    }

    /// The publisher's wall clock: some hours off the plane's.
    pub fn wall_clock(&self, now: Time) -> NtpTime {
        NtpTime::from_unix_micros(1_750_000_000_000_000 + self.number as u64 * 3_600_000_000 + now.0)
    }

    pub fn reports_due(&mut self, now: Time) -> Option<Vec<u8>> {
        if now < self.next_report {
            return None;
        }
        self.next_report = now + REPORT_INTERVAL;
        let mut bytes = Vec::new();
        for source in self.sources.iter().filter(|source| source.flowing) {
            let figures = SenderFigures {
                ssrc: Ssrc(source.ssrc),
                ntp: self.wall_clock(now),
                rtp_timestamp: source.timestamp(now),
                packets: source.sent.len() as u32,
                octets: 0,
            };
            write_sender_report(&mut bytes, &figures, &[]);
        }
        (!bytes.is_empty()).then_some(bytes)
    }

    fn refresh(&mut self, media: Ssrc) {
        let source = self.sources.iter_mut().find(|source| source.ssrc == media.0);
        if let Some(source) = source.filter(|_| self.obedient) {
            source.keyframe_wanted = true;
        }
    }

    pub fn receive_rtcp(&mut self, now: Time, packet: &Rtcp<'_>) {
        match packet {
            Rtcp::Nack(nack) => {
                let source = self.sources.iter().position(|source| source.ssrc == nack.media.0);
                for lost in nack.lost() {
                    self.nacked.push((now, lost));
                    let source = source.filter(|_| self.repairing);
                    self.wanted.extend(source.map(|source| (now, source, lost)));
                }
            }
            Rtcp::Pli(pli) => {
                self.plis.push((now, pli.media.0));
                self.refresh(pli.media);
            }
            Rtcp::Fir(fir) => {
                for (media, command) in fir.requests() {
                    self.firs.push((media.0, command));
                    self.refresh(media);
                }
            }
            Rtcp::TransportFeedback(feedback) => self.feedback.push(FeedbackSeen {
                at: now,
                count: feedback.feedback_count,
                reference_time: feedback.reference_time,
                statuses: feedback.statuses().collect(),
            }),
            Rtcp::ReceiverReport(report) => {
                self.blocks.extend(report.blocks.into_iter().map(|block| (now, block)));
            }
            Rtcp::Remb(remb) => self.rembs.push((now, remb.bitrate.0)),
            _ => {}
        }
    }
}
