//! One source of a participant with its layers, as it comes in.

use std::time::Duration;

use crate::frame_mark::{FrameMark, MarkReader};
use crate::history::History;
use crate::io::{Codec, Event, Handle, InboundMedia, Kind};
use crate::keyframe_request::KeyframeRequests;
use crate::loss::LossLog;
use crate::meter::{Jitter, RateMeter};
use crate::picture::PictureUnwrapper;
use crate::seq::{SeqUnwrapper, TimestampUnwrapper};
use crate::stats::{Figure, Figures};
use crate::sublayers::Limits;
use crate::tap::Tap;
use crate::units::{Bitrate, MediaTime, NtpTime, SeqNo, Ssrc, Time};

/// A layer without packets for this long no longer flows (and three of its own intervals, for slow sources).
const LAYER_SILENT: Duration = Duration::from_millis(1_500);
/// The same while other layers of the source flow on: then it is the publisher who left it out. Not of the lowest, which
/// no publisher leaves out: its encoder pauses to make up for a large frame, and on a thin link nothing could replace it.
const LAYER_LEFT_OUT: Duration = Duration::from_millis(700);
/// A picture whose frames were further apart was interrupted as a whole.
const INTERRUPTED: Duration = Duration::from_millis(250);
/// A layer that was left out twice within this time while it was watched counts only when it has flowed for so long.
const LAPSES_LAST: Duration = Duration::from_secs(30);
const LAPSED_HOLD: Duration = Duration::from_secs(3);
/// A picture is called degraded this long after the frame that should have come, and stalled at the second.
const STALL_STEPS_MS: [u32; 2] = [500, 1_000];
/// Temporal layers told apart; VP8 has four, and nobody sends more.
pub const MAX_TEMPORAL: usize = 4;
/// Spatial layers of one encoding told apart; browsers send three at most.
pub const MAX_SPATIAL: usize = 3;
/// Bytes that a packet takes beyond its own: IPv4 and UDP headers and the SRTP tag.
const WIRE_BYTES: usize = 28 + 16;
/// The longest frame interval that counts as the source's own pace.
const MAX_FRAME_INTERVAL: Duration = Duration::from_secs(2);

/// A sender report as last heard (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderInfo {
    /// The publisher's wall clock.
    pub ntp: NtpTime,
    /// The same moment on the layer's RTP clock.
    pub time: MediaTime,
    /// When the report came in.
    pub arrival: Time,
}

impl SenderInfo {
    /// The publisher's wall clock at a moment of this layer's RTP clock.
    pub fn ntp_at(&self, time: MediaTime, clock_rate: u32) -> NtpTime {
        let ticks = time.0 as i64 - self.time.0 as i64;
        self.ntp.offset_micros((i128::from(ticks) * 1_000_000 / i128::from(clock_rate.max(1))) as i64)
    }

    /// The moment of this layer's RTP clock at the publisher's wall clock `ntp`.
    pub fn time_at(&self, ntp: NtpTime, clock_rate: u32) -> i64 {
        let micros = ntp.micros_since(self.ntp);
        self.time.0 as i64 + (i128::from(micros) * i128::from(clock_rate) / 1_000_000) as i64
    }
}

/// One encoding as it comes in.
#[derive(Debug, Default)]
pub struct Layer {
    /// Its source, once known.
    pub ssrc: Option<Ssrc>,
    /// Unwraps its sequence numbers.
    pub seqs: SeqUnwrapper,
    /// Unwraps its timestamps.
    pub times: TimestampUnwrapper,
    /// Unwraps its VP8 picture numbers.
    pub pictures: PictureUnwrapper,
    /// Reads its marks of temporal and spatial layers.
    pub marks: MarkReader,
    /// What viewers may still ask again.
    pub history: History,
    /// What is missing.
    pub loss: LossLog,
    /// Key frames wanted of it.
    pub keyframes: KeyframeRequests,
    /// Its clock, once reported.
    pub sender_info: Option<SenderInfo>,
    /// Its rate.
    pub meter: RateMeter,
    /// What each spatial and temporal layer would take of a viewer's link, headers and tag counted.
    pub wire_meters: [[RateMeter; MAX_TEMPORAL]; MAX_SPATIAL],
    /// [`Layer::wire_rates`] of the last full second, told anew ten times a second: for what reads it often.
    pub usual_rates: WireRates,
    /// Its jitter.
    pub jitter: Jitter,
    /// When its last packet came.
    pub last_arrival: Option<Time>,
    /// Since when it flows.
    pub flows_since: Time,
    /// When it last stopped while it was watched.
    pub lapsed: Option<Time>,
    /// It counts when it has flowed for so long.
    pub counts_from: Duration,
    /// Packets received, repaired ones included.
    pub packets: u64,
    /// Bytes of RTP received.
    pub bytes: u64,
    /// Packets that came by retransmission.
    pub repaired: u64,
    /// Key frames begun.
    pub keyframes_seen: u64,
    /// The last key frame.
    pub last_keyframe: Option<KeyframeSeen>,
    /// Nothing below this is shown: it was muted, or came before what was.
    pub shown_from: SeqNo,
    /// The first number of the stream, for the expected count.
    pub first: Option<SeqNo>,
    /// (expected, received) at the last report block.
    pub reported: (u64, u64),
    /// Packets of sources that the present one replaced.
    pub packets_before: u64,
}

