//! A publisher: one synthetic camera and microphone, each frame's packets sent at once.

use std::time::{Duration, Instant};

use str0m::format::{Codec, PayloadParams};
use str0m::media::{Mid, Pt};
use str0m::rtp::{ExtensionValues, RtpWrite, SeqNo};
use str0m::{Event, Rtc};

use crate::endpoint::Part;
use crate::media::{VideoShape, opus};
use crate::wire::unix_nanoseconds;

const AUDIO_INTERVAL: Duration = Duration::from_millis(20);
/// RTP clock steps of 20 ms at 48 kHz (RFC 7587 section 4.1).
const AUDIO_STEP: u32 = 960;
/// The video clock (RFC 7741 section 4.1).
const VIDEO_CLOCK: u32 = 90_000;
/// Requests for key frames within this time of one are for that one.
const KEYFRAME_SPACING: Duration = Duration::from_millis(200);

/// What a publisher sends.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Sizes of its frames.
    pub shape: VideoShape,
    /// Frames a second.
    pub fps: u32,
    /// Time between key frames that nobody asked for.
    pub key_interval: Duration,
}

/// One publisher.
#[derive(Debug)]
pub struct Publisher {
    /// Whether its transport is up.
    pub connected: bool,
    /// Whether the other side ended it.
    pub closed: bool,
    /// RTP packets written, without retransmissions.
    pub packets: u64,
    /// Key frames the server asked for.
    pub keyframe_requests: u64,
    /// The latest that a frame was made after its time: above a few milliseconds this process is short of processor.
    pub latest: Duration,
    source: Source,
    video: Line,
    audio: Line,
    key_wanted: bool,
    last_key: Option<Instant>,
}

#[derive(Debug)]
struct Line {
    mid: Mid,
    next: Option<Instant>,
    number: u32,
    sequence: u64,
}

impl Publisher {
    /// A publisher of `source` in the offered video and audio; it starts when its transport is up.
    pub fn new(source: Source, (video, audio): (Mid, Mid)) -> Self {
        Self {
            connected: false,
            closed: false,
            packets: 0,
            keyframe_requests: 0,
            latest: Duration::ZERO,
            source,
            video: Line::new(video),
            audio: Line::new(audio),
            key_wanted: true,
            last_key: None,
        }
    }

    /// When the next frame is to be made.
    pub fn next_frame(&self) -> Option<Instant> {
        [self.video.next, self.audio.next].into_iter().flatten().min()
    }

    /// Makes what is due. The caller then lets time pass for the endpoint, which sends it.
    pub fn produce(&mut self, rtc: &mut Rtc, now: Instant) {
        if !self.connected {
            return;
        }
        if self.video.next.is_some_and(|at| at <= now) {
            self.write_frame(rtc, now);
        }
        if self.audio.next.is_some_and(|at| at <= now) {
            self.write_audio(rtc, now);
        }
    }

    fn write_frame(&mut self, rtc: &mut Rtc, now: Instant) {
        let Some(pt) = payload_type(rtc, Codec::Vp8) else { return };
        let line = &mut self.video;
        let since_key = self.last_key.map_or(Duration::MAX, |at| now.duration_since(at));
        let key = since_key >= self.source.key_interval || (self.key_wanted && since_key >= KEYFRAME_SPACING);
        if key {
            (self.last_key, self.key_wanted) = (Some(now), false);
        }
        let mut api = rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(line.mid, None) else { return };
        let time = (u64::from(line.number) * u64::from(VIDEO_CLOCK) / u64::from(self.source.fps)) as u32;
        let payloads = self.source.shape.frame(line.number, key, unix_nanoseconds());
        let last = payloads.len() - 1;
        for (index, payload) in payloads.into_iter().enumerate() {
            let packet = RtpWrite::new(pt, SeqNo::from(line.sequence), time, now, payload)
                .marker(index == last)
                .ext_vals(ExtensionValues::default())
                .nackable(true);
            stream.write_rtp(packet);
            line.sequence += 1;
            self.packets += 1;
        }
        self.latest = self.latest.max(line.advance(now, Duration::from_secs(1) / self.source.fps));
    }

    fn write_audio(&mut self, rtc: &mut Rtc, now: Instant) {
        let Some(pt) = payload_type(rtc, Codec::Opus) else { return };
        let line = &mut self.audio;
        let mut api = rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(line.mid, None) else { return };
        let extensions =
            ExtensionValues { audio_level: Some(-30), voice_activity: Some(true), ..Default::default() };
        let payload = opus(line.number, unix_nanoseconds());
        // The RTP clock wraps; a product in 64 bits cut to 32 is that wrap.
        let time = (u64::from(line.number) * u64::from(AUDIO_STEP)) as u32;
        stream.write_rtp(
            RtpWrite::new(pt, SeqNo::from(line.sequence), time, now, payload).ext_vals(extensions),
        );
        line.sequence += 1;
        self.packets += 1;
        line.advance(now, AUDIO_INTERVAL);
    }

    fn start(&mut self, now: Instant) {
        self.connected = true;
        (self.video.next, self.audio.next) = (Some(now), Some(now));
    }
}

impl Line {
    fn new(mid: Mid) -> Self {
        Self { mid, next: None, number: 0, sequence: 1 }
    }

    /// Goes on to the next frame, skipping none. Returns how late this one was.
    fn advance(&mut self, now: Instant, interval: Duration) -> Duration {
        let due = self.next.unwrap_or(now);
        self.number += 1;
        self.next = Some(due + interval);
        now.saturating_duration_since(due)
    }
}

impl Part for Publisher {
    fn on_event(&mut self, _rtc: &mut Rtc, event: Event, _arrived: u64) {
        match event {
            Event::Connected => self.start(Instant::now()),
            Event::KeyframeRequest(_) => {
                self.key_wanted = true;
                self.keyframe_requests += 1;
            }
            Event::Closed => self.closed = true,
            _ => {}
        }
    }
}

fn payload_type(rtc: &Rtc, codec: Codec) -> Option<Pt> {
    rtc.codec_config().iter().find(|params| params.spec().codec == codec).map(PayloadParams::pt)
}
