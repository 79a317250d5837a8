//! Copies of a publication for a recorder and for a probe of pictures: framed records of what came in, gathered to
//! batches.
//!
//! A tap never slows forwarding: records are copied into a batch, the batch is handed to the driver, and what the
//! driver cannot deliver is dropped and counted there.

use std::time::Duration;

use crate::io::Handle;
use crate::layer::LayerSwitch;
use crate::units::{NtpTime, Ssrc, Time};

/// How long records gather: one system call and one wake-up then carry many.
pub const GATHER: Duration = Duration::from_millis(20);
/// A batch of this many bytes leaves at once, so that it fits into any socket's buffer.
const FULL: usize = 32_768;
/// A recording can be entered at key frames alone: one is asked for this long after the last.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(10);

/// Bytes of a record's header: length of the rest (4), kind (1), encoding (1), flags (2), publication (8), arrival in
/// microseconds of the worker's clock (8); all in network order.
pub const RECORD_HEADER: usize = 24;
/// The flag of a packet that came by retransmission.
pub const REPAIRED: u16 = 1;

/// Who reads a tap, and so what of a publication it copies. A publication has at most one tap for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TapReader {
    /// Keeps the highest layer that flows: lost packets and key frames are asked for on its behalf.
    Recorder,
    /// Looks at key frames of the lowest layer that flows, as they come: it gets no other picture, and nothing is asked
    /// for on its behalf.
    Probe,
}

/// What a record tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RecordKind {
    /// The tap begins: the system's monotonic and wall clock at `arrival`, in microseconds (8 + 8).
    Begin = 0,
    /// A plain RTP packet as its publisher sent it first, without padding.
    Packet = 1,
    /// A sender report: source (4), RTP timestamp (4), NTP timestamp (8).
    Report = 2,
    /// An encoding has another source from now on (4).
    Source = 3,
    /// The encodings that flow now, bit n for encoding n (4).
    Layers = 4,
    /// Whether the publication is muted (1): then no packets are recorded.
    Muted = 5,
    /// Records that found the tap full and are gone (8).
    Dropped = 6,
    /// The last record.
    Ended = 7,
}

/// The system's clocks at the moment a tap begins, for moments of several workers and runs to share one axis.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SystemClocks {
    /// Microseconds of `CLOCK_MONOTONIC`.
    pub monotonic_micros: u64,
    /// Microseconds since 1970.
    pub unix_micros: u64,
}

/// Records of one tap that leave together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TapBatch {
    /// The tap's number, as the driver gave it.
    pub tap: u64,
    /// Whole records.
    pub records: Vec<u8>,
    /// Nothing follows.
    pub ended: bool,
}

/// The tap of one publication.
#[derive(Debug)]
pub struct Tap {
    number: u64,
    reader: TapReader,
    publication: Handle,
    switch: LayerSwitch,
    /// Whether key frames are asked for on its behalf.
    asks: bool,
    next_keyframe: Time,
    /// Layer and RTP timestamp of the last key frame.
    keyframe: Option<(u8, [u8; 4])>,
    batch: Vec<u8>,
    begun: Time,
}

/// A packet to record, in the parts that make it the one its publisher sent first.
#[derive(Clone, Copy, Debug)]
pub struct TappedPacket<'a> {
    /// Its encoding.
    pub layer: u8,
    /// The encoding's own source, also where a repair stream carried the packet.
    pub ssrc: Ssrc,
    /// The codec's payload type.
    pub payload_type: u8,
    /// Its original number.
    pub sequence: u16,
    /// Whether it came by retransmission.
    pub repaired: bool,
    /// Whether a decoder can start here.
    pub keyframe_start: bool,
    /// The plain packet without padding.
    pub bytes: &'a [u8],
}

impl Tap {
    /// A tap that begins now.
    pub fn new(
        now: Time,
        (number, reader): (u64, TapReader),
        publication: Handle,
        needs_keyframe: bool,
        clocks: SystemClocks,
    ) -> Tap {
        let asks = needs_keyframe && reader == TapReader::Recorder;
        let mut tap = Tap {
            number,
            reader,
            publication,
            switch: LayerSwitch::new(needs_keyframe),
            asks,
            next_keyframe: if asks { now + KEYFRAME_INTERVAL } else { Time::NEVER },
            keyframe: None,
            batch: Vec::new(),
            begun: Time::NEVER,
        };
        let times = [clocks.monotonic_micros.to_be_bytes(), clocks.unix_micros.to_be_bytes()];
        tap.record(now, RecordKind::Begin, 0, 0, &[&times[0], &times[1]]);
        tap
    }

    /// Who reads it.
    pub fn reader(&self) -> TapReader {
        self.reader
    }

    /// What flows changed; the chosen layer is copied, the one before until it has a key frame.
    pub fn choose(&mut self, now: Time, active: u32, muted: bool) {
        let chosen = match self.reader {
            _ if muted => 0,
            TapReader::Recorder => active,
            TapReader::Probe => active & 1_u32.checked_shl(active.trailing_zeros()).unwrap_or(0),
        };
        self.switch.decide(chosen);
        self.record(now, RecordKind::Layers, 0, 0, &[&active.to_be_bytes()]);
    }

