//! A camera: captures at 25 frames a second and encodes each capture in several layers.

use std::time::Duration;

use loupe_core::units::{NtpTime, Time};
use loupe_netem::random::Random;

use super::encoder::{Encoder, Frame, deviation};
use super::payload::{self, PictureNumbers};
use super::stream::{Content, Outgoing, Stream};
use crate::media::Layering;
use crate::truth::Truth;

/// Captures a second.
pub const FRAMES_PER_SECOND: f64 = 25.0;
/// Sizes of the layers, lowest first.
const DIMENSIONS: [(u16, u16); 4] = [(320, 180), (640, 360), (1280, 720), (1920, 1080)];
/// The capture time rides on frames this far apart; receivers interpolate between.
const CAPTURE_TIME_INTERVAL: Duration = Duration::from_secs(1);
/// A layer that gets less than this part of its rate is not encoded (libwebrtc: 150 of 500 kbit/s for 360 lines, 600 of
/// 1,700 for 720).
const LEAST_SHARE: f64 = 0.3;
/// One that is not encoded begins again when there is so much more than that for it (libwebrtc's hysteresis).
const BEGIN_FACTOR: f64 = 1.2;

/// A camera and its encoders.
pub struct Camera {
    layering: Layering,
    layers: Vec<EncodedLayer>,
    random: Random,
    frame: u32,
    next_capture: Time,
    next_capture_time: Time,
}

struct EncodedLayer {
    /// The publisher's stream that carries it.
    stream: usize,
    encoder: Encoder,
    full_bps: u64,
    numbers: PictureNumbers,
}

impl Camera {
    /// A camera whose layers, lowest first, have these rates and go out by these streams.
    pub fn new(layering: Layering, ladder_bps: &[u64], streams: &[usize], seed: u64, now: Time) -> Camera {
        let mut random = Random::new(seed);
        let layers = ladder_bps
            .iter()
            .enumerate()
            .map(|(n, bps)| EncodedLayer {
                stream: streams.get(n).or(streams.first()).copied().unwrap_or_default(),
                encoder: Encoder::new(*bps, FRAMES_PER_SECOND, Random::new(random.next_u64())),
                full_bps: *bps,
                numbers: PictureNumbers::default(),
            })
            .collect();
        Camera { layering, layers, random, frame: 0, next_capture: now, next_capture_time: now }
    }

    /// When it captures next.
    pub fn next_capture(&self) -> Time {
        self.next_capture
    }

    /// Which layers it encodes now, bit n for layer n.
    pub fn active(&self) -> u32 {
        let active = self.layers.iter().enumerate().filter(|(_, layer)| layer.encoder.is_active());
        active.fold(0, |bits, (n, _)| bits | 1 << n)
    }

    /// The source that the stream carries shall begin anew. With SVC all layers do.
    pub fn want_keyframe(&mut self, stream: usize) {
        for layer in self.layers.iter_mut().filter(|layer| layer.stream == stream) {
            layer.encoder.want_keyframe();
        }
    }

    /// Divides a rate over the layers, the lowest first, as libwebrtc's simulcast rate allocator does.
    pub fn set_target(&mut self, bps: u64) {
        let mut left = bps;
        for (n, layer) in self.layers.iter_mut().enumerate() {
            let factor = if layer.encoder.is_active() { 1.0 } else { BEGIN_FACTOR };
            let least = if n == 0 { 0 } else { (layer.full_bps as f64 * LEAST_SHARE * factor) as u64 };
            let given = if left >= least { left.min(layer.full_bps) } else { 0 };
            left -= given;
            layer.encoder.set_target(given);
        }
        if self.layering == Layering::Svc
            && self.layers.iter().any(|layer| layer.encoder.is_keyframe_wanted())
        {
            self.layers.iter_mut().for_each(|layer| layer.encoder.want_keyframe());
        }
    }

    /// One capture: the packets of all layers, lowest first.
    pub fn capture(&mut self, now: Time, streams: &mut [Stream], ntp: NtpTime) -> Vec<Outgoing> {
        let interval = 1e6 / FRAMES_PER_SECOND * (1.0 + deviation(&mut self.random));
        self.next_capture = now + Duration::from_micros(interval as u64);
        let told = (now >= self.next_capture_time).then_some(ntp);
        if told.is_some() {
            self.next_capture_time = now + CAPTURE_TIME_INTERVAL;
        }
        let mut packets = Vec::new();
        let layering = self.layering;
        let layers = self.layers.iter().filter(|layer| layer.encoder.is_active()).count() as u8;
        let mut below = None;
        for (n, layer) in self.layers.iter_mut().enumerate().filter(|(_, layer)| layer.encoder.is_active()) {
            let frame = layer.next_frame(below.filter(|_| layering == Layering::Svc));
            below = Some(layer.numbers);
            let of = Captured { now, frame: self.frame, told, layering, layers, layer: n as u8 };
            packets.extend(layer.encode(of, frame, &mut streams[layer.stream]));
        }
        self.frame += 1;
        packets
    }
}

/// What the packets of one layer of a capture have in common.
#[derive(Clone, Copy)]
struct Captured {
    now: Time,
    frame: u32,
    told: Option<NtpTime>,
    layering: Layering,
    /// How many are encoded.
    layers: u8,
    layer: u8,
}

impl EncodedLayer {
    /// The next frame; in a picture of several spatial layers it has the numbers of the one `below` it.
    fn next_frame(&mut self, below: Option<PictureNumbers>) -> Frame {
        let frame = self.encoder.next_frame();
        self.numbers = below.unwrap_or(PictureNumbers {
            picture_id: self.numbers.picture_id + 1,
            tl0_pic_idx: self.numbers.tl0_pic_idx + u64::from(frame.temporal == 0),
        });
        frame
    }

    fn encode(&self, of: Captured, frame: Frame, stream: &mut Stream) -> Vec<Outgoing> {
        let sizes = payload::split(frame.bytes);
        let count = sizes.len() as u16;
        let timestamp = stream.timestamp(of.now);
        // A picture ends with its highest spatial layer.
        let ends = of.layering == Layering::Simulcast || of.layer + 1 == of.layers;
        sizes
            .enumerate()
            .map(|(index, length)| {
                let truth = Truth {
                    capture_us: of.now.0,
                    frame: of.frame,
                    layer: of.layer,
                    temporal: frame.temporal,
                    keyframe: frame.keyframe,
                    index: index as u16,
                    count,
                };
                let payload = match of.layering {
                    Layering::Simulcast => {
                        let dimensions = DIMENSIONS[usize::from(of.layer).min(DIMENSIONS.len() - 1)];
                        payload::vp8(truth, self.numbers, dimensions, length)
                    }
                    Layering::Svc => payload::vp9(truth, self.numbers, of.layers, length),
                };
                let content = Content {
                    timestamp,
                    marker: ends && index + 1 == usize::from(count),
                    payload,
                    audio_level: None,
                    capture: of.told.filter(|_| index == 0),
                };
                stream.enter(of.now, self.stream, content)
            })
            .collect()
    }
}
