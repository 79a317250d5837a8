//! The steps that a subscriber's pictures can take, what each needs on the wire, and what each is worth.

use crate::publisher::camera::FRAMES_PER_SECOND;
use crate::publisher::encoder::temporal_share;
use crate::publisher::payload::MAX_PAYLOAD;

/// Bytes around a payload on the wire: IPv4 and UDP (28), RTP with its extensions (28), the SRTP tag (16).
const AROUND: f64 = 72.0;
/// Packets of sound a second.
const SOUND_PACKETS: f64 = 50.0;

/// One step: a layer, with its temporal layers up to one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// Simulcast or spatial layer.
    pub layer: u8,
    /// Highest temporal layer.
    pub temporal: u8,
    /// Media, bits per second.
    pub media_bps: f64,
    /// Media and sound with everything around them, bits per second.
    pub wire_bps: f64,
}

impl Step {
    /// What it is worth: log2(1 + kbit/s / 50).
    pub fn quality(&self) -> f64 {
        (1.0 + self.media_bps / 50_000.0).log2()
    }
}

/// The steps of a camera's layers, lowest first, with a microphone beside it.
pub fn steps(ladder_bps: &[u64], audio_bps: u64) -> Vec<Step> {
    let sound = if audio_bps > 0 { audio_bps as f64 + SOUND_PACKETS * AROUND * 8.0 } else { 0.0 };
    let mut steps = Vec::new();
    for (layer, bps) in ladder_bps.iter().enumerate() {
        for temporal in 0..2 {
            let media_bps = *bps as f64 * temporal_share(temporal);
            let frames = FRAMES_PER_SECOND * if temporal == 0 { 0.5 } else { 1.0 };
            let packets = (media_bps / 8.0 / frames / MAX_PAYLOAD as f64).ceil() * frames;
            let wire_bps = media_bps + packets * AROUND * 8.0 + sound;
            steps.push(Step { layer: layer as u8, temporal, media_bps, wire_bps });
        }
    }
    steps
}

/// Between two decisions of the oracle, microseconds.
pub const DECISION_US: u64 = 50_000;
/// Over how long it measures the capacity, microseconds.
const WINDOW_US: u64 = 100_000;
/// It takes so much less, a second, of what waits, that a queue is gone in an eighth of a second.
const DRAIN_A_SECOND: f64 = 8.0;

/// What a sender would choose that knows the true capacity one round trip late and nothing else: every
/// [`DECISION_US`] the highest step that fits into what could be carried in the last 100 ms that it knows of, less what
/// drains its queue. `None` where not even the lowest fits, which a sender sends all the same.
///
/// `capacity_bits` are what can be carried in each [`loupe_netem::SAMPLE_US`]; `None` is without bound.
pub fn oracle(steps: &[Step], capacity_bits: &[Option<f64>], round_trip_us: u64) -> Vec<Option<Step>> {
    let slot = loupe_netem::SAMPLE_US;
    let late = (round_trip_us / slot) as usize;
    let window = (WINDOW_US / slot) as usize;
    let each = (DECISION_US / slot) as usize;
    let (mut queue_bits, mut sent_bps) = (0.0_f64, 0.0_f64);
    let mut chosen = Vec::new();
    for (n, capacity) in capacity_bits.iter().enumerate() {
        if n % each == 0 {
            // Before anything is known of it, the link is as it begins.
            let to = n.saturating_sub(late).max(window.min(capacity_bits.len()));
            let known = &capacity_bits[to.saturating_sub(window)..to];
            let sum = known.iter().try_fold(0.0, |sum, bits| bits.map(|bits| sum + bits));
            let rate = sum.map_or(f64::INFINITY, |sum| sum * 1e6 / (known.len().max(1) as f64 * slot as f64));
            let fit = rate - queue_bits * DRAIN_A_SECOND;
            let step = steps.iter().rev().find(|step| step.wire_bps <= fit).copied();
            sent_bps = step.or(steps.first().copied()).map_or(0.0, |step| step.wire_bps);
            chosen.push(step);
        }
        let carried = capacity.unwrap_or(f64::INFINITY);
        queue_bits = (queue_bits + sent_bps * slot as f64 / 1e6 - carried).max(0.0);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder() -> Vec<Step> {
        steps(&[150_000, 500_000, 1_700_000], 24_000)
    }

    fn constant(bps: f64, slots: usize) -> Vec<Option<f64>> {
        vec![Some(bps / 100.0); slots]
    }

    #[test]
    fn steps_rise_and_are_worth_more() {
        let steps = ladder();
        assert_eq!(steps.len(), 6);
        assert!(steps.windows(2).all(|pair| pair[0].wire_bps < pair[1].wire_bps));
        assert!(steps.windows(2).all(|pair| pair[0].quality() < pair[1].quality()));
        // 150 + 25 packets of 72 bytes, and sound of 24 + 50 packets of 72.
        assert!((steps[1].wire_bps - (150_000.0 + 14_400.0 + 24_000.0 + 28_800.0)).abs() < 1.0);
    }

    #[test]
    fn the_oracle_takes_what_fits() {
        let at =
            |bps| oracle(&ladder(), &constant(bps, 100), 100_000)[5].map(|step| (step.layer, step.temporal));
        assert_eq!(at(300_000.0), Some((0, 1)));
        assert_eq!(at(1_000_000.0), Some((1, 1)));
        assert_eq!(at(5_000_000.0), Some((2, 1)));
        // It keeps nothing free: what the highest step takes is enough for it.
        let top = ladder()[5].wire_bps;
        assert_eq!((at(top + 100.0), at(top - 100.0)), (Some((2, 1)), Some((2, 0))));
        assert_eq!(at(100_000.0), None);
        assert_eq!(oracle(&ladder(), &[None; 10], 0)[1].map(|step| step.layer), Some(2));
    }

    #[test]
    fn the_oracle_is_late_by_a_round_trip_and_drains_its_queue() {
        let mut capacity = constant(2_500_000.0, 100);
        capacity.extend(constant(250_000.0, 200));
        let chosen = oracle(&ladder(), &capacity, 100_000);
        let layers: Vec<Option<u8>> = chosen.iter().map(|step| step.map(|step| step.layer)).collect();
        // The fall is after 20 decisions; it is known 100 ms later, and half of the window fell by then.
        assert_eq!(layers[21], Some(2));
        assert!(layers[24].is_none(), "{layers:?}");
        assert_eq!(layers.last(), Some(&Some(0)));
    }
}
