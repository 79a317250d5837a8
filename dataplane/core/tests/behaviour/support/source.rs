//! One encoding: frames of several packets that name themselves, with all counters near their turn, and repairs.

use std::collections::HashMap;
use std::time::Duration;

use loupe_core::io::{ExtensionIds, Kind};
use loupe_core::rtp::{ExtensionWriter, FixedHeader};
use loupe_core::units::{Ssrc, Time};

use super::content::{self, Content, Numbers};
use super::media::{AUDIO_RATE, VIDEO_RATE};

/// Frame sizes of an encoder with two temporal layers, of which the lower takes 60 %.
pub struct Encoder {
    pub bits_per_second: f64,
    random: u64,
}

impl Encoder {
    pub fn new(bits_per_second: f64, seed: u64) -> Encoder {
        Encoder { bits_per_second, random: seed.wrapping_mul(2).wrapping_add(1) }
    }

    /// RFC 8593: sizes deviate by a zero-mean Laplacian with scale 0.15; a key frame of 1 Mbit/s takes 13.5 kB, and of
    /// less a little more than its share.
    fn frame_bytes(&mut self, interval: f64, keyframe: bool, upper: bool) -> usize {
        let mean = self.bits_per_second / 8.0 * interval;
        if keyframe {
            return (13_500.0 * (self.bits_per_second / 1e6).powf(0.7)) as usize;
        }
        let share = if upper { 0.8 } else { 1.2 };
        let factor = (1.0 + 0.15 * self.laplacian()).clamp(0.4, 2.5);
        (mean * share * factor).max(60.0) as usize
    }

    fn laplacian(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let uniform = (self.random >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
        -uniform.signum() * (1.0 - 2.0 * uniform.abs()).max(1e-9).ln()
    }
}

/// One encoding as its encoder sends it.
pub struct Source {
    pub kind: Kind,
    pub ssrc: u32,
    pub rtx_ssrc: u32,
    pub rid: Option<String>,
    pub layer: u8,
    pub interval: Duration,
    pub packets_per_frame: u8,
    pub packet_bytes: usize,
    /// An encoder of this many bits a second and two temporal layers, in place of frames of one size.
    pub encoder: Option<Encoder>,
    /// Spatial layers of each picture, as VP9 has them; one: VP8.
    pub spatial_layers: u8,
    /// Every so many frames of the upper temporal layer, one refers to the lowest layer only.
    pub sync_every: u32,
    /// The first sequence number; the counter goes on above 65,535.
    pub index: u64,
    pub rtx_index: u64,
    /// The RTP clock at time zero.
    pub clock_offset: u32,
    pub numbers: Numbers,
    pub frame: u32,
    pub keyframe_wanted: bool,
    /// Frames are sent; false for an encoder that fell silent.
    pub flowing: bool,
    /// When the next frame is sent.
    pub next: Time,
    /// More header extensions, on every packet.
    pub extras: Vec<(u8, Vec<u8>)>,
    /// MID and RID on every packet.
    pub named: bool,
    pub payload_type: u8,
    pub rtx_payload_type: u8,
    pub extensions: ExtensionIds,
    pub mid: String,
    pub sent: HashMap<u16, Vec<u8>>,
}

impl Source {
    pub fn video(ssrc: u32, layer: u8) -> Source {
        Source {
            kind: Kind::Video,
            ssrc,
            rtx_ssrc: ssrc + 1,
            rid: None,
            layer,
            interval: Duration::from_micros(33_333),
            packets_per_frame: 5,
            packet_bytes: 1_100,
            encoder: None,
            spatial_layers: 1,
            sync_every: 1,
            // Near enough to the turns of all counters that every test passes them.
            index: 65_000 + u64::from(layer) * 37,
            rtx_index: 20_000,
            clock_offset: 0xffff_0000 - u32::from(layer) * 77_777_777,
            numbers: Numbers {
                picture_id: 0x7ff0 - u16::from(layer) * 1_000,
                tl0_pic_idx: 250 - layer * 60,
                ..Numbers::default()
            },
            frame: 0,
            keyframe_wanted: true,
            flowing: true,
            next: Time::ZERO,
            extras: Vec::new(),
            named: true,
            payload_type: 96,
            rtx_payload_type: 97,
            extensions: ExtensionIds::default(),
            mid: String::new(),
            sent: HashMap::new(),
        }
    }

    pub fn audio(ssrc: u32) -> Source {
        let mut source = Source::video(ssrc, 0);
        source.kind = Kind::Audio;
        source.interval = Duration::from_millis(20);
        source.packets_per_frame = 1;
        source.packet_bytes = 80;
        source.payload_type = 111;
        source.clock_offset = 123_456;
        source
    }

