//! A participant who sends: a camera in layers, a microphone, and all that a browser does besides - pacing, repairs,
//! reports, and on wish a rate control of its own.

pub mod camera;
pub mod encoder;
mod feedback;
pub mod microphone;
pub mod payload;
pub mod stream;

use std::collections::VecDeque;
use std::time::Duration;

use loupe_core::rtcp::{Rtcp, write_cname, write_sender_report};
use loupe_core::units::{Bitrate, NtpTime, Time};

use self::camera::Camera;
use self::feedback::SendControl;
use self::microphone::Microphone;
use self::stream::{Outgoing, Stream, StreamConfig};
use crate::media::{AUDIO_CLOCK, Layering, PUBLISHED_AUDIO, PUBLISHED_VIDEO, RIDS, VIDEO_CLOCK};

const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Soon after the first packet, so that receivers can align layers and sound from the beginning.
const FIRST_REPORT: Duration = Duration::from_millis(100);
/// Pictures leave at so many times the media's rate, as libwebrtc's pacer has it.
const PACING_FACTOR: f64 = 2.5;
/// Bytes that IPv4, UDP and SRTP put around a packet.
const AROUND: usize = 28 + 16;
/// Where a rate control begins (libwebrtc's start).
const START_RATE: Bitrate = Bitrate(300_000);
/// Wall clock at virtual time zero, microseconds since 1970.
const WALL_CLOCK: u64 = 1_750_000_000_000_000;

/// What a publisher sends.
#[derive(Clone, Debug)]
pub struct PublisherConfig {
    /// Rates of the camera's layers, lowest first; empty for none.
    pub ladder_bps: Vec<u64>,
    /// How the layers come.
    pub layering: Layering,
    /// Rate of the microphone; `None` for none.
    pub audio_bps: Option<u64>,
    /// Whether it fits its rate to the feedback.
    pub obeys_feedback: bool,
    /// Source numbers: the camera's from here on, the microphone's last.
    pub ssrc: u32,
    /// Of everything random.
    pub seed: u64,
}

impl PublisherConfig {
    /// The microphone's source.
    pub fn audio_ssrc(&self) -> u32 {
        self.ssrc + 2 * RIDS.len() as u32
    }
}

/// Requests that reached a publisher, for metrics.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Key frames, by stream.
    pub keyframes: Vec<(Time, usize)>,
    /// Packets to be sent again.
    pub repairs: u64,
    /// Rates that its own control found.
    pub targets: Vec<(Time, Bitrate)>,
}

/// The publisher.
pub struct Publisher {
    config: PublisherConfig,
    streams: Vec<Stream>,
    camera: Option<Camera>,
    microphone: Option<Microphone>,
    /// Retransmissions first, then pictures; sound does not wait.
    repairs: VecDeque<Outgoing>,
    pictures: VecDeque<Outgoing>,
    next_release: Time,
    control: SendControl,
    next_report: Time,
    /// What was asked of it.
    pub asked: Asked,
}

impl Publisher {
    /// One that begins to send at `now`.
    pub fn new(config: PublisherConfig, now: Time) -> Publisher {
        let mut streams = Vec::new();
        let sources = match config.layering {
            Layering::Simulcast => config.ladder_bps.len(),
            Layering::Svc => config.ladder_bps.len().min(1),
        };
        for (n, rid) in RIDS.into_iter().enumerate().take(sources) {
            let named = StreamConfig {
                ssrc: config.ssrc + 2 * n as u32,
                payload_types: PUBLISHED_VIDEO,
                clock_rate: VIDEO_CLOCK,
                mid: "v",
                rid: (config.layering == Layering::Simulcast).then_some(rid),
            };
            streams.push(Stream::new(named, now));
        }
        let numbers: Vec<usize> = (0..sources).collect();
        let camera = (sources > 0)
            .then(|| Camera::new(config.layering, &config.ladder_bps, &numbers, config.seed, now));
        let microphone = config.audio_bps.map(|bps| Microphone::new(sources, bps, now));
        if microphone.is_some() {
            let ssrc = config.audio_ssrc();
            let named = StreamConfig {
                ssrc,
                payload_types: PUBLISHED_AUDIO,
                clock_rate: AUDIO_CLOCK,
                mid: "a",
                rid: None,
            };
            streams.push(Stream::new(named, now));
        }
        let mut publisher = Publisher {
            streams,
            camera,
            microphone,
            repairs: VecDeque::new(),
            pictures: VecDeque::new(),
            next_release: now,
            control: SendControl::new(START_RATE),
            next_report: now + FIRST_REPORT,
            asked: Asked::default(),
            config,
        };
        publisher.fit();
        publisher
    }

    /// Its wall clock.
    pub fn wall_clock(now: Time) -> NtpTime {
        NtpTime::from_unix_micros(WALL_CLOCK + now.0)
    }

