//! A run as JSON: its figures, held against its goals, and its course in steps of 100 ms.

use loupe_core::units::Time;
use serde_json::{Map, Value, json};

use crate::metrics::{Metrics, View};
use crate::run::Run;
use crate::scenario::Scenario;

/// Figures rounded to what is worth reading.
fn rounded(value: f64) -> Value {
    json!((value * 1e4).round() / 1e4)
}

/// What the goals of a scenario say of one run's figures.
pub fn verdicts(scenario: &Scenario, metrics: &Metrics) -> Vec<Value> {
    scenario
        .goals
        .iter()
        .map(|goal| {
            let value = goal.value(metrics, &scenario.subscribers);
            let mut verdict = serde_json::to_value(goal).unwrap_or_default();
            verdict["value"] = value.map_or(Value::Null, rounded);
            verdict["met"] = Value::from(goal.is_met(value));
            verdict
        })
        .collect()
}

/// One run; with `slot` also its course in steps of so many microseconds.
pub fn report(run: &Run<'_>, metrics: &Metrics, slot: Option<u64>) -> Value {
    let figures: Map<String, Value> = metrics
        .iter()
        .map(|(of, figures)| {
            let figures: Map<String, Value> =
                figures.iter().map(|(name, value)| (name.clone(), rounded(*value))).collect();
            (of.clone(), Value::Object(figures))
        })
        .collect();
    let refused: u64 = run.world.peers.iter().map(crate::world::Peer::refused).sum();
    let drops: Map<String, Value> = run
        .world
        .plane
        .stats(run.world.now)
        .counters
        .named_drops()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (name.to_owned(), Value::from(count)))
        .collect();
    let mut report = json!({
        "scenario": run.scenario.name,
        "about": run.scenario.about,
        "seed": run.seed,
        "duration_s": run.scenario.duration_s,
        "metrics": figures,
        "goals": verdicts(run.scenario, metrics),
        "plane_drops": drops,
        "refused_by_peers": refused,
    });
    if let Some(slot) = slot {
        let course: Map<String, Value> = run
            .scenario
            .subscribers
            .iter()
            .enumerate()
            .filter_map(|(n, spec)| Some((spec.name.clone(), course(&View::new(run, n)?, slot))))
            .collect();
        report["course"] = Value::Object(course);
    }
    report
}

/// A subscriber's course: one value for each step of `slot` microseconds.
fn course(view: &View<'_>, slot: u64) -> Value {
    let slots = ((view.run.scenario.duration_s * 1e6) as u64 / slot) as usize;
    let kbps = |bits: f64| rounded(bits * 1e3 / slot as f64);
    let mut capacity = vec![Some(0.0); slots];
    for sample in &view.log.samples {
        // A sample speaks of the time before it.
        let at = ((sample.t - 1) / slot) as usize;
        if let Some(sum) = capacity.get_mut(at) {
            *sum = sum.and_then(|sum| sample.capacity_bits.map(|bits| sum + bits as f64));
        }
    }
    let mut sent = vec![0.0; slots];
    for packet in &view.observer.sent {
        if let Some(sum) = sent.get_mut((packet.at.0 / slot) as usize) {
            *sum += packet.bytes as f64 * 8.0;
        }
    }
    let mut layer: Vec<Value> = vec![Value::Null; slots];
    for it in &view.forwarded {
        if let Some(known) = layer.get_mut((it.at.0 / slot) as usize) {
            *known = Value::from(it.layer);
        }
    }
    let estimate = (0..slots as u64).map(|n| {
        let known = view.observer.estimates.partition_point(|(at, _)| at.0 < (n + 1) * slot);
        let last = known.checked_sub(1).and_then(|n| view.observer.estimates.get(n));
        last.map_or(Value::Null, |(_, rate)| rounded(rate.0 as f64 / 1e3))
    });
    let end = Time((view.run.scenario.duration_s * 1e6) as u64);
    let freezes: Vec<Value> = view
        .pictures()
        .flat_map(|pictures| crate::metrics::freezes(&pictures.shown, end))
        .map(|freeze| json!([rounded(freeze.from.0 as f64 / 1e6), rounded(freeze.length)]))
        .collect();
    let queue = crate::metrics::queue_samples(view, slot, slots);
    let optional = |value: Option<f64>| value.map_or(Value::Null, rounded);
    json!({
        "slot_s": slot as f64 / 1e6,
        "capacity_kbps": capacity.into_iter().map(|bits| bits.map_or(Value::Null, kbps)).collect::<Vec<_>>(),
        "estimate_kbps": estimate.collect::<Vec<_>>(),
        "sent_kbps": sent.into_iter().map(kbps).collect::<Vec<_>>(),
        "queue_ms": queue.into_iter().map(optional).collect::<Vec<_>>(),
        "layer": layer,
        "freezes": freezes,
    })
}
