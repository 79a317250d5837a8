//! One encoding: frames of several packets that name themselves, with all counters near their turn, and repairs.

use std::collections::HashMap;
use std::time::Duration;

use loupe_core::io::{ExtensionIds, Kind};
use loupe_core::rtp::{ExtensionWriter, FixedHeader};
use loupe_core::units::{Ssrc, Time};

use super::content::{self, Content, Numbers};
use super::media::{AUDIO_RATE, VIDEO_RATE};

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
            // Near enough to the turns of all counters that every test passes them.
            index: 65_000 + u64::from(layer) * 37,
            rtx_index: 20_000,
            clock_offset: 0xffff_0000 - u32::from(layer) * 77_777_777,
            numbers: Numbers { picture_id: 0x7ff0 - u16::from(layer) * 1_000, tl0_pic_idx: 250 - layer * 60 },
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
        let count = self.packets_per_frame;
        let packets = (0..count).map(|index| {
            let content = Content { keyframe, layer: self.layer, frame: self.frame, index, count };
            let payload = match self.kind {
                Kind::Video => content::vp8(content, self.numbers, self.packet_bytes),
                Kind::Audio => content::opus(content, self.packet_bytes),
            };
            let fixed = FixedHeader {
                payload_type: self.payload_type,
                marker: self.kind == Kind::Video && index + 1 == count,
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
        self.numbers.tl0_pic_idx = self.numbers.tl0_pic_idx.wrapping_add(1);
        packets
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
