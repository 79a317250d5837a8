//! A participant who receives: asks for what is missing, reports what arrives, decodes and plays.

pub mod feedback;
pub mod numbers;
pub mod picture;
pub mod playout;
pub mod recovery;
pub mod sound;

use std::time::Duration;

use loupe_core::io::{Codec, ExtensionIds, OutboundMedia};
use loupe_core::meter::Jitter;
use loupe_core::reports::Reception;
use loupe_core::rtcp::report::ReportBlock;
use loupe_core::rtcp::{Rtcp, SenderFigures, write_nack, write_pli, write_receiver_report};
use loupe_core::rtp::{ReceivedExtensions, RtpHeader, red};
use loupe_core::seq::TimestampUnwrapper;
use loupe_core::units::{SeqNo, Ssrc, Time};

use self::feedback::{Arrivals, Remb};
use self::numbers::{GIVE_UP, Numbers};
use self::picture::Pictures;
use self::playout::PlayoutConfig;
use self::recovery::Recovery;
use self::sound::Sound;

const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Of a source of which nothing came for longer, reports say nothing, as libwebrtc's.
const IDLE: Duration = Duration::from_secs(8);
/// A key frame that did not come is asked for again after this, or after a round trip.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Bytes of IPv4 and UDP headers.
const AROUND: usize = 28;

/// What a subscriber is.
#[derive(Clone, Copy, Debug)]
pub struct SubscriberConfig {
    /// Sends transport-wide feedback.
    pub transport_cc: bool,
    /// Sends estimates of its own.
    pub remb: bool,
    /// How it holds pictures back.
    pub pictures: PlayoutConfig,
    /// How it holds sound back.
    pub sound: PlayoutConfig,
}

/// What a line becomes.
#[derive(Debug)]
pub enum Decoded {
    /// Pictures.
    Pictures(Pictures),
    /// Sound.
    Sound(Sound),
}

/// One subscription as its subscriber has it.
#[derive(Debug)]
pub struct Line {
    media: OutboundMedia,
    numbers: Numbers,
    recovery: Recovery,
    /// What became of it.
    pub decoded: Decoded,
    /// When key frames were asked for.
    pub plis: Vec<Time>,
    /// (expected, received) at the last report block.
    reported: (u64, u64),
    /// Packets that came back by parity: reception reports call them lost.
    recovered: u64,
    last_report: Option<(Time, SenderFigures)>,
    /// When a packet of it last came.
    heard: Time,
    times: TimestampUnwrapper,
    jitter: Jitter,
}

impl Line {
    fn is_known_by(&self, ssrc: Ssrc) -> bool {
        let parity = self.media.parity.map(|(ssrc, _)| ssrc);
        self.media.ssrc == ssrc || self.media.rtx_ssrc == Some(ssrc) || parity == Some(ssrc)
    }

    /// A packet of one of its sources, and what comes back by it. What is sent again is no part of what parity protects.
    fn receive(&mut self, now: Time, header: &RtpHeader, packet: &[u8]) {
        self.heard = now;
        let recovered = if self.media.parity.is_some_and(|(ssrc, _)| ssrc == header.ssrc) {
            header.payload(packet).map(|payload| self.recovery.note_parity(payload)).unwrap_or_default()
        } else {
            self.take(now, header, packet);
            let first = header.ssrc == self.media.ssrc;
            if first {
                self.jitter.receive(now, self.times.unwrap(header.timestamp), self.clock_rate());
            }
            let protected = self.media.parity.is_some() && first;
            let ids = &self.media.extensions;
            if protected { self.recovery.note(header, packet, ids) } else { Vec::new() }
        };
        for packet in recovered {
            if let Ok(header) = RtpHeader::parse(&packet) {
                self.recovered += u64::from(self.take(now, &header, &packet));
            }
        }
    }

    /// Units of its timestamps in a second.
    fn clock_rate(&self) -> u32 {
        match self.decoded {
            Decoded::Pictures(_) => 90_000,
            Decoded::Sound(_) => 48_000,
        }
    }

