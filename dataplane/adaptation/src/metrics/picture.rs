//! What the pictures looked like: freezes, frame rate, delay.

use loupe_core::units::Time;

use super::statistics::{mean, percentile};
use super::{View, Window};
use crate::subscriber::picture::Shown;

/// Frames whose durations are averaged, and with fewer of which nothing is said (libwebrtc's
/// `video_quality_observer`).
const AVERAGED: usize = 30;
const LEAST: usize = 5;
/// A frame that stands longer than the average by this much, and three times as long, is a freeze; seconds.
const FREEZE_BEYOND: f64 = 0.150;
/// Nothing new for longer is a pause, not a freeze; seconds.
const PAUSE: f64 = 5.0;

/// A picture that stood too long.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Freeze {
    /// When it was shown.
    pub from: Time,
    /// How long it stood, seconds.
    pub length: f64,
}

/// How long each shown picture stood, seconds, the last up to `until`. Pictures shown at one moment are one.
fn durations(shown: &[Shown], until: Time) -> Vec<(Time, f64)> {
    let mut moments: Vec<Time> = shown.iter().map(|it| it.at).collect();
    moments.dedup();
    let ends = moments.iter().skip(1).copied().chain([until]);
    moments.iter().zip(ends).map(|(from, to)| (*from, to.since(*from).as_secs_f64())).collect()
}

/// Freezes of a line by the definition of W3C's webrtc-stats, with libwebrtc's constants.
pub fn freezes(shown: &[Shown], until: Time) -> Vec<Freeze> {
    let durations = durations(shown, until);
    let mut freezes = Vec::new();
    for (n, (from, length)) in durations.iter().enumerate() {
        let before = &durations[n.saturating_sub(AVERAGED)..n];
        if before.len() < LEAST {
            continue;
        }
        let average = before.iter().map(|(_, length)| length).sum::<f64>() / before.len() as f64;
        if *length >= (3.0 * average).max(average + FREEZE_BEYOND) {
            freezes.push(Freeze { from: *from, length: *length });
        }
    }
    freezes
}

/// Figures over a window, of all lines with pictures.
pub(super) fn figures(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    let end = Time((view.run.scenario.duration_s * 1e6) as u64);
    let (mut frozen, mut count, mut longest, mut pauses) = (0.0, 0, 0.0_f64, 0);
    let (mut delays, mut squares, mut standing, mut frames) = (Vec::new(), 0.0, Vec::new(), 0);
    let mut lines = 0;
    for pictures in view.pictures() {
        lines += 1;
        let announced = |from: Time, length: f64| held(view, from, length);
        for freeze in freezes(&pictures.shown, end) {
            if !window.holds(freeze.from) || announced(freeze.from, freeze.length) {
                continue;
            }
            if freeze.length > PAUSE {
                pauses += 1;
            } else {
                frozen += freeze.length;
                count += 1;
                longest = longest.max(freeze.length);
            }
        }
        for (from, length) in durations(&pictures.shown, end) {
            if window.holds(from) {
                frames += 1;
                squares += length * length;
                standing.push(length);
            }
        }
        let shown = pictures.shown.iter().filter(|it| window.holds(it.at));
        delays.extend(shown.map(|it| it.at.since(Time(it.truth.capture_us)).as_secs_f64() * 1e3));
    }
    if lines == 0 {
        return;
    }
    let length = window.length() * f64::from(lines);
    put("freeze_percent", Some(100.0 * frozen / length));
    put("freezes", Some(f64::from(count)));
    put("freezes_per_minute", Some(f64::from(count) * 60.0 / length));
    put("freeze_longest_s", Some(longest));
    put("pauses", Some(f64::from(pauses)));
    put("held_percent", Some(100.0 * held_for(&view.observer.holds, window) / window.length()));
    put("shown_fps", Some(f64::from(frames) / length));
    let sum: f64 = standing.iter().sum();
    put("harmonic_fps", (squares > 0.0).then(|| sum / squares));
    let average = mean(&standing);
    put("interframe_variance", average.map(|mean| squares / standing.len() as f64 - mean * mean));
    for percent in [50.0, 95.0, 99.0] {
        put(&format!("frame_delay_p{percent}_ms"), percentile(&delays, percent));
    }
    let corrupted: u64 = view.pictures().map(|it| it.corrupted).sum();
    put("corrupted_pictures", Some(corrupted as f64));
}

/// Whether the control plane held pictures back during some of that time: paused them, or sent stills.
fn held(view: &View<'_>, from: Time, length: f64) -> bool {
    let to = Time(from.0 + (length * 1e6) as u64);
    let before = view.observer.holds.iter().rev().find(|(at, _)| *at <= from).is_some_and(|(_, held)| *held);
    before || view.observer.holds.iter().any(|(at, held)| *held && *at > from && *at < to)
}

/// For how long of `window` the control plane held pictures back, seconds; `holds`: when that began and ended.
fn held_for(holds: &[(Time, bool)], window: Window) -> f64 {
    let ends = holds.iter().skip(1).map(|(at, _)| *at).chain([window.to]);
    let within = |at: Time| at.clamp(window.from, window.to);
    let held = holds.iter().zip(ends).filter(|((_, held), _)| *held);
    held.map(|((from, _), to)| within(to).since(within(*from)).as_secs_f64()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::Truth;

    fn shown(moments: &[u64]) -> Vec<Shown> {
        let truth =
            Truth { capture_us: 0, frame: 0, layer: 0, temporal: 0, keyframe: false, index: 0, count: 1 };
        moments.iter().map(|ms| Shown { at: Time::from_millis(*ms), decodable: Time::ZERO, truth }).collect()
    }

    #[test]
    fn a_freeze_is_three_times_and_150_ms_beyond_the_average() {
        let mut moments: Vec<u64> = (0..30).map(|n| n * 40).collect();
        // 189 ms is not yet, 190 ms is.
        for (gap, expected) in [(189, 0), (190, 1)] {
            moments.truncate(30);
            moments.push(29 * 40 + gap);
            let found = freezes(&shown(&moments), Time::from_millis(29 * 40 + gap + 40));
            assert_eq!(found.len(), expected, "{found:?}");
        }
    }

    #[test]
    fn what_is_held_back_is_counted_within_the_window() {
        let at = Time::from_millis;
        let holds = [(at(500), true), (at(2_000), false), (at(3_500), true)];
        let window = Window { from: at(1_000), to: at(4_000) };
        assert!((held_for(&holds, window) - 1.5).abs() < 1e-9);
        assert!(held_for(&[], window).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_said_of_the_first_five_and_the_last_counts_to_the_end() {
        assert!(freezes(&shown(&[0, 40, 80, 900]), Time::from_millis(940)).is_empty());
        let moments: Vec<u64> = (0..10).map(|n| n * 40).collect();
        let found = freezes(&shown(&moments), Time::from_millis(2_360));
        assert_eq!(found, [Freeze { from: Time::from_millis(360), length: 2.0 }]);
    }
}