impl Layer {
    /// Notes that a packet came; after a gap longer than this it flows anew.
    pub fn note_arrival(&mut self, now: Time, longest_gap: Duration) {
        if self.last_arrival.replace(now).is_none_or(|last| now.since(last) > longest_gap) {
            self.flows_since = now;
        }
    }

    /// Notes a packet of `length` bytes for what the layer takes of a viewer's link.
    pub fn note_wire_bytes(&mut self, now: Time, mark: FrameMark, length: usize) {
        let spatial = usize::from(mark.spatial).min(MAX_SPATIAL - 1);
        let temporal = usize::from(mark.temporal).min(MAX_TEMPORAL - 1);
        if self.wire_meters[spatial][temporal].begins_bucket(now) {
            self.usual_rates = WireRates::gather(&self.wire_meters, |meter| meter.rate_before(now));
        }
        self.wire_meters[spatial][temporal].add(now, length + WIRE_BYTES);
    }

    /// What a viewer's link carries of the layer now.
    pub fn wire_rates(&self, now: Time) -> WireRates {
        WireRates::gather(&self.wire_meters, |meter| meter.rate(now))
    }

    /// What came until now was muted: nobody is shown it, not even as the beginning of what follows.
    pub fn hide(&mut self) {
        self.shown_from = self.loss.highest().map_or(self.shown_from, |highest| SeqNo(highest.0 + 1));
        self.last_keyframe = None;
    }

    /// The encoder began anew under another source: the old one's numbers and clock mean nothing for it.
    pub fn restart(&mut self) {
        self.seqs = SeqUnwrapper::default();
        self.times = TimestampUnwrapper::default();
        self.pictures = PictureUnwrapper::default();
        self.marks = MarkReader::default();
        self.history = History::default();
        self.loss.restart();
        self.sender_info = None;
        self.jitter = Jitter::default();
        self.last_keyframe = None;
        self.shown_from = SeqNo::default();
        self.first = None;
        self.reported = (0, 0);
        self.packets_before = self.packets;
    }
}

/// What a viewer's link carries of one encoding up to each spatial and temporal layer, in bits per second: cumulative in
/// both, headers and tag counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct WireRates([[u64; MAX_TEMPORAL]; MAX_SPATIAL]);

impl WireRates {
    fn gather(
        meters: &[[RateMeter; MAX_TEMPORAL]; MAX_SPATIAL],
        read: impl Fn(&RateMeter) -> Bitrate,
    ) -> WireRates {
        let mut below = [0; MAX_TEMPORAL];
        WireRates(meters.each_ref().map(|row| {
            let mut sum = 0;
            for (rate, meter) in below.iter_mut().zip(row) {
                sum += read(meter).0;
                *rate += sum;
            }
            below
        }))
    }

    /// Up to these layers; what is above the highest told apart counts with it.
    pub fn up_to(&self, limits: Limits) -> u64 {
        let spatial = usize::from(limits.spatial).min(MAX_SPATIAL - 1);
        self.0[spatial][usize::from(limits.temporal).min(MAX_TEMPORAL - 1)]
    }

    /// All of it.
    pub fn whole(&self) -> u64 {
        self.0[MAX_SPATIAL - 1][MAX_TEMPORAL - 1]
    }

    /// Row after row.
    pub fn flat(self) -> impl Iterator<Item = u64> {
        self.0.into_iter().flatten()
    }
}

/// A packet that has not been forwarded yet.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Its layer.
    pub layer: u8,
    /// Its number.
    pub seq: SeqNo,
    /// When it came in.
    pub arrival: Time,
    /// Whether it is padding without payload, which viewers do not get.
    pub padding: bool,
}

/// The first packet of a key frame as it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyframeSeen {
    /// Its number.
    pub seq: SeqNo,
    /// Its timestamp.
    pub time: MediaTime,
    /// When it came in.
    pub arrival: Time,
}