    /// When [`Publisher::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Time {
        let camera = self.camera.as_ref().map_or(Time::NEVER, Camera::next_capture);
        let microphone = self.microphone.as_ref().map_or(Time::NEVER, Microphone::next_capture);
        let waits = !self.repairs.is_empty() || !self.pictures.is_empty();
        let release = if waits { self.next_release } else { Time::NEVER };
        camera.min(microphone).min(release).min(self.next_report)
    }

    /// RTP packets that leave now, unprotected, with the indices that SRTP gives them.
    pub fn handle_timeout(&mut self, now: Time) -> Vec<(Vec<u8>, u64)> {
        let mut sent = Vec::new();
        if let Some(microphone) = self.microphone.as_mut().filter(|it| it.next_capture() <= now) {
            let packet = microphone.capture(now, &mut self.streams, Publisher::wall_clock(now));
            sent.extend(self.send(now, &packet));
        }
        if let Some(camera) = self.camera.as_mut().filter(|it| it.next_capture() <= now) {
            let packets = camera.capture(now, &mut self.streams, Publisher::wall_clock(now));
            self.pictures.extend(packets);
        }
        while self.next_release <= now {
            let Some(packet) = self.repairs.pop_front().or_else(|| self.pictures.pop_front()) else { break };
            let span = (packet.bytes + AROUND) as f64 * 8e6 / (self.media_rate() as f64 * PACING_FACTOR);
            self.next_release = now.max(self.next_release) + Duration::from_micros(span as u64);
            sent.extend(self.send(now, &packet));
        }
        sent
    }

    fn send(&mut self, now: Time, packet: &Outgoing) -> Option<(Vec<u8>, u64)> {
        let seq = self.control.send(now, packet.bytes + AROUND);
        self.streams[packet.stream].write(now, packet, seq)
    }

    /// What it sends in all, bits per second.
    fn media_rate(&self) -> u64 {
        let full = self.config.ladder_bps.iter().sum::<u64>() + self.config.audio_bps.unwrap_or(0);
        if self.config.obeys_feedback { full.min(self.control.target().0) } else { full }.max(1)
    }

    /// Sender reports that are due, as one compound packet.
    pub fn reports_due(&mut self, now: Time) -> Option<Vec<u8>> {
        if now < self.next_report {
            return None;
        }
        self.next_report = now + REPORT_INTERVAL;
        let mut bytes = Vec::new();
        for stream in &self.streams {
            if let Some(figures) = stream.figures(now, Publisher::wall_clock(now)) {
                write_sender_report(&mut bytes, &figures, &[]);
                write_cname(&mut bytes, figures.ssrc, "theatre");
            }
        }
        (!bytes.is_empty()).then_some(bytes)
    }

    /// What the plane says to it.
    pub fn receive_rtcp(&mut self, now: Time, packet: &Rtcp<'_>) {
        match packet {
            Rtcp::Nack(nack) => {
                let Some(stream) = self.stream_of(nack.media.0) else { return };
                for lost in nack.lost() {
                    self.asked.repairs += 1;
                    self.repairs.extend(self.streams[stream].repair(stream, lost));
                }
            }
            Rtcp::Pli(pli) => {
                let Some(stream) = self.stream_of(pli.media.0) else { return };
                self.asked.keyframes.push((now, stream));
                if let Some(camera) = &mut self.camera {
                    camera.want_keyframe(stream);
                }
            }
            Rtcp::TransportFeedback(feedback) => {
                self.control.receive(now, feedback);
                self.fit();
                if self.config.obeys_feedback {
                    self.asked.targets.push((now, self.control.target()));
                }
            }
            _ => {}
        }
    }

    /// Which of its publications (camera first, then microphone) a plain packet of its belongs to; `None` for repairs.
    pub fn publication_of(&self, packet: &[u8]) -> Option<usize> {
        let payload_type = packet.get(1)? & 0x7f;
        let sound = usize::from(self.camera.is_some());
        if payload_type == PUBLISHED_VIDEO.0 {
            Some(0)
        } else {
            (payload_type == PUBLISHED_AUDIO.0).then_some(sound)
        }
    }

    fn stream_of(&self, ssrc: u32) -> Option<usize> {
        self.streams.iter().position(|stream| stream.config.ssrc == ssrc)
    }

    /// Gives the camera what the control found, less the sound and what is around the packets.
    fn fit(&mut self) {
        if !self.config.obeys_feedback {
            return;
        }
        let around = AROUND as u64 * 8;
        // 50 packets of sound, and at least one packet of each of 25 frames, a second.
        let sound = self.config.audio_bps.map_or(0, |bps| bps + 50 * (around + 28 * 8));
        let target = self.control.target().0.saturating_sub(sound);
        if let Some(camera) = &mut self.camera {
            camera.set_target(target * 9 / 10);
        }
    }
}