    pub fn clock_rate(&self) -> u32 {
        if self.kind == Kind::Video { VIDEO_RATE } else { AUDIO_RATE }
    }

    pub fn timestamp(&self, at: Time) -> u32 {
        let ticks = at.0 * u64::from(self.clock_rate()) / 1_000_000;
        self.clock_offset.wrapping_add(ticks as u32)
    }

    /// The packets of the next frame, and advances all counters.
    pub fn next_frame(&mut self, now: Time, transport_seq: &mut u16) -> Vec<(Vec<u8>, u64)> {
        let keyframe = std::mem::take(&mut self.keyframe_wanted) || self.kind == Kind::Audio;
        let timestamp = self.timestamp(now);
        let (count, packet_bytes) = self.size_of_next(keyframe);
        if self.numbers.temporal == 0 {
            self.numbers.tl0_pic_idx = self.numbers.tl0_pic_idx.wrapping_add(1);
        }
        let svc = self.spatial_layers > 1;
        let packets = (0..count * self.spatial_layers).map(|packet| {
            let (spatial, index) = (packet / count, packet % count);
            let layer = if svc { spatial } else { self.layer };
            let content = Content { keyframe, layer, frame: self.frame, index, count };
            let payload = match self.kind {
                Kind::Video if svc => content::vp9(content, self.numbers, packet_bytes),
                Kind::Video => content::vp8(content, self.numbers, packet_bytes),
                Kind::Audio => content::opus(content, self.packet_bytes),
            };
            let fixed = FixedHeader {
                payload_type: self.payload_type,
                marker: self.kind == Kind::Video && packet + 1 == count * self.spatial_layers,
                sequence: self.index as u16,
                timestamp,
                ssrc: Ssrc(self.ssrc),
            };
            let packet = self.packet(now, fixed, self.extensions.rid, transport_seq, &payload);
            let plain = [&fixed.bytes()[..], &payload].concat();
            self.sent.insert(self.index as u16, plain);
            self.index += 1;
            (packet, self.index - 1)
        });
        let packets = packets.collect();
        self.frame += 1;
        self.numbers.picture_id = (self.numbers.picture_id + 1) & 0x7fff;
        packets
    }

    /// Packets of the next frame and the bytes of each.
    fn size_of_next(&mut self, keyframe: bool) -> (u8, usize) {
        let rate = self.interval.as_secs_f64();
        let Some(encoder) = &mut self.encoder else { return (self.packets_per_frame, self.packet_bytes) };
        let upper = !keyframe && self.numbers.temporal == 0 && self.frame > 0;
        self.numbers.temporal = u8::from(upper);
        self.numbers.sync = upper && (self.frame / 2).is_multiple_of(self.sync_every);
        let bytes = encoder.frame_bytes(rate, keyframe, upper);
        let count = bytes.div_ceil(self.packet_bytes).clamp(1, 255);
        (count as u8, bytes / count)
    }

    fn packet(&self, now: Time, fixed: FixedHeader, rid: u8, seq: &mut u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1_300);
        fixed.write(&mut bytes);
        let mut writer = ExtensionWriter::begin(&mut bytes);
        if self.named {
            writer.push(self.extensions.mid, self.mid.as_bytes());
            if let Some(text) = &self.rid {
                writer.push(rid, text.as_bytes());
            }
        }
        for (id, data) in &self.extras {
            writer.push(*id, data);
        }
        let send_time = loupe_core::seq::abs_send_time(now.0).to_be_bytes();
        writer.push(self.extensions.abs_send_time, &send_time[1..]);
        writer.push(self.extensions.transport_cc, &seq.to_be_bytes());
        writer.finish();
        *seq = seq.wrapping_add(1);
        bytes.extend_from_slice(payload);
        bytes
    }

    /// A packet again, as RFC 4588 has it.
    pub fn repair(&mut self, now: Time, wanted: u16, transport_seq: &mut u16) -> Option<(Vec<u8>, u64)> {
        let plain = self.sent.get(&wanted)?;
        let timestamp = u32::from_be_bytes(*plain.get(4..)?.first_chunk()?);
        let payload = [&wanted.to_be_bytes()[..], &plain[12..]].concat();
        let fixed = FixedHeader {
            payload_type: self.rtx_payload_type,
            marker: plain[1] & 0x80 != 0,
            sequence: self.rtx_index as u16,
            timestamp,
            ssrc: Ssrc(self.rtx_ssrc),
        };
        let packet = self.packet(now, fixed, self.extensions.repaired_rid, transport_seq, &payload);
        self.rtx_index += 1;
        Some((packet, self.rtx_index - 1))
    }
}
