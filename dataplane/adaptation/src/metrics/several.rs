//! What concerns publishers, or several subscribers together.

use std::collections::BTreeMap;

use loupe_core::units::Time;

use super::statistics::{jain, mean};
use super::{Metrics, View, Window};
use crate::run::Run;
use crate::world::Role;

/// Lengths over which rates are compared, seconds (RFC 8868).
const SPANS: [usize; 3] = [1, 5, 20];

/// What was asked of each publisher, and what its own control found.
pub(super) fn publishers(run: &Run<'_>, window: Window, metrics: &mut Metrics) {
    for (spec, joined) in run.scenario.publishers.iter().zip(&run.publishers) {
        let Some(Role::Publisher { publisher, .. }) =
            joined.and_then(|joined| run.world.peers.get(joined.peer)).map(|peer| &peer.role)
        else {
            continue;
        };
        let figures = metrics.entry(spec.name.clone()).or_default();
        let asked: Vec<(Time, usize)> =
            publisher.asked.keyframes.iter().filter(|(at, _)| window.holds(*at)).copied().collect();
        figures
            .insert("keyframe_requests_per_minute".to_owned(), asked.len() as f64 * 60.0 / window.length());
        figures.extend(
            closest(&publisher.asked.keyframes).map(|s| ("keyframe_requests_closest_s".to_owned(), s)),
        );
        let targets: Vec<f64> = publisher
            .asked
            .targets
            .iter()
            .filter(|(at, _)| window.holds(*at))
            .map(|(_, rate)| rate.0 as f64 / 1e3)
            .collect();
        figures.extend(mean(&targets).map(|kbps| ("target_mean_kbps".to_owned(), kbps)));
    }
}

/// Shortest time between two requests for one layer.
fn closest(asked: &[(Time, usize)]) -> Option<f64> {
    let mut last: BTreeMap<usize, Time> = BTreeMap::new();
    let gaps = asked
        .iter()
        .filter_map(|(at, stream)| last.insert(*stream, *at).map(|before| at.since(before).as_secs_f64()));
    gaps.reduce(f64::min)
}

/// How evenly those who share a link were served: the most uneven ratio of two mean rates over any span of each length,
/// and Jain's index of the rates over the whole window.
pub(super) fn fairness(run: &Run<'_>, window: Window, metrics: &mut Metrics) {
    let views: Vec<View<'_>> = (0..run.subscribers.len()).filter_map(|n| View::new(run, n)).collect();
    let Some(first) = views.first() else { return };
    if views.len() < 2 || views.iter().any(|view| view.joined.down != first.joined.down) {
        return;
    }
    // Only while all of them are there.
    let from = views.iter().map(|view| view.joined.at).max().unwrap_or(window.from);
    let window = window.not_before(Time(from.0 + (run.scenario.settle_s * 1e6) as u64));
    let seconds = window.length() as usize;
    if seconds == 0 {
        return;
    }
    let carried: Vec<Vec<f64>> = views.iter().map(|view| by_second(view, window.from, seconds)).collect();
    let rates = |from: usize, length: usize| -> Vec<f64> {
        carried.iter().map(|seconds| seconds[from..from + length].iter().sum()).collect()
    };
    let figures = metrics.entry("all".to_owned()).or_default();
    figures.extend(jain(&rates(0, seconds)).map(|index| ("jain".to_owned(), index)));
    for span in SPANS.into_iter().filter(|span| *span <= seconds) {
        let ratio = |from| {
            let rates = rates(from, span);
            let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
            rates.iter().copied().fold(0.0, f64::max) / least.max(1.0)
        };
        let worst = (0..=seconds - span).step_by(span).map(ratio).fold(1.0, f64::max);
        figures.insert(format!("ratio_{span}s"), worst);
    }
}

/// Bytes that the link carried for a subscriber in each second from `from` on.
fn by_second(view: &View<'_>, from: Time, seconds: usize) -> Vec<f64> {
    let mut carried = vec![0.0; seconds];
    for (record, done) in view.records.iter().filter_map(|record| Some((record, record.t_done?))) {
        let second = done.checked_sub(from.0).map(|after| (after / 1_000_000) as usize);
        if let Some(sum) = second.and_then(|second| carried.get_mut(second)) {
            *sum += record.bytes as f64;
        }
    }
    carried
}
