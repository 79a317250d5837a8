//! How large the next frame of an encoding is: RFC 8593's statistical model, with two temporal layers.

use loupe_netem::random::Random;

/// Scale of the Laplacian by which sizes and intervals deviate (RFC 8593 section 5).
pub const DEVIATION: f64 = 0.15;
/// Deviations are clipped here: nothing is smaller than half, or larger than one and a half, of its mean.
const MAX_DEVIATION: f64 = 0.5;
/// Frames of a transient, the key frame counted (RFC 8593 section 5).
const TRANSIENT_FRAMES: u32 = 8;
/// A key frame's size in mean frames: RFC 8593's 13.5 kB at 1 Mbit/s and 30 frames a second.
const KEY_FACTOR: f64 = 13_500.0 * 8.0 * 30.0 / 1e6;
/// The other frames of a transient make up for the key frame, so that a second's rate is the target.
const AFTER_KEY_FACTOR: f64 = (TRANSIENT_FRAMES as f64 - KEY_FACTOR) / (TRANSIENT_FRAMES as f64 - 1.0);
/// Part of the bits that each of two temporal layers takes, relative to its half of the frames.
const TEMPORAL_FACTORS: [f64; 2] = [1.2, 0.8];

/// Part of an encoding's rate that its temporal layers up to `temporal` take.
pub fn temporal_share(temporal: u8) -> f64 {
    if temporal == 0 { TEMPORAL_FACTORS[0] / 2.0 } else { 1.0 }
}

/// A zero-mean Laplacian number of [`DEVIATION`], clipped.
pub fn deviation(random: &mut Random) -> f64 {
    let drawn = DEVIATION * (random.exponential() - random.exponential());
    drawn.clamp(-MAX_DEVIATION, MAX_DEVIATION)
}

/// One frame to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Payload bytes in all.
    pub bytes: usize,
    /// Whether it refers to nothing.
    pub keyframe: bool,
    /// Its temporal layer: 0, or 1 for one that nothing refers to.
    pub temporal: u8,
}

/// The rate control of one encoding.
#[derive(Debug)]
pub struct Encoder {
    target_bps: u64,
    frames_per_second: f64,
    random: Random,
    /// Frames since the last key frame, that one counted; none was yet: 0.
    since_key: u32,
    keyframe_wanted: bool,
}

impl Encoder {
    /// An encoder whose first frame will be a key frame.
    pub fn new(target_bps: u64, frames_per_second: f64, random: Random) -> Encoder {
        Encoder { target_bps, frames_per_second, random, since_key: 0, keyframe_wanted: true }
    }

    /// The next frame will be a key frame.
    pub fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// Whether the next frame will be a key frame.
    pub fn is_keyframe_wanted(&self) -> bool {
        self.keyframe_wanted
    }

    /// A new rate, 0 for none; one that begins again does so with a key frame.
    pub fn set_target(&mut self, bps: u64) {
        self.keyframe_wanted |= self.target_bps == 0 && bps > 0;
        self.target_bps = bps;
    }

    /// Whether it makes frames.
    pub fn is_active(&self) -> bool {
        self.target_bps > 0
    }

    /// The next frame.
    pub fn next_frame(&mut self) -> Frame {
        let keyframe = std::mem::take(&mut self.keyframe_wanted);
        self.since_key = if keyframe { 1 } else { self.since_key.saturating_add(1) };
        let temporal = ((self.since_key + 1) % 2) as u8;
        let factor = match self.since_key {
            1 => KEY_FACTOR,
            n => {
                let transient = if n <= TRANSIENT_FRAMES { AFTER_KEY_FACTOR } else { 1.0 };
                transient * TEMPORAL_FACTORS[usize::from(temporal)]
            }
        };
        let mean = self.target_bps as f64 / 8.0 / self.frames_per_second;
        let bytes = mean * factor * (1.0 + deviation(&mut self.random));
        Frame { bytes: bytes as usize, keyframe, temporal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoder(bps: u64) -> Encoder {
        Encoder::new(bps, 25.0, Random::new(9))
    }

    #[test]
    fn the_rate_is_the_target_whatever_key_frames_are_asked_for() {
        for every in [u32::MAX, 25, 100] {
            let mut encoder = encoder(1_700_000);
            let mut bytes = 0;
            for n in 0..2_500 {
                if n % every == every - 1 {
                    encoder.want_keyframe();
                }
                bytes += encoder.next_frame().bytes;
            }
            let bps = bytes as f64 * 8.0 / 100.0;
            assert!((bps / 1_700_000.0 - 1.0).abs() < 0.03, "{bps} with a key frame every {every}");
        }
    }

    #[test]
    fn temporal_layers_alternate_and_take_their_shares() {
        let mut encoder = encoder(500_000);
        let frames: Vec<Frame> = (0..5_000).map(|_| encoder.next_frame()).collect();
        assert!(frames[0].keyframe && frames[0].temporal == 0 && !frames[1].keyframe);
        assert!(frames.windows(2).all(|pair| pair[0].temporal != pair[1].temporal));
        let of = |temporal| {
            frames.iter().filter(|f| f.temporal == temporal).map(|f| f.bytes).sum::<usize>() as f64
        };
        let share = of(0) / (of(0) + of(1));
        assert!((share - temporal_share(0)).abs() < 0.01, "{share}");
    }

    #[test]
    fn a_key_frame_comes_at_once_and_is_large() {
        let mut encoder = encoder(1_000_000);
        let mut keys = Vec::new();
        for _ in 0..200 {
            encoder.next_frame();
            encoder.want_keyframe();
            let frame = encoder.next_frame();
            assert!(frame.keyframe);
            keys.push(frame.bytes as f64);
        }
        let mean = keys.iter().sum::<f64>() / 200.0;
        // 5,000 bytes of a mean frame, times 3.24.
        assert!((15_500.0..17_000.0).contains(&mean), "{mean}");
    }

    #[test]
    fn an_encoder_that_begins_again_does_so_with_a_key_frame() {
        let mut encoder = encoder(150_000);
        encoder.next_frame();
        encoder.set_target(0);
        assert!(!encoder.is_active());
        encoder.set_target(150_000);
        assert!(encoder.next_frame().keyframe);
    }
}
