//! What the sound was like: concealment and delay.

use std::collections::HashMap;

use super::link::percent;
use super::statistics::{mean, percentile};
use super::{View, Window};
use crate::subscriber::Decoded;

/// Sound of one packet, seconds.
const PACKET: f64 = 0.02;

/// Figures over a window, of all lines with sound.
pub(super) fn figures(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    let (mut concealed, mut all, mut events, mut longest) = (0_u32, 0_u32, 0_u32, 0_u32);
    let mut delays = Vec::new();
    for sound in view.sounds() {
        let mut run = 0;
        for turn in sound.turns.iter().filter(|turn| window.holds(turn.at)) {
            all += 1;
            if turn.concealed {
                concealed += 1;
                events += u32::from(run == 0);
                run += 1;
                longest = longest.max(run);
            } else {
                run = 0;
                delays.push(turn.at.since(turn.capture).as_secs_f64() * 1e3);
            }
        }
    }
    put("concealment_percent", percent(f64::from(concealed), f64::from(all)));
    causes(view, window, all, put);
    if all > 0 {
        put("concealed_longest_s", Some(f64::from(longest) * PACKET));
        put("concealments_per_minute", Some(f64::from(events) * 60.0 / window.length()));
    }
    if let Some(delay) = mean(&delays).filter(|_| all > 0) {
        let share = f64::from(concealed) / f64::from(all);
        let burst = f64::from(concealed) / f64::from(events.max(1));
        let rating = rating(delay, share, burst);
        put("audio_rating", Some(rating));
        put("audio_mos", Some(opinion(rating)));
    }
    for percent in [50.0, 95.0, 99.0] {
        put(&format!("audio_delay_p{percent}_ms"), percentile(&delays, percent));
    }
}

/// Why sound was concealed, in percent of all: it was not sent, all that brought it was lost on the link, or it came late.
/// What only left as redundancy of later packets counts as lost.
fn causes(view: &View<'_>, window: Window, all: u32, put: &mut dyn FnMut(&str, Option<f64>)) {
    // By line and time of capture, whether anything of it passed the link.
    let mut passed: HashMap<(usize, u64), bool> = HashMap::new();
    for (sent, record) in view.observer.sent.iter().zip(&view.records) {
        if let Some(truth) = sent.truth {
            *passed.entry((sent.line, truth.capture_us)).or_default() |= record.dropped.is_none();
        }
    }
    let (mut unsent, mut lost, mut late) = (0_u32, 0_u32, 0_u32);
    for (number, line) in view.lines().iter().enumerate() {
        let Decoded::Sound(sound) = &line.decoded else { continue };
        for turn in sound.turns.iter().filter(|turn| turn.concealed && window.holds(turn.at)) {
            match passed.get(&(number, turn.capture.0)) {
                None => unsent += 1,
                Some(false) => lost += 1,
                Some(true) => late += 1,
            }
        }
    }
    for (cause, count) in [("unsent", unsent), ("lost", lost), ("late", late)] {
        put(&format!("concealed_{cause}_percent"), percent(f64::from(count), f64::from(all)));
    }
}

/// Ie and Bpl of Opus at 24 kbit/s without in-band repair: there are no agreed values in the narrow-band model; these
/// are what others take.
const IMPAIRMENT: f64 = 0.0;
const ROBUSTNESS: f64 = 10.0;
/// The rating without any impairment (ITU-T G.107, its standard values).
const UNIMPAIRED: f64 = 93.2;
/// Delay from mouth to ear beyond which it disturbs by itself, milliseconds.
const DISTURBING_MS: f64 = 177.3;

/// The transmission rating R of ITU-T G.107, from the mean delay in milliseconds, the share that is concealed, and the
/// mean length of what is concealed at a stretch, in packets.
fn rating(delay_ms: f64, share: f64, burst: f64) -> f64 {
    // Random loss of the same share has bursts of 1 / (1 - share).
    let burst_ratio = (burst * (1.0 - share)).max(1.0);
    let loss = 100.0 * share;
    let impaired = IMPAIRMENT + (95.0 - IMPAIRMENT) * loss / (loss / burst_ratio + ROBUSTNESS);
    let delayed = 0.024 * delay_ms + 0.11 * (delay_ms - DISTURBING_MS).max(0.0);
    UNIMPAIRED - delayed - impaired
}

/// The mean opinion that goes with a rating (ITU-T G.107 annex B), 1 to 4.5.
fn opinion(rating: f64) -> f64 {
    let rating = rating.clamp(0.0, 100.0);
    let opinion = 1.0 + 0.035 * rating + 7e-6 * rating * (rating - 60.0) * (100.0 - rating);
    opinion.clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_follow_g107() {
        assert!((rating(0.0, 0.0, 1.0) - 93.2).abs() < 1e-9);
        // G.107 annex B: R of 93.2 is a mean opinion of 4.41, 50 is 2.58.
        assert!((opinion(93.2) - 4.41).abs() < 0.005 && (opinion(50.0) - 2.58).abs() < 0.005);
        assert!((opinion(-20.0) - 1.0).abs() < 1e-9 && opinion(150.0) <= 4.5);
        // 1 % at random, Bpl 10: 95 / 11; 200 ms cost 4.8 and 22.7 times 0.11.
        assert!((rating(200.0, 0.01, 1.0 / 0.99) - (93.2 - 95.0 / 11.0 - 4.8 - 2.497)).abs() < 0.01);
        assert!(rating(0.0, 0.05, 5.0) < rating(0.0, 0.05, 1.0), "bursts are worse");
    }
}
