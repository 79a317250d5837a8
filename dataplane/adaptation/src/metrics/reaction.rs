//! How long things take: to begin, to settle after a change, to come back.

use std::collections::BTreeMap;

use loupe_core::units::Time;

use super::View;
use super::link::drain;
use super::statistics::mean;
use super::view::Forwarded;
use crate::ladder::Step;
use crate::record::Purpose;

/// Settled is what stays settled for so long, microseconds.
const STAYS_US: u64 = 2_000_000;
/// Within this part of the best rate it is settled.
const WITHIN: f64 = 0.15;
const SLOT_US: u64 = 50_000;
/// What was forwarded longer ago says nothing of now, seconds.
const RECENT: f64 = 0.2;
/// Older is not fresh, seconds.
const FRESH: f64 = 0.4;
/// Part of the former layer at which sending has been taken up again, when it stays so long; microseconds.
const RESUMED: f64 = 0.8;
const KEPT_US: u64 = 1_000_000;

/// From joining to the first picture and sound, and to the right layer.
pub(super) fn at_join(view: &View<'_>, figures: &mut BTreeMap<String, f64>) {
    let joined = view.joined.at;
    let since = |at: Time| at.since(joined).as_secs_f64();
    // Of several lines the last counts, and one of which nothing came has no time.
    let last = |times: Option<Vec<Time>>| times?.into_iter().map(since).reduce(f64::max);
    let first = last(view.pictures().map(|it| it.first_decoded).collect());
    let heard = last(view.sounds().map(|it| it.first_arrival).collect());
    let settled = convergence(view, joined);
    for (name, value) in [("first_frame_s", first), ("first_sound_s", heard), ("convergence_s@join", settled)]
    {
        figures.extend(value.map(|value| (name.to_owned(), value)));
    }
}

