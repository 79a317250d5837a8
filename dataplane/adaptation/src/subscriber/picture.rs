//! Pictures out of packets: whole when all packets came, decodable when what they refer to was decoded, shown when it is
//! time.
//!
//! What a picture refers to is read as decoders read it, from TL0PICIDX and the layers of the payload descriptors: a key
//! picture to nothing, one of temporal layer 0 to the one of layer 0 before it, one of layer 1 to the one of layer 0
//! with its own index; a spatial layer also to itself in that picture.

use std::collections::BTreeMap;
use std::time::Duration;

use loupe_core::io::Codec;
use loupe_core::rtp::vp8::Vp8Descriptor;
use loupe_core::rtp::vp9::Vp9Descriptor;
use loupe_core::seq::Unwrapper;
use loupe_core::units::Time;

use super::playout::{Playout, PlayoutConfig};
use crate::truth::Truth;

/// Packets kept at most; a decoder's buffer has an end as well.
const MAX_PACKETS: usize = 4_096;

/// A picture as shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    /// When.
    pub at: Time,
    /// When it could be decoded.
    pub decodable: Time,
    /// What it is.
    pub truth: Truth,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    arrival: Time,
    timestamp: u32,
    /// The picture begins with it.
    first: bool,
    marker: bool,
    keyframe: bool,
    temporal: u8,
    tl0: u64,
    spatial: u8,
    truth: Truth,
}

/// A whole picture.
#[derive(Clone, Copy, Debug)]
struct Picture {
    first: u64,
    last: u64,
    keyframe: bool,
    temporal: u8,
    tl0: u64,
    /// Highest spatial layer.
    spatial: u8,
    /// Of its last packet, which is of its highest layer.
    truth: Truth,
    /// When its first packet came.
    since: Time,
}

/// What was decoded since the last key picture.
#[derive(Clone, Copy, Debug)]
struct Chain {
    first_tl0: u64,
    last_tl0: u64,
    /// Highest spatial layer of the last picture of temporal layer 0.
    spatial: u8,
    /// First sequence number of that picture.
    first: u64,
    /// What that picture really is.
    truth: Truth,
}

impl Chain {
    fn carries(&self, picture: &Picture) -> bool {
        let refers_to = if picture.temporal == 0 { picture.tl0.saturating_sub(1) } else { picture.tl0 };
        let known = if picture.temporal == 0 {
            refers_to == self.last_tl0 && picture.first > self.first
        } else {
            (self.first_tl0..=self.last_tl0).contains(&refers_to)
        };
        known && picture.spatial <= self.spatial
    }

    /// Whether the picture's real reference is the one that its numbers name: in every second capture there is a
    /// picture of temporal layer 0, and the one of layer 1 follows it.
    fn is_true_for(&self, picture: &Picture) -> bool {
        let step = picture.truth.frame.saturating_sub(self.truth.frame);
        let same_source = self.spatial > 0 || picture.truth.layer == self.truth.layer;
        match picture.temporal {
            0 => same_source && step == 2,
            _ => picture.tl0 != self.last_tl0 || (same_source && step == 1),
        }
    }
}

/// The pictures of one subscription.
#[derive(Debug)]
pub struct Pictures {
    codec: Codec,
    parts: BTreeMap<u64, Part>,
    whole: BTreeMap<u64, Picture>,
    tl0: Unwrapper<8>,
    chain: Option<Chain>,
    playout: Playout,
    /// Decoded pictures by capture, with the moment at which they shall be shown.
    scheduled: BTreeMap<u64, (Shown, u64)>,
    /// When the oldest packet came that cannot be decoded.
    waiting_since: Option<Time>,
    /// All that was shown, in order.
    pub shown: Vec<Shown>,
    /// When the first picture was decoded.
    pub first_decoded: Option<Time>,
    /// Pictures that passed as decodable by their numbers, but whose real reference was not decoded.
    pub corrupted: u64,
}

impl Pictures {
    /// Nothing received.
    pub fn new(codec: Codec, config: PlayoutConfig) -> Pictures {
        Pictures {
            codec,
            parts: BTreeMap::new(),
            whole: BTreeMap::new(),
            tl0: Unwrapper::new(),
            chain: None,
            playout: Playout::new(config),
            scheduled: BTreeMap::new(),
            waiting_since: None,
            shown: Vec::new(),
            first_decoded: None,
            corrupted: 0,
        }
    }

    /// A packet with its unwrapped number.
    pub fn receive(&mut self, now: Time, seq: u64, timestamp: u32, marker: bool, payload: &[u8]) {
        let Some(part) = self.describe(now, timestamp, marker, payload) else { return };
        self.parts.insert(seq, part);
        if self.parts.len() > MAX_PACKETS {
            self.parts.pop_first();
        }
        if let Some(picture) = self.assemble(seq) {
            self.whole.insert(picture.first, picture);
            self.decode(now);
        }
        self.note_waiting();
    }

