//! What the plane sent: layers against the oracle's, repairs, and what no repair reached in time.

use std::collections::HashMap;
use std::time::Duration;

use loupe_core::units::Time;

use super::link::percent;
use super::statistics::mean;
use super::view::Forwarded;
use super::{View, Window};
use crate::record::{Purpose, Sent};
use crate::subscriber::numbers::GIVE_UP;

/// Between two frames of one temporal layer, with some room: what is forwarded holds so long at most.
const HOLDS_US: u64 = 200_000;

/// Figures over a window.
pub(super) fn figures(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    overhead(view, window, put);
    put("residual_loss_percent", residual_loss(view, window));
    layers(view, window, put);
    if !view.ladder.is_empty() {
        let worth = worth(view, window);
        put("layer_worth", Some(worth / window.length()));
        put("ladder_efficiency", ladder_efficiency(view, window, worth));
    }
    put("oracle_utilisation", oracle_utilisation(view, window));
    let estimates: Vec<f64> = estimate_samples(view, window);
    put("estimate_mean_kbps", mean(&estimates));
    put("estimate_min_kbps", estimates.iter().copied().reduce(f64::min));
    let keyframes = view.forwarded.iter().filter(|it| it.keyframe && window.holds(it.at)).count();
    put("keyframes_per_minute", Some(keyframes as f64 * 60.0 / window.length()));
    let plis = view.lines().iter().flat_map(|line| &line.plis).filter(|at| window.holds(**at)).count();
    put("plis_per_minute", Some(plis as f64 * 60.0 / window.length()));
    let oldest =
        view.sent(window).filter_map(|it| Some(it.at.since(Time(it.truth?.capture_us)).as_secs_f64()));
    put("oldest_sent_ms", oldest.reduce(f64::max).map(|seconds| seconds * 1e3));
}

/// Figures that only a whole run has: packets that are missing from the subscriber's lines at the end, requests for
/// each packet that the link lost, and what it said itself.
pub(super) fn of_the_run(view: &View<'_>, put: &mut dyn FnMut(&str, Option<f64>)) {
    let (mut expected, mut received, mut asked) = (0, 0, 0);
    for line in view.lines() {
        let (of_line, came) = line.packets();
        (expected, received, asked) = (expected + of_line, received + came, asked + line.nacks());
    }
    put("missing_percent", percent(expected.saturating_sub(received) as f64, expected as f64));
    let lost = view.records.iter().filter(|record| record.dropped.is_some()).count();
    put("nacks_per_loss", (lost > 0).then(|| asked as f64 / lost as f64));
    let said = view.run.world.peers.get(view.joined.peer).map_or(0, |peer| peer.sent_bytes);
    let media: u64 = view.observer.sent.iter().map(media_bytes).sum();
    put("feedback_percent", percent(said as f64, media as f64));
}

/// Bytes of a packet that carry media for the first time.
fn media_bytes(sent: &Sent) -> u64 {
    let first = matches!(sent.purpose, Purpose::Picture | Purpose::Sound);
    if first { sent.bytes - sent.again } else { 0 }
}

fn overhead(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    let (mut media, mut more, mut parity, mut all) = (0, 0, 0, 0);
    for sent in view.sent(window) {
        all += sent.bytes;
        match sent.purpose {
            Purpose::Picture | Purpose::Sound => {
                media += media_bytes(sent);
                more += sent.again;
            }
            Purpose::Parity => {
                more += sent.bytes;
                parity += sent.bytes;
            }
            Purpose::Repair | Purpose::Padding => more += sent.bytes,
            Purpose::Control => {}
        }
    }
    put("overhead_percent", percent(more as f64, media as f64));
    put("parity_percent", percent(parity as f64, media as f64));
    put("sent_kbps", Some(all as f64 * 8.0 / window.length() / 1e3));
}

/// Part of the packets first sent in the window that neither they nor any repair of theirs brought to the subscriber while it
/// still waited for them. What parity gives back counts as lost.
fn residual_loss(view: &View<'_>, window: Window) -> Option<f64> {
    let pairs = view.observer.sent.iter().zip(&view.records);
    let passages: Vec<Passage> = pairs
        .filter(|(sent, _)| sent.truth.is_some())
        .map(|(sent, record)| Passage {
            sent: sent.at,
            packet: (sent.line, sent.sequence),
            repair: sent.purpose == Purpose::Repair,
            out: record.t_out.filter(|_| record.dropped.is_none()).map(Time),
        })
        .collect();
    missing(&passages, Duration::from_micros(view.joined.round_trip_us / 2), window)
}

/// A packet's way over the link.
#[derive(Clone, Copy)]
struct Passage {
    sent: Time,
    packet: (usize, u16),
    repair: bool,
    /// When it reached the far end.
    out: Option<Time>,
}

