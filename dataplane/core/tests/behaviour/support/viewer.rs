//! A receiver: opens packets, undoes RTX, asks for what is missing, and reports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use loupe_core::io::OutboundMedia;
use loupe_core::rtcp::report::ReportBlock;
use loupe_core::rtcp::{Rtcp, SenderFigures, TwccBuilder, write_nack, write_pli, write_receiver_report};
use loupe_core::rtp::extensions::blank_volatile;
use loupe_core::rtp::flexfec::Received as Parity;
use loupe_core::rtp::{Elements, RtpHeader, red};
use loupe_core::seq::{SeqUnwrapper, TimestampUnwrapper};
use loupe_core::units::{SeqNo, Ssrc, Time};

use super::content::{self, Content, Numbers};

/// How often a viewer looks at what it misses.
const TICK: Duration = Duration::from_millis(10);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);
/// Of a source of which nothing came for longer, reports say nothing, as libwebrtc's.
const IDLE: Duration = Duration::from_secs(8);

/// A packet as it arrived, retransmissions with the number of what they repeat.
#[derive(Clone, Debug)]
pub struct Received {
    pub at: Time,
    pub seq: u64,
    pub time: u64,
    pub marker: bool,
    pub payload: Vec<u8>,
    pub extensions: Vec<(u8, Vec<u8>)>,
    pub two_byte: bool,
    pub repaired: bool,
}

impl Received {
    pub fn content(&self) -> Content {
        content::read(&self.payload).expect("a payload of the test's publisher")
    }

    pub fn numbers(&self) -> Numbers {
        content::numbers(&self.payload).expect("a VP8 payload")
    }
}

struct Missing {
    next: Time,
    tries: u32,
}

/// One subscription as its viewer has it.
pub struct Line {
    pub media: OutboundMedia,
    /// Sound that came again with what followed it: when, its timestamp, and its payload.
    pub repeated: Vec<(Time, u64, Vec<u8>)>,
    pub clock_rate: u32,
    /// All that arrived, in the order of arrival; repeats included.
    pub received: Vec<Received>,
    pub reports: Vec<(Time, SenderFigures)>,
    /// Whether lost packets are asked for.
    pub nacks: bool,
    /// Requests for one packet at most, and between two of them.
    pub tries: u32,
    pub retry: Duration,
    pub rtx_packets: Vec<(Time, u16)>,
    /// Parity as it came: when, under which number, the payload.
    pub parity: Vec<(Time, u16, Vec<u8>)>,
    /// Packets as parity knows them, by number; where it was agreed upon.
    pub plain: BTreeMap<u64, Vec<u8>>,
    /// When each number was first asked for.
    pub asked: BTreeMap<u64, Time>,
    seqs: SeqUnwrapper,
    times: TimestampUnwrapper,
    have: BTreeSet<u64>,
    missing: BTreeMap<u64, Missing>,
}

impl Line {
    pub fn new(media: OutboundMedia, clock_rate: u32) -> Line {
        Line {
            media,
            repeated: Vec::new(),
            clock_rate,
            received: Vec::new(),
            reports: Vec::new(),
            nacks: true,
            tries: 10,
            retry: Duration::from_millis(60),
            rtx_packets: Vec::new(),
            parity: Vec::new(),
            plain: BTreeMap::new(),
            asked: BTreeMap::new(),
            seqs: SeqUnwrapper::default(),
            times: TimestampUnwrapper::default(),
            have: BTreeSet::new(),
            missing: BTreeMap::new(),
        }
    }

    fn take(&mut self, now: Time, header: &RtpHeader, packet: &[u8]) {
        let payload = header.payload(packet).expect("a sound packet");
        if let Some((ssrc, payload_type)) = self.media.parity {
            if header.ssrc == ssrc {
                assert_eq!(header.payload_type, payload_type);
                self.parity.push((now, header.sequence, payload.to_vec()));
                return;
            }
            if header.ssrc == self.media.ssrc {
                let mut plain = packet.to_vec();
                blank_volatile(&mut plain, header, &self.media.extensions);
                self.plain.insert(self.seqs.peek(header.sequence).0, plain);
            }
        }
        let repaired = Some(header.ssrc) == self.media.rtx_ssrc;
        let (mut wire, mut payload) = (header.sequence, payload.to_vec());
        if repaired {
            assert_eq!(Some(header.payload_type), self.media.rtx_payload_type);
            self.rtx_packets.push((now, header.sequence));
            if payload.len() < 2 {
                return; // Padding.
            }
            wire = u16::from_be_bytes([payload[0], payload[1]]);
            payload.drain(..2);
        }
        let redundant = !repaired && Some(header.payload_type) == self.media.red_payload_type;
        assert!(repaired || redundant || header.payload_type == self.media.payload_type);
        let SeqNo(seq) = self.seqs.peek(wire);
        if let Some(highest) = self.seqs.newest().filter(|highest| highest.0 < seq) {
            let next = now + TICK;
            let gap = highest.0 + 1..seq;
            self.missing.extend(gap.map(|lost| (lost, Missing { next, tries: 0 })));
        }
        self.seqs.commit(SeqNo(seq));
        self.missing.remove(&seq);
        self.have.insert(seq);
        let time = self.times.unwrap(header.timestamp).0;
        if redundant {
            payload = self.take_redundant(now, time, &payload);
        }
        let block = header.extension;
        let extensions = block.into_iter().flat_map(|block| Elements::new(packet, block));
        self.received.push(Received {
            at: now,
            seq,
            time,
            marker: header.marker,
            payload,
            extensions: extensions.map(|(id, data)| (id, data.to_vec())).collect(),
            two_byte: block.is_some_and(|block| block.profile != 0xbede),
            repaired,
        });
    }

