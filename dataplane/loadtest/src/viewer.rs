//! What a viewer sees: packets, frames, order, loss after repair, delay.

use std::time::{Duration, Instant};

use str0m::media::{Frequency, KeyframeRequestKind, MediaKind, Mid};
use str0m::rtp::RtpPacket;
use str0m::{Event, Rtc};

use crate::endpoint::Part;
use crate::media::Stamp;

/// Delays are kept per microsecond up to here; what is later counts as this.
pub const DELAY_CEILING_US: usize = 200_000;
/// A viewer without a key frame asks again after this long.
const KEYFRAME_RETRY: Duration = Duration::from_millis(500);
/// Frames that may be under way at once: about two seconds at 30 frames a second.
const FRAME_SLOTS: usize = 64;
/// Packets a frame may have; a key frame of the default shape has 24.
const FRAME_PACKETS: u16 = 128;

/// Counts of one stream by its sequence numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Track {
    /// Packets, each once.
    pub received: u64,
    /// Packets that came after a later one; a repaired packet is one of these.
    pub late: u64,
    first: u64,
    highest: u64,
}

impl Track {
    fn take(&mut self, sequence: u64) {
        if self.received == 0 {
            (self.first, self.highest) = (sequence, sequence);
        } else if sequence < self.highest {
            self.late += 1;
            self.first = self.first.min(sequence);
        }
        self.highest = self.highest.max(sequence);
        self.received += 1;
    }

    /// Packets between the first and the last that never came, not even by repair.
    pub fn lost(&self) -> u64 {
        if self.received == 0 { 0 } else { (self.highest - self.first + 1).saturating_sub(self.received) }
    }
}

/// Counts of whole frames, put together from stamps.
#[derive(Clone, Debug)]
pub struct Frames {
    /// Frames of which every packet came.
    pub complete: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    first: Option<u32>,
    newest: u32,
    slots: [(u32, u128); FRAME_SLOTS],
}

impl Default for Frames {
    fn default() -> Self {
        Self { complete: 0, duplicates: 0, first: None, newest: 0, slots: [(u32::MAX, 0); FRAME_SLOTS] }
    }
}

impl Frames {
    /// Notes a packet; true when it completes its frame.
    fn take(&mut self, stamp: Stamp) -> bool {
        if stamp.count == 0 || stamp.count > FRAME_PACKETS || stamp.index >= stamp.count {
            return false;
        }
        self.newest = self.newest.max(stamp.frame);
        let slot = &mut self.slots[stamp.frame as usize % FRAME_SLOTS];
        if slot.0 != stamp.frame {
            *slot = (stamp.frame, 0);
        }
        let bit = 1u128 << stamp.index;
        if slot.1 & bit != 0 {
            self.duplicates += 1;
            return false;
        }
        slot.1 |= bit;
        let complete = slot.1.count_ones() == u32::from(stamp.count);
        // What cannot be decoded yet is not counted: a viewer starts with a key frame.
        if complete && (self.first.is_some() || stamp.key) {
            self.first.get_or_insert(stamp.frame);
            self.complete += 1;
        }
        complete && self.first.is_some()
    }

    /// Frames from the first key frame to the newest that are not whole; the newest may still be under way.
    pub fn incomplete(&self) -> u64 {
        self.first.map_or(0, |first| (u64::from(self.newest - first) + 1).saturating_sub(self.complete))
    }
}

/// Delays of many packets, per microsecond.
#[derive(Clone, Debug)]
pub struct Delays(Vec<u32>);

impl Default for Delays {
    fn default() -> Self {
        Self(vec![0; DELAY_CEILING_US + 1])
    }
}

impl Delays {
    /// Adds one delay in nanoseconds.
    pub fn add(&mut self, nanoseconds: u64) {
        let at = (nanoseconds / 1_000).min(DELAY_CEILING_US as u64);
        self.0[at as usize] += 1;
    }

    /// The delay in milliseconds that `share` (0 to 1) of the packets do not exceed.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let total: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let wanted = ((total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let at = self.0.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        })?;
        Some(at as f64 / 1_000.0)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }
}

/// One viewer.
#[derive(Debug)]
pub struct Viewer {
    /// When its request was sent.
    pub posted: Instant,
    /// From then to connected.
    pub connected: Option<Duration>,
    /// From then to its first whole key frame.
    pub first_frame: Option<Duration>,
    /// The video by sequence numbers.
    pub video: Track,
    /// The audio by sequence numbers.
    pub audio: Track,
    /// The video by frames.
    pub frames: Frames,
    /// NACK messages sent.
    pub nacks: u64,
    /// Key frame requests sent.
    pub keyframe_requests: u64,
    /// Delays since they were last taken, in nanoseconds.
    pub delays: Vec<u64>,
    /// Whether the other side ended it.
    pub closed: bool,
    /// Its video, once that is agreed on.
    pub video_mid: Option<Mid>,
    asked: Option<Instant>,
}