    /// The publication was muted, or is heard again.
    pub fn mute(&mut self, now: Time, muted: bool) {
        self.switch.interrupt();
        self.record(now, RecordKind::Muted, 0, 0, &[&[u8::from(muted)]]);
    }

    /// Another source sends an encoding.
    pub fn replace_source(&mut self, now: Time, layer: u8, ssrc: Ssrc) {
        self.record(now, RecordKind::Source, layer, 0, &[&ssrc.0.to_be_bytes()]);
    }

    /// A sender report came. One picture tells a probe all it wants to know.
    pub fn report(&mut self, now: Time, layer: u8, ssrc: Ssrc, rtp_timestamp: u32, ntp: NtpTime) {
        if self.reader == TapReader::Probe {
            return;
        }
        let parts: [&[u8]; 3] = [&ssrc.0.to_be_bytes(), &rtp_timestamp.to_be_bytes(), &ntp.0.to_be_bytes()];
        self.record(now, RecordKind::Report, layer, 0, &parts);
    }

    /// A packet came: kept when it is of the encoding that is copied, or of the one that shall be.
    pub fn packet(&mut self, now: Time, packet: &TappedPacket<'_>) {
        let wanted = [self.switch.forwarded(), self.switch.awaited()];
        // Before it is known what flows, anything may be the beginning.
        if !wanted.contains(&Some(packet.layer)) && wanted != [None, None] {
            return;
        }
        self.switch.judge(packet.layer, packet.keyframe_start);
        if packet.keyframe_start && self.asks {
            self.next_keyframe = now + KEYFRAME_INTERVAL;
        }
        let Some((fixed, rest)) = packet.bytes.split_first_chunk::<12>() else { return };
        let picture = Some((packet.layer, [fixed[4], fixed[5], fixed[6], fixed[7]]));
        if packet.keyframe_start {
            self.keyframe = picture;
        }
        if self.reader == TapReader::Probe && self.keyframe != picture {
            return;
        }
        let mut head = *fixed;
        head[1] = (head[1] & 0x80) | packet.payload_type;
        head[2..4].copy_from_slice(&packet.sequence.to_be_bytes());
        head[8..12].copy_from_slice(&packet.ssrc.0.to_be_bytes());
        // The padding was cut off.
        head[0] &= !0x20;
        let flags = if packet.repaired { REPAIRED } else { 0 };
        self.record(now, RecordKind::Packet, packet.layer, flags, &[&head, rest]);
    }

    /// The encoding to ask a key frame of now, if one is due.
    pub fn keyframe_due(&mut self, now: Time) -> Option<u8> {
        if !self.asks {
            return None;
        }
        let awaited = self.switch.keyframe_due(now);
        if now < self.next_keyframe {
            return awaited;
        }
        self.next_keyframe = now + KEYFRAME_INTERVAL;
        awaited.or(self.switch.forwarded())
    }

    /// When [`Tap::keyframe_due`] may have something to say.
    pub fn next_timeout(&self) -> Time {
        if self.asks { self.next_keyframe.min(self.switch.next_timeout()) } else { Time::NEVER }
    }

    /// When [`Tap::take`] has a batch.
    pub fn batch_due(&self) -> Time {
        if self.batch.len() >= FULL { Time::ZERO } else { self.begun + GATHER }
    }

    /// The batch, if it is due.
    pub fn take(&mut self, now: Time) -> Option<TapBatch> {
        if self.batch_due() > now {
            return None;
        }
        self.begun = Time::NEVER;
        Some(TapBatch { tap: self.number, records: std::mem::take(&mut self.batch), ended: false })
    }

    /// Ends the tap.
    pub fn end(mut self, now: Time) -> TapBatch {
        self.record(now, RecordKind::Ended, 0, 0, &[]);
        TapBatch { tap: self.number, records: self.batch, ended: true }
    }

    fn record(&mut self, now: Time, kind: RecordKind, layer: u8, flags: u16, body: &[&[u8]]) {
        self.begun = self.begun.min(now);
        write_record(&mut self.batch, now, self.publication, (kind, layer, flags), body);
    }
}

/// Appends one record.
pub fn write_record(
    out: &mut Vec<u8>,
    now: Time,
    publication: Handle,
    (kind, layer, flags): (RecordKind, u8, u16),
    body: &[&[u8]],
) {
    let length = RECORD_HEADER - 4 + body.iter().map(|part| part.len()).sum::<usize>();
    out.reserve(length + 4);
    out.extend_from_slice(&(length as u32).to_be_bytes());
    out.extend_from_slice(&[kind as u8, layer]);
    out.extend_from_slice(&flags.to_be_bytes());
    out.extend_from_slice(&publication.0.to_be_bytes());
    out.extend_from_slice(&now.micros().to_be_bytes());
    body.iter().for_each(|part| out.extend_from_slice(part));
}

/// Records in a batch.
pub fn count_records(mut batch: &[u8]) -> u64 {
    let mut count = 0;
    while let Some((length, rest)) = batch.split_first_chunk::<4>() {
        batch = rest.get(u32::from_be_bytes(*length) as usize..).unwrap_or_default();
        count += 1;
    }
    count
}