    /// Notes what a redundant payload repeats; gives the packet's own.
    fn take_redundant(&mut self, now: Time, time: u64, payload: &[u8]) -> Vec<u8> {
        let mut blocks = red::read(payload).expect("a sound payload");
        assert!(blocks.iter().all(|block| block.payload_type == self.media.payload_type));
        let own = blocks.pop().expect("the packet's own").payload.to_vec();
        let earlier =
            blocks.iter().map(|block| (now, time - u64::from(block.offset), block.payload.to_vec()));
        self.repeated.extend(earlier);
        own
    }

    fn wanted(&mut self, now: Time) -> Vec<u16> {
        let (tries, retry) = (self.tries, self.retry);
        self.missing.retain(|_, missing| missing.tries < tries);
        let due = self.missing.iter_mut().filter(|(_, missing)| missing.next <= now).take(200);
        due.map(|(seq, missing)| {
            self.asked.entry(*seq).or_insert(now);
            missing.tries += 1;
            missing.next = now + retry;
            SeqNo(*seq).wire()
        })
        .collect()
    }

    /// Packets that never came and that parity brings back, by number, as they were sent.
    pub fn recovered(&self) -> BTreeMap<u64, Vec<u8>> {
        let mut recovered = BTreeMap::new();
        for (_, _, payload) in &self.parity {
            let parity = Parity::read(payload).expect("sound parity");
            assert_eq!(parity.ssrc, self.media.ssrc);
            let base = self.seqs.peek(parity.base).0;
            let missing: Vec<u64> =
                parity.offsets().filter(|it| !self.plain.contains_key(&(base + it))).collect();
            let [missing] = missing[..] else { continue };
            let offsets: Vec<u64> = parity.offsets().filter(|it| *it != missing).collect();
            let others = offsets.iter().map(|it| (*it, &self.plain[&(base + it)][..]));
            recovered.insert(base + missing, parity.recover(missing, others).expect("a packet"));
        }
        recovered
    }

    /// Numbers between the first and the last received that never came.
    pub fn holes(&self) -> Vec<u64> {
        let (Some(first), Some(last)) = (self.have.first(), self.have.last()) else { return Vec::new() };
        (*first..=*last).filter(|seq| !self.have.contains(seq)).collect()
    }

    /// Each packet once, by its number.
    pub fn in_order(&self) -> Vec<&Received> {
        let mut packets: Vec<&Received> = self.received.iter().collect();
        packets.sort_by_key(|packet| packet.seq);
        packets.dedup_by_key(|packet| packet.seq);
        packets
    }

    /// Frames of which all packets came, as (layer, frame, key frame), in order.
    pub fn frames(&self) -> Vec<(u8, u32, bool)> {
        let mut frames = Vec::new();
        let mut seen = 0;
        for packet in self.in_order() {
            let content = packet.content();
            seen = if content.index == 0 { 1 } else { seen + 1 };
            if content.index + 1 == content.count && seen == content.count {
                frames.push((content.layer, content.frame, content.keyframe));
            }
        }
        frames
    }

    /// What arrived from `from` on.
    pub fn since(&self, from: Time) -> impl Iterator<Item = &Received> {
        self.received.iter().filter(move |packet| packet.at >= from)
    }
}

pub struct Viewer {
    ssrc: Ssrc,
    pub lines: Vec<Line>,
    /// Transport-wide feedback is sent.
    pub feedback: bool,
    /// Receiver reports are sent.
    pub reports: bool,
    /// What they say was lost, in 256ths, whatever was.
    pub fraction_lost: u8,
    /// Transport-wide numbers and when they arrived.
    pub arrivals: Vec<(SeqNo, Time)>,
    transport_seqs: SeqUnwrapper,
    reported: usize,
    next_base: Option<SeqNo>,
    builder: TwccBuilder,
    next_tick: Time,
    next_report: Time,
    next_feedback: Time,
    plis: Vec<Ssrc>,
}