/// After one or several moments; of several the longest time counts, and none when one of them has none.
pub(super) fn after(view: &View<'_>, moments: &[Time], name: &str, figures: &mut BTreeMap<String, f64>) {
    type Measure = fn(&View<'_>, Time) -> Option<f64>;
    let measures: [(&str, Measure); 8] = [
        ("drain_s", drain),
        ("convergence_s", convergence),
        ("recovery_s", recovery),
        ("resumed_s", resumed),
        ("stops_s", |view, moment| Some(stops(view, moment, |it| it != Purpose::Control))),
        ("pictures_stop_s", |view, moment| Some(stops(view, moment, is_picture))),
        ("fresh_frame_s", fresh_frame),
        ("fresh_sound_s", fresh_sound),
    ];
    for (metric, measure) in measures {
        let times: Option<Vec<f64>> = moments.iter().map(|moment| measure(view, *moment)).collect();
        let worst = times.and_then(|times| times.into_iter().reduce(f64::max));
        figures.extend(worst.map(|value| (format!("{metric}@{name}"), value)));
    }
}

/// To the first picture that is shown while it is fresh.
fn fresh_frame(view: &View<'_>, moment: Time) -> Option<f64> {
    let shown = view.pictures().filter_map(|pictures| {
        let from = pictures.shown.partition_point(|it| it.at < moment);
        pictures.shown[from..].iter().find(|it| is_fresh(it.at, Time(it.truth.capture_us)))
    });
    shown.map(|it| it.at.since(moment).as_secs_f64()).reduce(f64::min)
}

/// To the first sound that is played while it is fresh.
fn fresh_sound(view: &View<'_>, moment: Time) -> Option<f64> {
    let played = view.sounds().filter_map(|sound| {
        let from = sound.turns.partition_point(|turn| turn.at < moment);
        sound.turns[from..].iter().find(|turn| !turn.concealed && is_fresh(turn.at, turn.capture))
    });
    played.map(|turn| turn.at.since(moment).as_secs_f64()).reduce(f64::min)
}

/// Whether a packet serves pictures, or nothing.
fn is_picture(purpose: Purpose) -> bool {
    !matches!(purpose, Purpose::Control | Purpose::Sound)
}

fn is_fresh(at: Time, capture: Time) -> bool {
    at.since(capture).as_secs_f64() < FRESH
}

/// When the link was last dead before a moment: from when to when. Both are the moment when it was not.
fn outage(view: &View<'_>, moment: Time) -> (Time, Time) {
    let before = view.log.samples.partition_point(|sample| sample.t <= moment.0);
    let dead =
        view.log.samples[..before].iter().rev().take_while(|sample| sample.capacity_bits == Some(0)).count();
    (Time(moment.0 - dead as u64 * loupe_netem::SAMPLE_US), moment)
}

/// To forwarding a layer of four fifths or more of what was forwarded before the outage that ends at the moment, and to
/// keeping that for a second.
fn resumed(view: &View<'_>, moment: Time) -> Option<f64> {
    let (cut, _) = outage(view, moment);
    let rate = |at: u64| step_at(view, Time(at)).map_or(0.0, |step| step.media_bps);
    let slots = |from: u64, to: u64| (from..to).step_by(SLOT_US as usize);
    let before: Vec<f64> = slots(cut.0.saturating_sub(KEPT_US), cut.0).map(rate).collect();
    let enough = RESUMED * mean(&before).filter(|rate| *rate > 0.0)?;
    let until = view.end().0.min(moment.0 + 20 * KEPT_US);
    let mut begins = slots(moment.0, until);
    let since = begins.find(|at| slots(*at, *at + KEPT_US).all(|at| rate(at) >= enough))?;
    Some((since - moment.0) as f64 / 1e6)
}

/// To the last packet that is sent into a link that is dead from the moment on, of what `counts`.
fn stops(view: &View<'_>, moment: Time, counts: fn(Purpose) -> bool) -> f64 {
    let after = view.log.samples.partition_point(|sample| sample.t <= moment.0);
    let dead = view.log.samples[after..].iter().take_while(|sample| sample.capacity_bits == Some(0)).count();
    let until = Time(moment.0 + dead as u64 * loupe_netem::SAMPLE_US);
    let sent = &view.observer.sent;
    let (from, to) = (sent.partition_point(|it| it.at < moment), sent.partition_point(|it| it.at < until));
    let last = sent[from..to].iter().rev().find(|it| counts(it.purpose));
    last.map_or(0.0, |it| it.at.since(moment).as_secs_f64())
}

/// The first moment after a change from which on the forwarded step is within 15 % of the oracle's for two seconds.
fn convergence(view: &View<'_>, moment: Time) -> Option<f64> {
    if view.ladder.is_empty() {
        return None;
    }
    let end = view.end();
    let mut settled_since = None;
    let mut t = moment.0;
    while t < end.0 {
        let since = *settled_since.get_or_insert(t);
        if !is_settled(view, Time(t)) {
            settled_since = None;
        } else if t >= since + STAYS_US {
            return Some((since - moment.0) as f64 / 1e6);
        }
        t += SLOT_US;
    }
    None
}

fn is_settled(view: &View<'_>, at: Time) -> bool {
    // Where nothing fits the lowest step is the best there is.
    let best = view.oracle_at(at).or(view.ladder.first().copied());
    let Some((forwarded, best)) = step_at(view, at).zip(best) else { return false };
    (forwarded.media_bps / best.media_bps - 1.0).abs() <= WITHIN
}

/// The step that is forwarded at a moment.
fn step_at(view: &View<'_>, at: Time) -> Option<Step> {
    let until = view.forwarded.partition_point(|it| it.at <= at);
    let recent = |it: &&Forwarded| at.since(it.at).as_secs_f64() < RECENT;
    let mut layers = view.forwarded[..until].iter().rev().take_while(recent);
    let newest = layers.next()?;
    let temporal = newest.temporal.max(layers.next().map_or(0, |it| it.temporal));
    view.step(newest.layer, temporal)
}

/// From the moment to the first picture of the top layer that is decoded.
fn recovery(view: &View<'_>, moment: Time) -> Option<f64> {
    let top = view.top_layer()?;
    let shown = view.pictures().flat_map(|it| &it.shown);
    let decoded = shown.filter(|it| it.decodable >= moment && it.truth.layer == top).map(|it| it.decodable);
    decoded.min().map(|at| at.since(moment).as_secs_f64())
}
