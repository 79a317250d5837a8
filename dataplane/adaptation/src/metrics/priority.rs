//! Several cameras of one subscriber: whether those of higher priority came first.

use loupe_core::io::Kind;
use loupe_core::units::Time;

use super::{View, Window};
use crate::record::Purpose;

/// Resolution of comparisons, microseconds.
const SLOT_US: u64 = 100_000;
/// What a picture of a line holds for at most, microseconds.
const HOLDS_US: u64 = 1_000_000;

/// A line with pictures.
struct Camera {
    line: usize,
    priority: f64,
}

/// Figures over a window; nothing of a subscriber with one camera.
pub(super) fn figures(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    let cameras = cameras(view);
    if cameras.len() < 2 {
        return;
    }
    put("inverted_s", Some(inverted(view, window, &cameras)));
    put("priority_ratio", ratio(view, window, &cameras));
}

fn cameras(view: &View<'_>) -> Vec<Camera> {
    let Some(number) = view.run.subscribers.iter().flatten().position(|it| it.peer == view.joined.peer)
    else {
        return Vec::new();
    };
    let own = view.run.subscriptions.iter().filter(|it| it.subscriber == number);
    let numbered = own.enumerate();
    numbered
        .filter(|(line, _)| view.observer.lines().get(*line).is_some_and(|names| names.kind == Kind::Video))
        .map(|(line, it)| Camera { line, priority: it.priority })
        .collect()
}

/// For how long a camera of higher priority had a lower layer than one of lower priority, seconds.
fn inverted(view: &View<'_>, window: Window, cameras: &[Camera]) -> f64 {
    let layer_at = |line: usize, at: Time| {
        let before = view.forwarded.partition_point(|it| it.at <= at);
        let last = view.forwarded[..before].iter().rev().find(|it| it.line == line)?;
        (at.0 - last.at.0 < HOLDS_US).then_some(last.layer)
    };
    let mut slots = 0_u64;
    let mut at = window.from.0;
    while at < window.to.0 {
        let inverted = cameras.iter().any(|upper| {
            let own = layer_at(upper.line, Time(at));
            let lower = cameras.iter().filter(|lower| lower.priority < upper.priority);
            // `None` is below every layer: nothing came for a second.
            lower.map(|lower| layer_at(lower.line, Time(at))).any(|other| other > own)
        });
        slots += u64::from(inverted);
        at += SLOT_US;
    }
    (slots * SLOT_US) as f64 / 1e6
}

/// What the camera of highest priority got, over the mean of the others.
fn ratio(view: &View<'_>, window: Window, cameras: &[Camera]) -> Option<f64> {
    let bytes = |line: usize| -> f64 {
        let own = view.sent(window).filter(|sent| sent.purpose == Purpose::Picture && sent.line == line);
        own.map(|sent| sent.bytes as f64).sum()
    };
    let first = cameras.iter().max_by(|a, b| a.priority.total_cmp(&b.priority))?;
    let others = cameras.iter().filter(|camera| camera.line != first.line);
    let mean = others.map(|camera| bytes(camera.line)).sum::<f64>() / (cameras.len() - 1) as f64;
    (mean > 0.0).then(|| bytes(first.line) / mean)
}