impl Viewer {
    pub fn new(number: usize) -> Viewer {
        Viewer {
            ssrc: Ssrc(900 + number as u32),
            lines: Vec::new(),
            feedback: true,
            reports: true,
            fraction_lost: 0,
            arrivals: Vec::new(),
            transport_seqs: SeqUnwrapper::default(),
            reported: 0,
            next_base: None,
            builder: TwccBuilder::new(),
            next_tick: Time::NEVER,
            next_report: Time::ZERO,
            next_feedback: Time::ZERO,
            plis: Vec::new(),
        }
    }

    pub fn next_timeout(&self) -> Time {
        self.next_tick
    }

    /// Asks for a key frame at the next tick.
    pub fn want_keyframe(&mut self, line: usize) {
        self.plis.push(self.lines[line].media.ssrc);
    }

    pub fn receive_rtp(&mut self, now: Time, header: &RtpHeader, packet: &[u8]) {
        if self.next_tick == Time::NEVER {
            self.next_tick = now + TICK;
        }
        let of = |line: &&mut Line| {
            let media = &line.media;
            [Some(media.ssrc), media.rtx_ssrc, media.parity.map(|it| it.0)].contains(&Some(header.ssrc))
        };
        let line = self.lines.iter_mut().find(of).expect("a source that the viewer was told");
        let id = line.media.extensions.transport_cc;
        let mut elements = header.extension.into_iter().flat_map(|block| Elements::new(packet, block));
        if let Some((_, number)) = elements.find(|(found, _)| *found == id) {
            let seq = self.transport_seqs.unwrap(u16::from_be_bytes([number[0], number[1]]));
            self.arrivals.push((seq, now));
        }
        line.take(now, header, packet);
    }

    pub fn receive_rtcp(&mut self, now: Time, packet: &Rtcp<'_>) {
        if let Rtcp::SenderReport(report) = packet {
            let of = |line: &&mut Line| line.media.ssrc == report.figures.ssrc;
            let line = self.lines.iter_mut().find(of).expect("a source that the viewer was told");
            line.reports.push((now, report.figures));
        }
    }

    /// All that the viewer has to say now.
    pub fn reports_due(&mut self, now: Time) -> Option<Vec<u8>> {
        if now < self.next_tick {
            return None;
        }
        self.next_tick = now + TICK;
        let mut bytes = Vec::new();
        if self.reports && now >= self.next_report {
            self.next_report = now + REPORT_INTERVAL;
            let lost = self.fraction_lost;
            let blocks: Vec<ReportBlock> =
                self.lines.iter().filter_map(|line| block(now, line, lost)).collect();
            write_receiver_report(&mut bytes, self.ssrc, &blocks);
        }
        for line in self.lines.iter_mut().filter(|line| line.nacks) {
            let lost = line.wanted(now);
            write_nack(&mut bytes, self.ssrc, line.media.ssrc, &lost);
        }
        for media in self.plis.drain(..) {
            write_pli(&mut bytes, self.ssrc, media);
        }
        if self.feedback && now >= self.next_feedback {
            self.next_feedback = now + FEEDBACK_INTERVAL;
            self.write_feedback(&mut bytes);
        }
        (!bytes.is_empty()).then_some(bytes)
    }

    fn write_feedback(&mut self, bytes: &mut Vec<u8>) {
        let mut rest = self.arrivals[self.reported..].to_vec();
        rest.sort_unstable();
        self.reported = self.arrivals.len();
        let media = self.lines.first().map_or(Ssrc(0), |line| line.media.ssrc);
        let mut rest = &rest[..];
        while let Some((first, _)) = rest.first().copied() {
            // What is missing since the last report is named.
            let base = self.next_base.map_or(first, |next| next.min(first));
            let written = self.builder.write(bytes, (self.ssrc, media), base, rest);
            let last = rest[written - 1].0;
            self.next_base =
                Some(self.next_base.map_or(SeqNo(last.0 + 1), |next| next.max(SeqNo(last.0 + 1))));
            rest = &rest[written..];
        }
    }
}

fn block(now: Time, line: &Line, fraction_lost: u8) -> Option<ReportBlock> {
    line.received.last().filter(|newest| now.since(newest.at) <= IDLE)?;
    let highest = line.seqs.newest()?;
    let (last, delay) = line.reports.last().map_or((0, 0), |(at, figures)| {
        (figures.ntp.middle(), (now.since(*at).as_micros() * 65_536 / 1_000_000) as u32)
    });
    Some(ReportBlock {
        ssrc: line.media.ssrc,
        fraction_lost,
        cumulative_lost: 0,
        highest_sequence: highest.0 as u32,
        jitter: 0,
        last_sender_report: last,
        delay_since_last_sender_report: delay,
    })
}