/// A publication.
#[derive(Debug)]
pub struct Publication {
    /// Its number.
    pub handle: Handle,
    /// The transport it comes by (key in the plane's slab).
    pub transport: usize,
    /// What was negotiated.
    pub media: InboundMedia,
    /// Whether nothing of it is forwarded.
    pub muted: bool,
    /// Its encodings, lowest first.
    pub layers: Vec<Layer>,
    /// Who receives it (keys in the plane's slab).
    pub subscriptions: Vec<usize>,
    /// Packets to forward at the next flush.
    pub fresh: Vec<Fresh>,
    /// When to flush; `NEVER` while there is nothing.
    pub flush_at: Time,
    /// The subscription the flush goes on with.
    pub cursor: usize,
    /// Layers that flow, bit n for layer n.
    pub active: u32,
    /// What the histories of its layers hold.
    pub history_bytes: usize,
    /// Where recorder and probe get their copies: one each at most.
    pub taps: Vec<Tap>,
    frame_interval: Duration,
    /// Since when frames come without interruption.
    unbroken: Time,
    last_frame: Option<(MediaTime, Time)>,
    stalled_ms: u32,
}

impl Publication {
    /// A publication of which nothing came yet.
    pub fn new(handle: Handle, transport: usize, media: InboundMedia) -> Publication {
        let layers = media.encodings.iter().map(|encoding| Layer { ssrc: encoding.ssrc, ..Layer::default() });
        Publication {
            handle,
            transport,
            muted: false,
            layers: layers.collect(),
            subscriptions: Vec::new(),
            fresh: Vec::new(),
            flush_at: Time::NEVER,
            cursor: 0,
            active: 0,
            history_bytes: 0,
            taps: Vec::new(),
            frame_interval: Duration::ZERO,
            unbroken: Time::ZERO,
            last_frame: None,
            stalled_ms: 0,
            media,
        }
    }

    /// Whether a viewer can begin only at a key frame.
    pub fn needs_keyframe(&self) -> bool {
        self.media.kind == Kind::Video && self.media.codec != Codec::Opaque
    }

    /// Notes that a frame's packet came, for the stall watch; true when a stall ended.
    pub fn receive_frame(&mut self, now: Time, time: MediaTime) -> bool {
        if let Some((last_time, last_arrival)) = self.last_frame
            && last_time != time
        {
            let interval = now.since(last_arrival).min(MAX_FRAME_INTERVAL);
            if interval > INTERRUPTED.max(self.frame_interval * 3) {
                self.unbroken = now;
            }
            // Whole microseconds, as deadlines have: a fraction would leave a timer due that finds nothing to do.
            let smoothed = (self.frame_interval * 7 + interval) / 8;
            self.frame_interval = Duration::from_micros(smoothed.as_micros() as u64);
        }
        if self.last_frame.is_none_or(|(last_time, _)| last_time != time) {
            self.last_frame = Some((time, now));
        }
        std::mem::take(&mut self.stalled_ms) != 0
    }

    /// Updates which layers flow; true when that changed.
    pub fn update_active(&mut self, now: Time) -> bool {
        let mut active = 0;
        for (index, layer) in self.layers.iter().enumerate() {
            let begun = self.active & (1 << index) != 0 || now.since(layer.flows_since) >= layer.counts_from;
            if begun && layer.last_arrival.is_some_and(|last| now < self.ends_at(index, last)) {
                active |= 1 << index;
            }
        }
        // Sound may pause for long (DTX) and has one layer: what flowed once, flows.
        if self.media.kind == Kind::Audio {
            active |= self.active;
        }
        let changed = active != self.active;
        self.active = active;
        changed
    }

    /// What flows has no longer gap between two packets of a layer.
    pub fn longest_gap(&self) -> Duration {
        LAYER_LEFT_OUT.max(self.frame_interval * 3)
    }

    /// When a layer that was last heard of at `last` counts as stopped.
    fn ends_at(&self, index: usize, last: Time) -> Time {
        let interval = self.frame_interval * 3;
        // What interrupts all layers says nothing about one of them.
        let since = last.max(self.unbroken);
        let others = self.last_frame.is_some_and(|(_, arrival)| arrival >= since + LAYER_LEFT_OUT / 2);
        let left_out = since + self.longest_gap();
        let silent = last + LAYER_SILENT.max(interval);
        if others && index > 0 { left_out.min(silent) } else { silent }
    }

    /// A layer that somebody watched stopped: what stops often need not be taken at once when it comes back.
    pub fn lapse(&mut self, now: Time, layer: usize) {
        let Some(layer) = self.layers.get_mut(layer) else { return };
        let again = layer.lapsed.replace(now).is_some_and(|last| now.since(last) < LAPSES_LAST);
        layer.counts_from = if again { LAPSED_HOLD } else { Duration::ZERO };
    }

