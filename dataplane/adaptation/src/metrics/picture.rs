//! What the pictures looked like: freezes, frame rate, delay.

use loupe_core::units::Time;

use super::frozen::{ByCause, Cause, Causes};
use super::link::percent;
use super::statistics::{mean, percentile};
use super::{View, Window};
use crate::record::Held;
use crate::subscriber::picture::Shown;

/// Frames whose durations are averaged, and with fewer of which nothing is said (libwebrtc's
/// `video_quality_observer`).
const AVERAGED: usize = 30;
const LEAST: usize = 5;
/// A frame that stands longer than the average by this much, and three times as long, is a freeze; seconds.
const FREEZE_BEYOND: f64 = 0.150;
/// Nothing new for longer is a pause, not a freeze; seconds.
const PAUSE: f64 = 5.0;
/// A viewer is told nothing of its link for so long after it joined (`mediaserver.layers.announcing`), microseconds.
const MEASURING_US: u64 = 3_000_000;

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

/// How a line with pictures stood still over a window.
#[derive(Clone, PartialEq, Debug, Default)]
struct Standstill {
    /// Frozen within the window, seconds.
    frozen: f64,
    /// Freezes that reach into it.
    freezes: u32,
    /// The longest of them, seconds.
    longest: f64,
    /// Pauses that nobody announced and that reach into it.
    pauses: u32,
    /// The window without announced pauses, seconds.
    counted: f64,
    /// When it was frozen, announced pauses within that counted.
    spans: Vec<Window>,
}

/// `announced`: when the line was paused and its viewer knew it; only that is no standstill. Before the first picture there is no
/// freeze, but there may be a pause; a line that has shown nothing when the window ends was frozen for all of it.
fn standstill(
    shown: &[Shown],
    (joined, end): (Time, Time),
    announced: &[Window],
    window: Window,
) -> Standstill {
    let excused = |of: &Window| announced.iter().map(|pause| pause.shared(of)).sum::<f64>();
    let mut found = Standstill { counted: window.length() - excused(&window), ..Standstill::default() };
    let first = shown.first().map_or(end, |it| it.at);
    let wait = Freeze { from: joined, length: first.since(joined).as_secs_f64() };
    let waits = std::iter::once(wait).filter(|wait| wait.length > PAUSE);
    for freeze in waits.chain(freezes(shown, end)) {
        let stood =
            Window { from: freeze.from, to: Time(freeze.from.0 + (freeze.length * 1e6).round() as u64) };
        let within = Window { from: stood.from.max(window.from), to: stood.to.min(window.to) };
        let inside = within.length() - excused(&within);
        let length = freeze.length - excused(&stood);
        // What an announced pause leaves of a standstill must be long enough to be one by itself.
        if inside <= 0.0 || length < FREEZE_BEYOND {
            continue;
        }
        if length > PAUSE {
            found.pauses += 1;
        } else if freeze.from != joined {
            found.frozen += inside;
            found.spans.push(within);
            found.freezes += 1;
            found.longest = found.longest.max(length);
        }
    }
    if first >= window.to {
        found.frozen = found.counted;
        found.spans = vec![window];
    }
    found
}

/// When a line was paused and its viewer knew it.
fn announced(view: &View<'_>, line: usize) -> Vec<Window> {
    let known = Time(view.joined.at.0 + MEASURING_US);
    let paused = view.observer.held(line, view.end(), |held| held == Held::Everything);
    paused.into_iter().map(|pause| pause.not_before(known)).collect()
}