    /// Whether a packet is news.
    fn take(&mut self, now: Time, header: &RtpHeader, packet: &[u8]) -> bool {
        let Ok(mut payload) = header.payload(packet) else { return false };
        let repaired = Some(header.ssrc) == self.media.rtx_ssrc;
        let mut wire = header.sequence;
        if repaired {
            // A retransmission without payload is padding (RFC 4588 section 4 wants two bytes at least).
            let Some((original, rest)) = payload.split_first_chunk::<2>() else { return false };
            (wire, payload) = (u16::from_be_bytes(*original), rest);
        }
        let Some(seq) = self.numbers.receive(now, wire, repaired) else { return false };
        if payload.is_empty() {
            return true;
        }
        match &mut self.decoded {
            Decoded::Pictures(pictures) => {
                pictures.receive(now, seq, header.timestamp, header.marker, payload);
            }
            Decoded::Sound(sound) if Some(header.payload_type) == self.media.red_payload_type => {
                // The newest first, for what was there before is no news.
                let blocks = red::read(payload).unwrap_or_default();
                blocks.iter().rev().for_each(|block| sound.receive(now, block.payload));
            }
            Decoded::Sound(sound) => sound.receive(now, payload),
        }
        true
    }

    fn handle_timeout(&mut self, now: Time) {
        match &mut self.decoded {
            Decoded::Pictures(pictures) => {
                if let Some(passed) = pictures.handle_timeout(now) {
                    self.numbers.forget_below(passed);
                }
            }
            Decoded::Sound(sound) => sound.handle_timeout(now),
        }
    }

    fn next_timeout(&self) -> Time {
        let plays = match &self.decoded {
            Decoded::Pictures(pictures) => pictures.next_timeout(),
            Decoded::Sound(sound) => sound.next_timeout(),
        };
        plays.min(self.numbers.next_timeout()).min(self.next_pli())
    }

    /// When a key frame is to be asked for.
    fn next_pli(&self) -> Time {
        let Decoded::Pictures(pictures) = &self.decoded else { return Time::NEVER };
        let Some(since) = pictures.waiting_since() else { return Time::NEVER };
        let again =
            self.plis.last().map_or(Time::ZERO, |last| *last + ASK_AGAIN.max(self.numbers.round_trip()));
        (since + GIVE_UP).max(again)
    }

    /// Writes requests that are due.
    fn write_requests(&mut self, now: Time, out: &mut Vec<u8>, sender: Ssrc) {
        let lost = self.numbers.due(now);
        write_nack(out, sender, self.media.ssrc, &lost);
        if self.next_pli() <= now {
            self.plis.push(now);
            write_pli(out, sender, self.media.ssrc);
        }
    }

    /// A report block (RFC 3550 section 6.4.1); `None` before anything came and when nothing does any more.
    fn report(&mut self, now: Time) -> Option<ReportBlock> {
        if now.since(self.heard) > IDLE {
            return None;
        }
        let (highest, expected) = self.numbers.extent()?;
        let received = self.numbers.received - self.recovered;
        let reception = Reception {
            ssrc: self.media.ssrc,
            highest: SeqNo(highest),
            expected,
            received,
            jitter: self.jitter.ticks(),
            clock: self.last_report.map(|(at, figures)| (figures.ntp, at)),
        };
        Some(reception.block(now, &mut self.reported))
    }

    /// Packets from the first to the newest, and how many of them came.
    pub fn packets(&self) -> (u64, u64) {
        (self.numbers.extent().map_or(0, |(_, expected)| expected), self.numbers.received)
    }

    /// Requests for packets that it made.
    pub fn nacks(&self) -> u64 {
        self.numbers.asked
    }
}

/// The subscriber.
pub struct Subscriber {
    ssrc: Ssrc,
    config: SubscriberConfig,
    extensions: ExtensionIds,
    /// Its subscriptions, in the order in which they were added.
    pub lines: Vec<Line>,
    arrivals: Arrivals,
    remb: Remb,
    next_report: Time,
}

