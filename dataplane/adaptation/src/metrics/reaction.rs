//! How long things take: to begin, to settle after a change, to come back.

use std::collections::BTreeMap;

use loupe_core::units::Time;

use super::View;
use super::link::drain;
use crate::subscriber::sound::Turn;

/// Settled is what stays settled for so long, microseconds.
const STAYS_US: u64 = 2_000_000;
/// Within this part of the best rate it is settled.
const WITHIN: f64 = 0.15;
const SLOT_US: u64 = 50_000;
/// Older is not fresh, seconds.
const FRESH: f64 = 0.4;

/// From joining to the first picture and sound, and to the right layer.
pub(super) fn at_join(view: &View<'_>, figures: &mut BTreeMap<String, f64>) {
    let joined = view.joined.at;
    let since = |at: Time| at.since(joined).as_secs_f64();
    let first = view.pictures().filter_map(|it| it.first_decoded).map(since).reduce(f64::max);
    let heard = view.sounds().filter_map(|it| it.first_arrival).map(since).reduce(f64::max);
    let settled = convergence(view, joined);
    for (name, value) in [("first_frame_s", first), ("first_sound_s", heard), ("convergence_s@join", settled)]
    {
        figures.extend(value.map(|value| (name.to_owned(), value)));
    }
}

/// After a moment: queue, rate, top layer, freshness.
pub(super) fn after(view: &View<'_>, moment: Time, name: &str, figures: &mut BTreeMap<String, f64>) {
    let mut put = |metric: &str, value: Option<f64>| {
        figures.extend(value.map(|value| (format!("{metric}@{name}"), value)));
    };
    put("drain_s", drain(view, moment));
    put("convergence_s", convergence(view, moment));
    put("recovery_s", recovery(view, moment));
    let since = |at: Time| at.since(moment).as_secs_f64();
    let fresh = |at: Time, capture: Time| at >= moment && at.since(capture).as_secs_f64() < FRESH;
    let shown = view.pictures().flat_map(|it| &it.shown);
    let picture = shown.filter(|it| fresh(it.at, Time(it.truth.capture_us))).map(|it| since(it.at));
    put("fresh_frame_s", picture.reduce(f64::min));
    let turns = view.sounds().flat_map(|it| &it.turns);
    let heard = turns.filter(|turn: &&Turn| !turn.concealed && fresh(turn.at, turn.capture));
    put("fresh_sound_s", heard.map(|turn| since(turn.at)).reduce(f64::min));
}

/// The first moment after a change from which on the forwarded step stays within 15 % of the oracle's for two seconds.
fn convergence(view: &View<'_>, moment: Time) -> Option<f64> {
    if view.ladder.is_empty() {
        return None;
    }
    let end = view.joined.left.unwrap_or(Time((view.run.scenario.duration_s * 1e6) as u64));
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
    let recent = |it: &&super::view::Forwarded| it.at <= at && at.since(it.at).as_secs_f64() < 0.2;
    let mut layers = view.forwarded.iter().rev().skip_while(|it| it.at > at).take_while(|it| recent(it));
    let Some(newest) = layers.next() else { return false };
    let temporal = newest.temporal.max(layers.next().map_or(0, |it| it.temporal));
    let forwarded = view.step(newest.layer, temporal).map(|step| step.media_bps);
    // Where nothing fits the lowest step is the best there is.
    let best = view.oracle_at(at).or(view.ladder.first().copied()).map(|step| step.media_bps);
    forwarded.zip(best).is_some_and(|(forwarded, best)| (forwarded / best - 1.0).abs() <= WITHIN)
}

/// From the moment to the first picture of the top layer that is decoded.
fn recovery(view: &View<'_>, moment: Time) -> Option<f64> {
    let top = view.top_layer()?;
    let shown = view.pictures().flat_map(|it| &it.shown);
    let decoded = shown.filter(|it| it.decodable >= moment && it.truth.layer == top).map(|it| it.decodable);
    decoded.min().map(|at| at.since(moment).as_secs_f64())
}