impl Viewer {
    /// A viewer whose request was sent at `posted`, with its video if it made the offer.
    pub fn new(posted: Instant, video: Option<Mid>) -> Self {
        Self {
            posted,
            connected: None,
            first_frame: None,
            video: Track::default(),
            audio: Track::default(),
            frames: Frames::default(),
            nacks: 0,
            keyframe_requests: 0,
            delays: Vec::new(),
            closed: false,
            video_mid: video,
            asked: None,
        }
    }

    fn take_packet(&mut self, rtc: &mut Rtc, packet: &RtpPacket, arrived: u64) {
        let Some(stamp) = Stamp::read(&packet.payload) else { return };
        self.delays.push(arrived.saturating_sub(stamp.captured));
        let mid = packet.header.ext_vals.mid.or(self.video_mid);
        if packet.time.frequency() == Frequency::FORTY_EIGHT_KHZ {
            self.audio.take(*packet.seq_no);
            return;
        }
        self.video.take(*packet.seq_no);
        if self.frames.take(stamp) && self.first_frame.is_none() {
            self.first_frame = Some(self.posted.elapsed());
        }
        if self.first_frame.is_none() && !stamp.key {
            self.ask_keyframe(rtc, mid, packet.timestamp);
        }
    }

    fn ask_keyframe(&mut self, rtc: &mut Rtc, mid: Option<Mid>, now: Instant) {
        if self.asked.is_some_and(|at| now < at + KEYFRAME_RETRY) {
            return;
        }
        let mut api = rtc.direct_api();
        let Some(stream) = mid.and_then(|mid| api.stream_rx_by_mid(mid, None)) else { return };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.asked = Some(now);
        self.keyframe_requests += 1;
    }
}

impl Part for Viewer {
    fn on_event(&mut self, rtc: &mut Rtc, event: Event, arrived: u64) {
        match event {
            Event::RtpPacket(packet) => self.take_packet(rtc, &packet, arrived),
            Event::Connected => self.connected = Some(self.posted.elapsed()),
            Event::MediaAdded(media) if media.kind == MediaKind::Video => self.video_mid = Some(media.mid),
            // Two streams report each their own total; the video's is the larger, audio is not repaired.
            Event::MediaIngressStats(stats) => self.nacks = self.nacks.max(stats.nacks),
            Event::Closed => self.closed = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(frame: u32, index: u16, key: bool) -> Stamp {
        Stamp { frame, index, count: 3, key, captured: 0 }
    }

    #[test]
    fn loss_is_what_never_came_and_late_is_no_loss() {
        let mut track = Track::default();
        for sequence in [100, 101, 103, 104, 102, 107] {
            track.take(sequence);
        }
        assert_eq!((track.received, track.late, track.lost()), (6, 1, 2));
        assert_eq!(Track::default().lost(), 0);
    }

    #[test]
    fn frames_count_from_the_first_key_frame() {
        let mut frames = Frames::default();
        for index in 0..3 {
            assert!(!frames.take(stamp(4, index, false)), "nothing can be decoded before a key frame");
        }
        assert!(!frames.take(stamp(5, 2, true)) && !frames.take(stamp(5, 0, true)));
        assert!(frames.take(stamp(5, 1, true)));
        assert!(!frames.take(stamp(5, 1, true)));
        assert!(!frames.take(stamp(6, 0, false)));
        for index in 0..3 {
            frames.take(stamp(7, index, false));
        }
        assert_eq!((frames.complete, frames.duplicates, frames.incomplete()), (2, 1, 1));
    }

    #[test]
    fn absurd_stamps_are_ignored() {
        let mut frames = Frames::default();
        assert!(!frames.take(Stamp { frame: 1, index: 3, count: 3, key: true, captured: 0 }));
        assert!(!frames.take(Stamp { frame: 1, index: 0, count: 500, key: true, captured: 0 }));
        assert_eq!((frames.complete, frames.incomplete()), (0, 0));
    }

    #[test]
    fn quantiles_are_exact_to_a_microsecond() {
        let mut delays = Delays::default();
        assert_eq!(delays.quantile_ms(0.5), None);
        for microseconds in 1..=100u64 {
            delays.add(microseconds * 1_000);
        }
        assert_eq!(delays.quantile_ms(0.5), Some(0.05));
        assert_eq!(delays.quantile_ms(0.99), Some(0.099));
        delays.add(u64::MAX);
        assert_eq!(delays.quantile_ms(1.0), Some(200.0));
    }
}