impl Subscriber {
    /// One that receives nothing yet; its own source has this number.
    pub fn new(ssrc: u32, config: SubscriberConfig, extensions: ExtensionIds) -> Subscriber {
        Subscriber {
            ssrc: Ssrc(ssrc),
            config,
            extensions,
            lines: Vec::new(),
            arrivals: Arrivals::default(),
            remb: Remb::default(),
            next_report: Time::NEVER,
        }
    }

    /// A subscription, as it was told.
    pub fn add(&mut self, media: OutboundMedia, codec: Codec) {
        let decoded = match codec {
            Codec::Opus => Decoded::Sound(Sound::new(self.config.sound)),
            codec => Decoded::Pictures(Pictures::new(codec, self.config.pictures)),
        };
        let numbers = Numbers::new(media.rtx_ssrc.is_some());
        self.lines.push(Line {
            media,
            numbers,
            recovery: Recovery::default(),
            decoded,
            plis: Vec::new(),
            reported: (0, 0),
            recovered: 0,
            last_report: None,
            heard: Time::ZERO,
            times: TimestampUnwrapper::default(),
            jitter: Jitter::default(),
        });
    }

    /// A plain RTP packet.
    pub fn receive_rtp(&mut self, now: Time, header: &RtpHeader, packet: &[u8], datagram_bytes: usize) {
        if self.next_report == Time::NEVER {
            self.next_report = now + REPORT_INTERVAL;
        }
        let bytes = datagram_bytes + AROUND;
        let extensions = ReceivedExtensions::read(packet, header, &self.extensions);
        if let Some(number) = extensions.transport_cc.filter(|_| self.config.transport_cc) {
            self.arrivals.receive(now, number, bytes);
        }
        if let Some(sent) = extensions.abs_send_time.filter(|_| self.config.remb) {
            self.remb.receive(now, sent, bytes);
        }
        if let Some(line) = self.lines.iter_mut().find(|line| line.is_known_by(header.ssrc)) {
            line.receive(now, header, packet);
        }
    }

    /// What the plane reports.
    pub fn receive_rtcp(&mut self, now: Time, packet: &Rtcp<'_>) {
        if let Rtcp::SenderReport(report) = packet {
            let of = |line: &&mut Line| line.media.ssrc == report.figures.ssrc;
            if let Some(line) = self.lines.iter_mut().find(of) {
                line.last_report = Some((now, report.figures));
            }
        }
    }

    /// When [`Subscriber::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Time {
        let lines = self.lines.iter().map(Line::next_timeout).min().unwrap_or(Time::NEVER);
        let remb = if self.config.remb && self.next_report != Time::NEVER {
            self.remb.next_timeout()
        } else {
            Time::NEVER
        };
        lines.min(self.next_report).min(self.arrivals.next_timeout()).min(remb)
    }

    /// Plays what is due; compound RTCP packets that leave now.
    pub fn handle_timeout(&mut self, now: Time) -> Vec<Vec<u8>> {
        let mut requests = Vec::new();
        for line in &mut self.lines {
            line.handle_timeout(now);
            line.write_requests(now, &mut requests, self.ssrc);
        }
        let mut reports = Vec::new();
        if now >= self.next_report {
            self.next_report = now + REPORT_INTERVAL;
            let blocks: Vec<ReportBlock> =
                self.lines.iter_mut().filter_map(|line| line.report(now)).collect();
            write_receiver_report(&mut reports, self.ssrc, &blocks);
        }
        if self.config.remb && self.next_report != Time::NEVER {
            let sources: Vec<Ssrc> = self.lines.iter().map(|line| line.media.ssrc).collect();
            let packets = self.lines.iter().map(Line::packets);
            let counted = packets.fold((0, 0), |(lost, all), (of_line, came)| {
                (lost + of_line - came.min(of_line), all + of_line)
            });
            self.remb.write(now, &mut reports, self.ssrc, &sources, counted);
        }
        let mut arrivals = Vec::new();
        let media = self.lines.first().map_or(Ssrc(0), |line| line.media.ssrc);
        self.arrivals.write(now, &mut arrivals, self.ssrc, media);
        [requests, reports, arrivals].into_iter().filter(|bytes| !bytes.is_empty()).collect()
    }
}