    /// The event of a picture that has been silent for another step.
    pub fn check_stall(&mut self, now: Time) -> Option<Event> {
        if self.stall_deadline() > now {
            return None;
        }
        let step = STALL_STEPS_MS.into_iter().find(|step| *step > self.stalled_ms)?;
        self.stalled_ms = step;
        Some(Event::Stalled { publication: self.handle, silent_ms: step })
    }

    /// When [`Publication::check_stall`] or [`Publication::update_active`] may have something to say.
    pub fn next_timeout(&self) -> Time {
        if self.media.kind == Kind::Audio {
            return Time::NEVER;
        }
        let flowing = self.layers.iter().enumerate().filter(|(index, _)| self.active & (1 << index) != 0);
        let ends = flowing.filter_map(|(index, layer)| Some(self.ends_at(index, layer.last_arrival?))).min();
        self.stall_deadline().min(ends.unwrap_or(Time::NEVER))
    }

    fn stall_deadline(&self) -> Time {
        let Some((_, last)) = self.last_frame.filter(|_| self.media.kind == Kind::Video && !self.muted)
        else {
            return Time::NEVER;
        };
        match STALL_STEPS_MS.into_iter().find(|step| *step > self.stalled_ms) {
            Some(step) => last + self.frame_interval + Duration::from_millis(u64::from(step)),
            None => Time::NEVER,
        }
    }

    /// Milliseconds since its last frame began to arrive.
    pub fn age_ms(&self, now: Time) -> Option<u64> {
        self.last_frame.map(|(_, arrival)| now.since(arrival).as_millis() as u64)
    }

    /// Named figures for the snapshot.
    pub fn figures(&self, now: Time) -> Figures {
        let sum = |field: fn(&Layer) -> u64| Figure::Count(self.layers.iter().map(field).sum());
        let rate: u64 = self.layers.iter().map(|layer| layer.meter.rate(now).0).sum();
        let jitter = self.layers.iter().map(|layer| layer.jitter.ticks()).max().unwrap_or(0);
        let wire = self.layers.iter().flat_map(|layer| layer.wire_rates(now).flat());
        let active = (0..self.layers.len() as u64).filter(|index| self.active & (1 << index) != 0);
        vec![
            ("packets", sum(|layer| layer.packets)),
            ("bytes", sum(|layer| layer.bytes)),
            ("repaired", sum(|layer| layer.repaired)),
            ("unrepaired", sum(|layer| layer.loss.given_up())),
            ("keyframes", sum(|layer| layer.keyframes_seen)),
            ("plis_sent", sum(|layer| layer.keyframes.sent())),
            ("bits_per_second", Figure::Count(rate)),
            ("jitter_seconds", Figure::Measure(f64::from(jitter) / f64::from(self.media.clock_rate.max(1)))),
            ("age_ms", self.age_ms(now).map_or(Figure::Unknown, Figure::Count)),
            ("frame_interval_seconds", Figure::Measure(self.frame_interval.as_secs_f64())),
            ("layers", Figure::List(active.collect())),
            // Layer after layer.
            ("wire_rates", Figure::List(wire.collect())),
            ("subscriptions", Figure::Count(self.subscriptions.len() as u64)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame_mark::MarkReader;

    #[test]
    fn each_spatial_and_temporal_layer_is_metered() {
        let mut layer = Layer::default();
        let vp9 = |spatial: u8, temporal: u8| {
            MarkReader::default().read(
                Codec::Vp9,
                &[0xac, 0x81, 2, temporal << 5 | spatial << 1, 200, 0xaa],
                &[],
            )
        };
        // One second of packets of 81 to 956 bytes, 125 on the wire being 1 kbit/s each.
        for ms in 0..1_000 {
            let now = Time::from_millis(ms);
            for (spatial, temporal, length) in
                [(0, 0, 81), (0, 1, 206), (1, 0, 331), (2, 1, 456), (3, 6, 956)]
            {
                layer.note_wire_bytes(now, vp9(spatial, temporal), length);
            }
        }
        let rates = layer.wire_rates(Time::from_millis(999));
        let expected: Vec<u64> = [1, 3, 3, 3, 4, 6, 6, 6, 4, 10, 10, 18].map(|it| it * 1_000_000).into();
        assert_eq!(rates.flat().collect::<Vec<_>>(), expected);
        let up_to = |spatial, temporal| rates.up_to(Limits { spatial, temporal });
        assert_eq!([up_to(1, 0), up_to(0, u8::MAX), rates.whole()], [4_000_000, 3_000_000, 18_000_000]);
        assert_eq!(up_to(u8::MAX, u8::MAX), rates.whole());
        layer.note_wire_bytes(Time::from_millis(1_000), vp9(0, 0), 81);
        assert_eq!(layer.usual_rates, rates, "of the second that is over");
    }
}