    fn describe(&mut self, now: Time, timestamp: u32, marker: bool, payload: &[u8]) -> Option<Part> {
        let truth = Truth::read(payload)?;
        let part = Part {
            arrival: now,
            timestamp,
            first: false,
            marker,
            keyframe: false,
            temporal: 0,
            tl0: 0,
            spatial: 0,
            truth,
        };
        if self.codec == Codec::Vp9 {
            let descriptor = Vp9Descriptor::parse(payload)?;
            return Some(Part {
                first: descriptor.start_of_frame && descriptor.spatial_id == 0,
                keyframe: descriptor.starts_keyframe(),
                temporal: descriptor.temporal_id,
                tl0: self.tl0.unwrap(u32::from(descriptor.tl0_pic_idx?)),
                spatial: descriptor.spatial_id,
                ..part
            });
        }
        let descriptor = Vp8Descriptor::parse(payload)?;
        Some(Part {
            first: descriptor.start_of_frame,
            keyframe: descriptor.starts_keyframe(payload),
            temporal: descriptor.temporal_id?,
            tl0: self.tl0.unwrap(u32::from(descriptor.tl0_pic_idx?)),
            ..part
        })
    }

    /// The picture that the packet `seq` belongs to, when all of it is here.
    fn assemble(&mut self, seq: u64) -> Option<Picture> {
        let timestamp = self.parts.get(&seq)?.timestamp;
        let mut first = seq;
        while !self.parts.get(&first)?.first {
            first = first.checked_sub(1)?;
            self.parts.get(&first).filter(|part| part.timestamp == timestamp)?;
        }
        let mut last = seq;
        while !self.parts.get(&last)?.marker {
            last += 1;
            self.parts.get(&last).filter(|part| part.timestamp == timestamp)?;
        }
        let (begin, end) = (*self.parts.get(&first)?, *self.parts.get(&last)?);
        (first..=last).for_each(|seq| {
            self.parts.remove(&seq);
        });
        Some(Picture {
            first,
            last,
            keyframe: begin.keyframe,
            temporal: begin.temporal,
            tl0: begin.tl0,
            spatial: end.spatial,
            truth: end.truth,
            since: begin.arrival,
        })
    }

    /// Decodes whatever can be.
    fn decode(&mut self, now: Time) {
        while let Some(picture) = self.next_decodable() {
            self.whole.remove(&picture.first);
            self.refer(&picture);
            self.first_decoded.get_or_insert(now);
            self.schedule(now, &picture);
        }
    }

    /// Notes what later pictures may refer to.
    fn refer(&mut self, picture: &Picture) {
        let Picture { tl0, spatial, first, truth, .. } = *picture;
        if picture.keyframe {
            self.chain = Some(Chain { first_tl0: tl0, last_tl0: tl0, spatial, first, truth });
            self.whole = self.whole.split_off(&first);
        } else if let Some(chain) = &mut self.chain {
            self.corrupted += u64::from(!chain.is_true_for(picture));
            if picture.temporal == 0 {
                *chain = Chain { last_tl0: tl0, spatial, first, truth, ..*chain };
            }
        }
    }

    fn next_decodable(&self) -> Option<Picture> {
        let decodable = |picture: &&Picture| match &self.chain {
            Some(chain) if picture.keyframe => picture.first > chain.first,
            Some(chain) => chain.carries(picture),
            None => picture.keyframe,
        };
        self.whole.values().find(decodable).copied()
    }

    /// Says when a picture is shown: not before its delay has passed, and not before those captured before it.
    fn schedule(&mut self, now: Time, picture: &Picture) {
        let capture = Time(picture.truth.capture_us);
        self.playout.note(now, now.since(capture).as_micros() as u64);
        let before =
            self.scheduled.range(..capture.0).next_back().map_or(Time::ZERO, |(_, (shown, _))| shown.at);
        let at = now.max(capture + self.playout.delay()).max(before);
        self.scheduled.insert(capture.0, (Shown { at, decodable: now, truth: picture.truth }, picture.last));
    }

    /// Shows what is due. Gives the number below which nothing is of use any more, when that moved.
    pub fn handle_timeout(&mut self, now: Time) -> Option<u64> {
        let mut passed = None;
        while let Some(entry) = self.scheduled.first_entry().filter(|entry| entry.get().0.at <= now) {
            let (shown, last) = entry.remove();
            if self.shown.last().is_none_or(|before| before.truth.capture_us < shown.truth.capture_us) {
                self.shown.push(shown);
                passed = Some(last + 1);
            }
        }
        if let Some(passed) = passed {
            self.parts = self.parts.split_off(&passed);
            self.note_waiting();
        }
        passed
    }

    /// When [`Pictures::handle_timeout`] has something to show.
    pub fn next_timeout(&self) -> Time {
        self.scheduled.first_key_value().map_or(Time::NEVER, |(_, (shown, _))| shown.at)
    }

    /// What came after the last decoded picture of temporal layer 0 waits for something.
    fn note_waiting(&mut self) {
        let after = self.chain.map_or(0, |chain| chain.first);
        let parts = self.parts.range(after..).map(|(_, part)| part.arrival);
        let whole = self.whole.range(after..).map(|(_, picture)| picture.since);
        self.waiting_since = parts.chain(whole).min();
    }

    /// Since when something that came cannot be decoded.
    pub fn waiting_since(&self) -> Option<Time> {
        self.waiting_since
    }

    /// How long pictures are held back now.
    pub fn delay(&self) -> Duration {
        self.playout.delay()
    }
}
