//! What was seen of a run, beside the links' own logs: what the plane sent to each subscriber, and what it said.

use std::collections::HashMap;

use loupe_core::demux::{Protocol, classify};
use loupe_core::io::Kind;
use loupe_core::rtp::{RtpHeader, red};
use loupe_core::units::{Bitrate, Ssrc, Time};

use crate::metrics::Window;
use crate::truth::Truth;
use crate::wire::Opener;

/// What a packet to a subscriber is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A picture's packet, for the first time.
    Picture,
    /// Sound, for the first time.
    Sound,
    /// A packet again.
    Repair,
    /// Parity of pictures.
    Parity,
    /// Nothing but bytes.
    Padding,
    /// Reports, requests, checks.
    Control,
}

/// One packet as the plane sent it.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// When.
    pub at: Time,
    /// What for.
    pub purpose: Purpose,
    /// Bytes with IPv4 and UDP headers.
    pub bytes: u64,
    /// Of these, in sound that was sent before.
    pub again: u64,
    /// Which of the subscriber's lines, for RTP.
    pub line: usize,
    /// Its sequence number on the line, or that of the packet it repeats; for what has a payload.
    pub sequence: u16,
    /// What it is.
    pub truth: Option<Truth>,
}

/// What is held back of a line's pictures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Held {
    /// Nothing: they move.
    #[default]
    Nothing,
    /// All but key frames at intervals.
    Stills,
    /// All: the control plane paused it, which its viewer is told.
    Everything,
}

/// What a line of a subscriber is known by on the wire.
#[derive(Clone, Copy, Debug)]
pub struct LineNames {
    /// Pictures or sound.
    pub kind: Kind,
    /// Its source.
    pub ssrc: Ssrc,
    /// Its repairs' source.
    pub rtx_ssrc: Option<Ssrc>,
    /// Its parity's source.
    pub parity_ssrc: Option<Ssrc>,
    /// Its payload type for redundant sound.
    pub red_payload_type: Option<u8>,
}

/// Watches the wire between the plane and one subscriber's link.
pub struct Observer {
    opener: Opener,
    lines: Vec<LineNames>,
    /// All packets, in the order in which they were sent.
    pub sent: Vec<Sent>,
    /// Estimates that the plane told.
    pub estimates: Vec<(Time, Bitrate)>,
    /// From when on the control plane held how much back, by line.
    pub holds: Vec<(Time, usize, Held)>,
}

impl Observer {
    /// One that opens with the subscriber's keys.
    pub fn new(opener: Opener) -> Observer {
        Observer { opener, lines: Vec::new(), sent: Vec::new(), estimates: Vec::new(), holds: Vec::new() }
    }

    /// A line to be told apart from now on.
    pub fn add(&mut self, line: LineNames) {
        self.lines.push(line);
    }

    /// Its lines.
    pub fn lines(&self) -> &[LineNames] {
        &self.lines
    }

    /// From when to when a line was held back in a way that `counts`, the last up to `end`.
    pub fn held(&self, line: usize, end: Time, counts: fn(Held) -> bool) -> Vec<Window> {
        let own: Vec<_> = self.holds.iter().filter(|(_, of, _)| *of == line).collect();
        let ends = own.iter().skip(1).map(|(at, ..)| *at).chain([end]);
        let spans = own.iter().zip(ends).filter(|((.., held), _)| counts(*held));
        spans.map(|((from, ..), to)| Window { from: *from, to }).collect()
    }

    /// A datagram that leaves now.
    pub fn note(&mut self, now: Time, datagram: &[u8]) {
        let bytes = datagram.len() as u64 + loupe_netem::HEADER_BYTES;
        let control =
            Sent { at: now, purpose: Purpose::Control, bytes, again: 0, line: 0, sequence: 0, truth: None };
        let is_rtp = classify(datagram) == Ok(Protocol::Rtp);
        let opened = if is_rtp { self.opener.open(datagram) } else { None };
        let seen = opened.and_then(|(header, packet)| self.describe(control, &header, &packet));
        self.sent.push(seen.unwrap_or(control));
    }

    fn describe(&self, sent: Sent, header: &RtpHeader, packet: &[u8]) -> Option<Sent> {
        let of = |line: &LineNames| {
            [Some(line.ssrc), line.rtx_ssrc, line.parity_ssrc].contains(&Some(header.ssrc))
        };
        let line = self.lines.iter().position(of)?;
        let names = self.lines.get(line)?;
        if names.parity_ssrc == Some(header.ssrc) {
            return Some(Sent { purpose: Purpose::Parity, line, ..sent });
        }
        let payload = header.payload(packet).ok()?;
        let truth = Truth::read(payload);
        let repair = names.ssrc != header.ssrc;
        let purpose = match (truth, repair, names.kind) {
            (None, _, _) => Purpose::Padding,
            (_, true, _) => Purpose::Repair,
            (_, false, Kind::Video) => Purpose::Picture,
            (_, false, Kind::Audio) => Purpose::Sound,
        };
        let original = payload.first_chunk::<2>().filter(|_| repair).map(|bytes| u16::from_be_bytes(*bytes));
        let redundant = Some(header.payload_type) == names.red_payload_type;
        let own =
            red::read(payload).filter(|_| redundant).and_then(|blocks| Some(blocks.last()?.payload.len()));
        let again = own.map_or(0, |own| (payload.len() - own) as u64);
        Some(Sent { purpose, line, sequence: original.unwrap_or(header.sequence), truth, again, ..sent })
    }
}

/// Bytes a second of what a publisher sends, by layer and temporal layer: what the plane's own meters measure.
#[derive(Debug, Default)]
pub struct LayerRates {
    /// By (publication, layer, temporal layer): bytes by whole 100 ms since the start, the newest last.
    bytes: HashMap<(usize, u8, u8), Vec<(u64, u64)>>,
}

impl LayerRates {
    const SLOT_US: u64 = 100_000;
    const SLOTS: u64 = 10;

    /// A packet of RTP.
    pub fn note(&mut self, now: Time, publication: usize, truth: &Truth, bytes: usize) {
        let slot = now.0 / Self::SLOT_US;
        let slots = self.bytes.entry((publication, truth.layer, truth.temporal)).or_default();
        match slots.last_mut() {
            Some((last, sum)) if *last == slot => *sum += bytes as u64,
            _ => slots.push((slot, bytes as u64)),
        }
        slots.retain(|(at, _)| at + Self::SLOTS >= slot);
    }

    /// Bits a second over the last second, of a layer's temporal layers up to this one.
    pub fn up_to(&self, now: Time, publication: usize, layer: u8, temporal: u8) -> Bitrate {
        let slot = now.0 / Self::SLOT_US;
        let of = |temporal: u8| {
            let slots =
                self.bytes.get(&(publication, layer, temporal)).map(Vec::as_slice).unwrap_or_default();
            slots
                .iter()
                .filter(|(at, _)| at + Self::SLOTS >= slot && *at < slot)
                .map(|(_, sum)| sum)
                .sum::<u64>()
        };
        let span = (Self::SLOTS * Self::SLOT_US).min((slot * Self::SLOT_US).max(Self::SLOT_US));
        Bitrate((0..=temporal).map(of).sum::<u64>() * 8_000_000 / span)
    }
}