/// `path`: propagation to the subscriber. It waits for [`GIVE_UP`] from when a packet could have been there.
fn missing(passages: &[Passage], path: Duration, window: Window) -> Option<f64> {
    // The numbers of a line turn after 65,536 packets; those of one turn lie closer together than anybody waits.
    let mut arrived: HashMap<(usize, u16), Vec<Time>> = HashMap::new();
    for passage in passages {
        arrived.entry(passage.packet).or_default().extend(passage.out);
    }
    let first = passages.iter().filter(|passage| !passage.repair && window.holds(passage.sent));
    let reached = |passage: &Passage| {
        let until = passage.sent + path + GIVE_UP;
        arrived
            .get(&passage.packet)
            .is_some_and(|outs| outs.iter().any(|out| (passage.sent..until).contains(out)))
    };
    let (lost, all) = first.fold((0, 0), |(lost, all), it| (lost + u32::from(!reached(it)), all + 1));
    percent(f64::from(lost), f64::from(all))
}

/// The layer that each picture's packets came from, with its place among all and for how much of the window it holds,
/// microseconds.
fn held<'v>(view: &'v View<'_>, window: Window) -> impl Iterator<Item = (usize, &'v Forwarded, u64)> {
    let all = &view.forwarded;
    let next = |n: usize, line: usize| all[n + 1..].iter().find(|it| it.line == line).map(|it| it.at);
    let from = all.partition_point(|it| it.at.0 + HOLDS_US < window.from.0);
    let to = all.partition_point(|it| it.at < window.to);
    (from..to).map(move |n| {
        let it = &all[n];
        let until = next(n, it.line).unwrap_or(window.to).min(Time(it.at.0 + HOLDS_US)).min(window.to);
        (n, it, until.0.saturating_sub(it.at.max(window.from).0))
    })
}

fn layers(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    if let Some(top) = view.top_layer() {
        let at_top: u64 = held(view, window).filter(|(_, it, _)| it.layer == top).map(|(.., us)| us).sum();
        put("top_layer_percent", percent(at_top as f64 / 1e6, window.length()));
    }
}

/// What was forwarded is worth, added up over the time for which it held.
fn worth(view: &View<'_>, window: Window) -> f64 {
    held(view, window)
        .map(|(n, it, micros)| {
            // Whether the upper temporal layer is forwarded shows only in every second frame.
            let lately = &view.forwarded[n.saturating_sub(3)..=n];
            let recent = lately.iter().any(|it| it.temporal > 0);
            let temporal = u8::from(recent).max(it.temporal);
            view.step(it.layer, temporal).map_or(0.0, |step| step.quality() * micros as f64 / 1e6)
        })
        .sum()
}

/// The worth of what was forwarded, over that of what the oracle would have forwarded.
fn ladder_efficiency(view: &View<'_>, window: Window, worth: f64) -> Option<f64> {
    let slot = crate::ladder::DECISION_US;
    let best: f64 = (window.from.0 / slot..window.to.0 / slot)
        .filter_map(|n| view.oracle.get(n as usize).copied().flatten())
        .map(|step| step.quality() * slot as f64 / 1e6)
        .sum();
    (best > 0.0).then(|| worth / best)
}

/// Media that the link carried for the subscriber, over what the oracle would have sent, which repairs nothing.
fn oracle_utilisation(view: &View<'_>, window: Window) -> Option<f64> {
    let slot = crate::ladder::DECISION_US;
    let steps = (window.from.0 / slot..window.to.0 / slot)
        .filter_map(|n| view.oracle.get(n as usize).copied().flatten().or(view.ladder.first().copied()));
    let best: f64 = steps.map(|step| step.wire_bps * slot as f64 / 1e6).sum();
    let pairs = view.observer.sent.iter().zip(&view.records);
    let within = pairs.filter(|(_, record)| record.t_done.is_some_and(|done| window.holds(Time(done))));
    let carried: u64 = within.map(|(sent, _)| media_bytes(sent)).sum();
    (best > 0.0).then(|| carried as f64 * 8.0 / best)
}

/// The estimate in force every 100 ms, kbit/s.
fn estimate_samples(view: &View<'_>, window: Window) -> Vec<f64> {
    let mut samples = Vec::new();
    let mut t = window.from.0;
    while t < window.to.0 {
        let known = view.observer.estimates.partition_point(|(at, _)| at.0 <= t);
        if let Some((_, rate)) = known.checked_sub(1).and_then(|n| view.observer.estimates.get(n)) {
            samples.push(rate.0 as f64 / 1e3);
        }
        t += 100_000;
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_when_nobody_waits_for_it_any_more_is_missing() {
        let at = Time::from_millis;
        let passage = |sent, sequence, repair, out: Option<u64>| Passage {
            sent: at(sent),
            packet: (0, sequence),
            repair,
            out: out.map(at),
        };
        let missing = |out| {
            let passages = [
                passage(0, 1, false, Some(50)),
                passage(10, 2, false, None),
                passage(500, 2, true, Some(out)),
                passage(9_000, 3, false, None),
            ];
            missing(&passages, Duration::from_millis(50), Window { from: at(0), to: at(5_000) })
        };
        // Sent at 10 ms, on the way for 50, waited for during 800.
        assert_eq!((missing(859), missing(860)), (Some(0.0), Some(50.0)));
    }
}
