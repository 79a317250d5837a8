//! What concerns publishers, or several subscribers together.

use std::collections::BTreeMap;

use loupe_core::units::{Bitrate, Time};
use loupe_netem::SAMPLE_US;

use super::statistics::{jain, mean};
use super::{Metrics, View, Window};
use crate::run::{Joined, Run};
use crate::world::Role;

/// Lengths over which rates are compared, seconds (RFC 8868).
const SPANS: [usize; 3] = [1, 5, 20];
/// A target has settled when it stays so long within this part of the capacity; seconds.
const STAYS: f64 = 2.0;
const WITHIN: f64 = 0.15;

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
        // Where there are no two, none are closer than the run is long.
        let closest = closest(&publisher.asked.keyframes).unwrap_or(run.scenario.duration_s);
        figures.insert("keyframe_requests_closest_s".to_owned(), closest);
        let targets: Vec<f64> = publisher
            .asked
            .targets
            .iter()
            .filter(|(at, _)| window.holds(*at))
            .map(|(_, rate)| rate.0 as f64 / 1e3)
            .collect();
        figures.extend(mean(&targets).map(|kbps| ("target_mean_kbps".to_owned(), kbps)));
        let settled = joined.and_then(|joined| target_convergence(run, joined, &publisher.asked.targets));
        figures.extend(settled.map(|seconds| ("target_convergence_s".to_owned(), seconds)));
    }
}

/// From joining to a target that stays within 15 % of its link's capacity for two seconds.
fn target_convergence(run: &Run<'_>, joined: Joined, targets: &[(Time, Bitrate)]) -> Option<f64> {
    let log = run.world.net.link(joined.up)?.log?;
    let capacity_at = |at: Time| {
        let sample = log.samples.get((at.0 / SAMPLE_US) as usize).or(log.samples.last())?;
        sample.capacity_bits.map(|bits| bits as f64 * 1e6 / SAMPLE_US as f64)
    };
    let mut since = None;
    for (at, target) in targets {
        let within = capacity_at(*at).is_some_and(|bps| (target.0 as f64 / bps - 1.0).abs() <= WITHIN);
        let begun = *since.get_or_insert(*at);
        if !within {
            since = None;
        } else if at.since(begun).as_secs_f64() >= STAYS {
            return Some(begun.since(joined.at).as_secs_f64());
        }
    }
    None
}

/// What each source or group of TCP traffic got of its link.
pub(super) fn crossing(run: &Run<'_>, window: Window, suffix: &str, metrics: &mut Metrics) {
    let mut carried: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for tcp in &run.crossing.tcp {
        let Some(log) = run.world.net.link(tcp.link).and_then(|link| link.log) else { continue };
        let bytes = |flow| log.carried_bytes(window.from.0, window.to.0, flow) as f64;
        let sum = carried.entry(&tcp.name).or_insert((0.0, bytes(None)));
        sum.0 += bytes(Some(tcp.flow));
    }
    for (name, (own, all)) in carried {
        let figures = metrics.entry(name.to_owned()).or_default();
        figures.insert(format!("carried_kbps{suffix}"), own * 8.0 / window.length() / 1e3);
        if all > 0.0 {
            figures.insert(format!("share{suffix}"), own / all);
        }
    }
}

/// Pictures of which another layer was forwarded to a subscriber than in another run, or which was forwarded in one of
/// them only.
pub(super) fn forwarded_differently(run: &Run<'_>, control: &Run<'_>, name: &str) -> Option<u32> {
    let pictures = |run: &Run<'_>| -> Option<BTreeMap<(usize, u32), u8>> {
        let number = run.scenario.subscribers.iter().position(|spec| spec.name == name)?;
        let view = View::new(run, number)?;
        let settled = Time((run.scenario.settle_s * 1e6) as u64);
        let counted = view.forwarded.iter().filter(|it| it.at >= settled);
        Some(counted.map(|it| ((it.line, it.frame), it.layer)).collect())
    };
    let (own, other) = (pictures(run)?, pictures(control)?);
    let differs = |(key, layer): (&(usize, u32), &u8)| other.get(key) != Some(layer);
    let missing = other.keys().filter(|key| !own.contains_key(*key)).count();
    Some((own.iter().filter(|it| differs(*it)).count() + missing) as u32)
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
pub(super) fn fairness(run: &Run<'_>, window: Window, suffix: &str, metrics: &mut Metrics) {
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
    figures.extend(jain(&rates(0, seconds)).map(|index| (format!("jain{suffix}"), index)));
    figures
        .extend(weighted(&views, &rates(0, seconds)).map(|ratio| (format!("weighted_ratio{suffix}"), ratio)));
    for span in SPANS.into_iter().filter(|span| *span <= seconds) {
        let ratio = |from| {
            let rates = rates(from, span);
            let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
            rates.iter().copied().fold(0.0, f64::max) / least.max(1.0)
        };
        let worst = (0..=seconds - span).step_by(span).map(ratio).fold(1.0, f64::max);
        figures.insert(format!("ratio_{span}s{suffix}"), worst);
    }
}

/// What the subscriber of the greatest weight got, over the mean of the others; `None` where all have the same.
fn weighted(views: &[View<'_>], carried: &[f64]) -> Option<f64> {
    let weight = |view: &View<'_>| {
        let own = view.run.subscriptions.iter().filter(|it| {
            let joined = view.run.subscribers.get(it.subscriber).copied().flatten();
            joined.is_some_and(|joined| joined.peer == view.joined.peer)
        });
        own.map(|it| it.priority).fold(0.0, f64::max)
    };
    let weights: Vec<f64> = views.iter().map(weight).collect();
    let (first, greatest) = weights.iter().copied().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let others: Vec<f64> = carried
        .iter()
        .zip(&weights)
        .filter(|(_, weight)| **weight < greatest)
        .map(|(rate, _)| *rate)
        .collect();
    let mean = mean(&others).filter(|mean| *mean > 0.0)?;
    Some(carried.get(first)? / mean)
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
