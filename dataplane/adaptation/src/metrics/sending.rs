//! What the plane sent: layers against the oracle's, repairs, and what no repair reached.

use std::collections::HashMap;

use loupe_core::units::Time;

use super::link::percent;
use super::statistics::mean;
use super::view::Forwarded;
use super::{View, Window};
use crate::record::Purpose;

/// An up-switch that is taken back sooner was none; seconds.
const FALSE_WITHIN: f64 = 5.0;
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
    let sent: u64 = view.observer.sent.iter().map(|sent| sent.bytes).sum();
    put("feedback_percent", percent(said as f64, sent as f64));
}

fn overhead(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    let (mut media, mut more, mut parity, mut all) = (0, 0, 0, 0);
    for sent in view.sent(window) {
        all += sent.bytes;
        match sent.purpose {
            Purpose::Picture | Purpose::Sound => {
                media += sent.bytes - sent.again;
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

/// Part of the packets first sent in the window that neither they nor any repair of theirs brought to the subscriber.
fn residual_loss(view: &View<'_>, window: Window) -> Option<f64> {
    // The numbers of a line turn after 65,536 packets; those of one turn lie closer together than repairs reach.
    let mut arrived: HashMap<(usize, u16), Vec<Time>> = HashMap::new();
    let pairs = || view.observer.sent.iter().zip(&view.records).filter(|(sent, _)| sent.truth.is_some());
    for (sent, record) in pairs() {
        if record.dropped.is_none() {
            arrived.entry((sent.line, sent.sequence)).or_default().push(sent.at);
        }
    }
    let (mut lost, mut all) = (0, 0);
    for (sent, _) in pairs().filter(|(sent, _)| sent.purpose != Purpose::Repair && window.holds(sent.at)) {
        let repaired_until = Time(sent.at.0 + 5_000_000);
        let reached = arrived
            .get(&(sent.line, sent.sequence))
            .is_some_and(|times| times.iter().any(|at| *at >= sent.at && *at < repaired_until));
        all += 1;
        lost += u32::from(!reached);
    }
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
    let mut current: HashMap<usize, u8> = HashMap::new();
    let (mut ups, mut downs, mut false_ups) = (0, 0, 0);
    let mut last_up: HashMap<usize, Time> = HashMap::new();
    for it in &view.forwarded {
        let before = current.insert(it.line, it.layer);
        let Some(before) = before.filter(|before| *before != it.layer) else { continue };
        let counts = window.holds(it.at);
        if it.layer > before {
            ups += u32::from(counts);
            last_up.insert(it.line, it.at);
        } else {
            downs += u32::from(counts);
            let up = last_up.remove(&it.line).filter(|up| it.at.since(*up).as_secs_f64() < FALSE_WITHIN);
            false_ups += u32::from(counts && up.is_some());
        }
    }
    let minutes = window.length() / 60.0;
    put("ups_per_minute", Some(f64::from(ups) / minutes));
    put("downs_per_minute", Some(f64::from(downs) / minutes));
    put("false_ups_per_minute", Some(f64::from(false_ups) / minutes));
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

/// What the link carried for the subscriber, over what the oracle would have sent.
fn oracle_utilisation(view: &View<'_>, window: Window) -> Option<f64> {
    let slot = crate::ladder::DECISION_US;
    let steps = (window.from.0 / slot..window.to.0 / slot)
        .filter_map(|n| view.oracle.get(n as usize).copied().flatten().or(view.ladder.first().copied()));
    let best: f64 = steps.map(|step| step.wire_bps * slot as f64 / 1e6).sum();
    let carried = view.log.carried_bytes(window.from.0, window.to.0, Some(view.joined.flow)) as f64 * 8.0;
    (best > 0.0).then(|| carried / best)
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
