//! A microphone: Opus of one rate, a packet every 20 ms.

use std::time::Duration;

use loupe_core::units::{NtpTime, Time};

use super::stream::{Content, Outgoing, Stream};
use crate::truth::Truth;

/// Sound in one packet.
pub const PACKET_INTERVAL: Duration = Duration::from_millis(20);
const CAPTURE_TIME_INTERVAL: Duration = Duration::from_secs(1);
/// Speech at 30 dB below the loudest (RFC 6464).
const AUDIO_LEVEL: u8 = 0x80 | 0x1e;

/// A microphone.
pub struct Microphone {
    stream: usize,
    bytes: usize,
    frame: u32,
    next_capture: Time,
    next_capture_time: Time,
}

impl Microphone {
    /// One that sends `bps` by this stream.
    pub fn new(stream: usize, bps: u64, now: Time) -> Microphone {
        let bytes = (bps * PACKET_INTERVAL.as_millis() as u64 / 8_000) as usize;
        Microphone { stream, bytes, frame: 0, next_capture: now, next_capture_time: now }
    }

    /// When it captures next.
    pub fn next_capture(&self) -> Time {
        self.next_capture
    }

    /// The next packet.
    pub fn capture(&mut self, now: Time, streams: &mut [Stream], ntp: NtpTime) -> Outgoing {
        let truth = Truth {
            capture_us: now.0,
            frame: self.frame,
            layer: 0,
            temporal: 0,
            keyframe: true,
            index: 0,
            count: 1,
        };
        // A TOC byte (RFC 6716 section 3.1): CELT, full band, 20 ms, mono, one frame.
        let mut payload = vec![0xf8];
        truth.complete(&mut payload, self.bytes);
        let capture = (now >= self.next_capture_time).then_some(ntp);
        if capture.is_some() {
            self.next_capture_time = now + CAPTURE_TIME_INTERVAL;
        }
        let stream = &mut streams[self.stream];
        let timestamp = stream.timestamp(now);
        let content =
            Content { timestamp, marker: self.frame == 0, payload, audio_level: Some(AUDIO_LEVEL), capture };
        self.frame += 1;
        self.next_capture = now + PACKET_INTERVAL;
        stream.enter(now, self.stream, content)
    }
}