/// Figures over a window, of all lines with pictures.
pub(super) fn figures(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    let mut all = Standstill::default();
    let (mut delays, mut standing, mut frames) = (Vec::new(), Vec::new(), 0);
    let (mut lines, mut held, mut causes) = (0, 0.0, ByCause::default());
    for (line, pictures) in view.numbered_pictures() {
        lines += 1;
        let excused = announced(view, line);
        let own = standstill(&pictures.shown, (view.joined.at, view.end()), &excused, window);
        let of_line = Causes::new(view, line);
        for span in &own.spans {
            let next = pictures.shown.partition_point(|shown| shown.at <= span.from);
            of_line.add(*span, &excused, pictures.shown.get(next), &mut causes);
        }
        all = Standstill {
            frozen: all.frozen + own.frozen,
            freezes: all.freezes + own.freezes,
            longest: all.longest.max(own.longest),
            pauses: all.pauses + own.pauses,
            counted: all.counted + own.counted,
            spans: Vec::new(),
        };
        for (from, length) in durations(&pictures.shown, view.end()) {
            frames += u32::from(window.holds(from));
            let stood = Window { from, to: Time(from.0 + (length * 1e6).round() as u64) };
            standing.extend(Some(stood.shared(&window)).filter(|within| *within > 0.0));
        }
        let shown = pictures.shown.iter().filter(|it| window.holds(it.at));
        delays.extend(shown.map(|it| it.at.since(Time(it.truth.capture_us)).as_secs_f64() * 1e3));
        let back = view.observer.held(line, view.end(), |held| held != Held::Nothing);
        held += back.iter().map(|span| span.shared(&window)).sum::<f64>();
    }
    if lines == 0 {
        return;
    }
    let length = window.length() * f64::from(lines);
    put("freeze_percent", percent(all.frozen, all.counted));
    for (name, frozen) in Cause::NAMES.into_iter().zip(causes) {
        put(&format!("frozen_{name}_percent"), percent(frozen, all.counted));
    }
    put("freezes", Some(f64::from(all.freezes)));
    put("freezes_per_minute", Some(f64::from(all.freezes) * 60.0 / length));
    put("freeze_longest_s", Some(all.longest));
    put("pauses", Some(f64::from(all.pauses)));
    put("held_percent", percent(held, length));
    put("shown_fps", Some(f64::from(frames) / length));
    let (sum, squares) = standing.iter().fold((0.0, 0.0), |(sum, squares), it| (sum + it, squares + it * it));
    put("harmonic_fps", (squares > 0.0).then(|| sum / squares));
    let average = mean(&standing);
    put("interframe_variance", average.map(|mean| squares / standing.len() as f64 - mean * mean));
    for percent in [50.0, 95.0, 99.0] {
        put(&format!("frame_delay_p{percent}_ms"), percentile(&delays, percent));
    }
    let corrupted: u64 = view.pictures().map(|it| it.corrupted).sum();
    put("corrupted_pictures", Some(corrupted as f64));
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

    /// Pictures every 40 ms up to a second, then from `again` on to four seconds after it.
    fn interrupted(again: u64) -> Vec<Shown> {
        let before = (0..=25).map(|n| n * 40);
        shown(&before.chain((0..100).map(|n| again + n * 40)).collect::<Vec<_>>())
    }

    fn over(shown: &[Shown], announced: &[(u64, u64)], (from, to): (u64, u64)) -> Standstill {
        let window = |from, to| Window { from: Time::from_millis(from), to: Time::from_millis(to) };
        let announced: Vec<Window> = announced.iter().map(|(from, to)| window(*from, *to)).collect();
        standstill(shown, (Time::ZERO, Time::from_millis(20_000)), &announced, window(from, to))
    }

    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    }

    #[test]
    fn of_a_freeze_only_what_was_announced_is_excused() {
        let shown = interrupted(4_000);
        let all = over(&shown, &[], (0, 5_000));
        assert_eq!((all.freezes, all.pauses), (1, 0));
        assert_near(all.frozen, 3.0);
        assert_near(all.counted, 5.0);
        let part = over(&shown, &[(3_000, 3_500)], (0, 5_000));
        assert_near(part.frozen, 2.5);
        assert_near(part.longest, 2.5);
        assert_near(part.counted, 4.5);
        let none = over(&shown, &[(900, 4_100)], (0, 5_000));
        assert_eq!((none.freezes, none.frozen), (0, 0.0));
    }

    #[test]
    fn a_freeze_that_reaches_into_a_window_counts_there() {
        let late = over(&interrupted(4_000), &[], (2_000, 5_000));
        assert_eq!(late.freezes, 1);
        assert_near(late.frozen, 2.0);
        assert_near(late.longest, 3.0);
    }

    #[test]
    fn what_stands_for_more_than_five_seconds_unannounced_is_a_pause() {
        let shown = interrupted(7_000);
        let all = over(&shown, &[], (0, 8_000));
        assert_eq!((all.freezes, all.pauses, all.frozen), (0, 1, 0.0));
        // Of six seconds three were announced: the rest is a freeze.
        let part = over(&shown, &[(2_000, 5_000)], (0, 8_000));
        assert_eq!((part.freezes, part.pauses), (1, 0));
        assert_near(part.frozen, 3.0);
        assert_near(part.counted, 5.0);
    }

    #[test]
    fn no_picture_at_all_is_frozen_for_all_of_the_window() {
        let none = over(&[], &[], (10_000, 20_000));
        assert_eq!((none.frozen, none.counted, none.pauses), (10.0, 10.0, 1));
        let late = over(&shown(&[9_000, 9_040, 9_080]), &[], (2_000, 8_000));
        assert_eq!((late.frozen, late.pauses), (6.0, 1));
        // A first picture after a second is no freeze.
        let soon = over(&shown(&(25..500).map(|n| n * 40).collect::<Vec<_>>()), &[], (0, 10_000));
        assert_eq!((soon.frozen, soon.pauses), (0.0, 0));
    }

    #[test]
    fn nothing_is_said_of_the_first_five_and_the_last_counts_to_the_end() {
        assert!(freezes(&shown(&[0, 40, 80, 900]), Time::from_millis(940)).is_empty());
        let moments: Vec<u64> = (0..10).map(|n| n * 40).collect();
        let found = freezes(&shown(&moments), Time::from_millis(2_360));
        assert_eq!(found, [Freeze { from: Time::from_millis(360), length: 2.0 }]);
    }
}
