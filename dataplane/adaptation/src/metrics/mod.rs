//! Figures of a run, from the links' logs, the wire and the receivers alone; never from what the plane says of itself,
//! but for its estimate, which is judged.
//!
//! | file | figures |
//! |---|---|
//! | `link.rs` | queue delay, utilisation, drops, drain time |
//! | `picture.rs` | freezes, frame rate, delay |
//! | `frozen.rs` | what freezes come from |
//! | `sound.rs` | concealment, delay |
//! | `sending.rs` | layers, ladder efficiency, overhead, residual loss, estimate |
//! | `switches.rs` | changes of the layer that is forwarded |
//! | `reaction.rs` | convergence, recovery |
//! | `priority.rs` | several cameras of one subscriber |
//! | `several.rs` | fairness, isolation, cross traffic, what publishers are asked |

mod frozen;
mod link;
mod picture;
mod priority;
mod reaction;
mod sending;
mod several;
mod sound;
pub mod statistics;
mod switches;
mod view;

use std::collections::BTreeMap;

use loupe_core::units::Time;

pub(crate) use self::link::queue_samples;
pub use self::picture::freezes;
pub use self::view::View;
use crate::ladder::Step;
use crate::publisher::camera::FRAMES_PER_SECOND;
use crate::run::Run;

/// Figures by whose and which; what could not be measured is not there.
pub type Metrics = BTreeMap<String, BTreeMap<String, f64>>;

/// A time over which figures are taken.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Window {
    /// From.
    pub from: Time,
    /// Up to.
    pub to: Time,
}

impl Window {
    /// From and to in seconds.
    pub fn seconds(from: f64, to: f64) -> Window {
        Window { from: Time((from * 1e6) as u64), to: Time((to * 1e6) as u64) }
    }

    /// Whether a moment lies in it.
    pub fn holds(&self, at: Time) -> bool {
        at >= self.from && at < self.to
    }

    /// Its length in seconds.
    pub fn length(&self) -> f64 {
        self.to.since(self.from).as_secs_f64()
    }

    /// For how long it and another are at the same time, seconds.
    pub fn shared(&self, other: &Window) -> f64 {
        self.to.min(other.to).since(self.from.max(other.from)).as_secs_f64()
    }

    /// Its part from `from` on.
    #[must_use]
    pub fn not_before(self, from: Time) -> Window {
        Window { from: self.from.max(from), to: self.to.max(from) }
    }

    /// Its part up to `to`.
    #[must_use]
    pub fn not_after(self, to: Time) -> Window {
        Window { from: self.from.min(to), to: self.to.min(to) }
    }
}

/// All figures of a run.
pub fn measure(run: &Run<'_>) -> Metrics {
    let mut metrics = Metrics::new();
    let scenario = run.scenario;
    let whole = Window::seconds(scenario.settle_s, scenario.duration_s);
    let windows = || {
        let named = scenario
            .windows
            .iter()
            .map(|(name, [from, to])| (format!("@{name}"), Window::seconds(*from, *to)));
        std::iter::once((String::new(), whole)).chain(named)
    };
    for (n, spec) in scenario.subscribers.iter().enumerate() {
        let Some(view) = View::new(run, n) else { continue };
        let figures = metrics.entry(spec.name.clone()).or_default();
        for (suffix, window) in windows() {
            over(&view, window, &suffix, figures);
        }
        sending::of_the_run(&view, &mut |name, value| {
            figures.extend(value.map(|value| (name.to_owned(), value)));
        });
        reaction::at_join(&view, figures);
        for (name, moments) in &scenario.moments {
            let moments: Vec<Time> =
                moments.before(scenario.duration_s).into_iter().map(crate::run::at).collect();
            reaction::after(&view, &moments, name, figures);
        }
    }
    several::publishers(run, whole, &mut metrics);
    for (suffix, window) in windows() {
        several::fairness(run, window, &suffix, &mut metrics);
        several::crossing(run, window, &suffix, &mut metrics);
    }
    metrics
}

/// What differs from the run beside it, as more figures of those who are in both: `X_over_control` is a figure less
/// the control's, `estimate_to_control` the ratio of the mean estimates, `forwarded_differently` the number of pictures
/// of which another layer was forwarded, or none.
pub fn compare(run: &Run<'_>, metrics: &mut Metrics, control: &Run<'_>, of_control: &Metrics) {
    for (name, figures) in metrics.iter_mut() {
        let Some(others) = of_control.get(name) else { continue };
        let differences: Vec<(String, f64)> = figures
            .iter()
            .filter_map(|(metric, value)| {
                Some((format!("{metric}_over_control"), value - others.get(metric)?))
            })
            .collect();
        let mean = "estimate_mean_kbps";
        if let (Some(own), Some(other)) = (figures.get(mean).copied(), others.get(mean)) {
            figures.insert("estimate_to_control".to_owned(), own / other.max(1.0));
        }
        figures.extend(differences);
        if let Some(count) = several::forwarded_differently(run, control, name) {
            figures.insert("forwarded_differently".to_owned(), f64::from(count));
        }
    }
}

/// A subscriber's figures over a window; those of the time during which it was there.
fn over(view: &View<'_>, window: Window, suffix: &str, figures: &mut BTreeMap<String, f64>) {
    let window = window.not_before(view.joined.at);
    let window = view.joined.left.map_or(window, |left| window.not_after(left));
    if window.length() <= 0.0 {
        return;
    }
    let mut put = |name: &str, value: Option<f64>| {
        if let Some(value) = value {
            figures.insert(format!("{name}{suffix}"), value);
        }
    };
    link::figures(view, window, &mut put);
    picture::figures(view, window, &mut put);
    sound::figures(view, window, &mut put);
    sending::figures(view, window, &mut put);
    switches::figures(view, window, &mut put);
    priority::figures(view, window, &mut put);
    score(view, suffix, figures);
}

/// One number for the pictures, 0 to 1: what the layers were worth, times smoothness, times standstill, times delay.
fn score(view: &View<'_>, suffix: &str, figures: &mut BTreeMap<String, f64>) {
    /// Delay up to which nothing is lost, and that at which half is; milliseconds.
    const DELAYS_MS: (f64, f64) = (250.0, 600.0);
    let figure = |name: &str| figures.get(&format!("{name}{suffix}")).copied();
    let Some(best) = view.ladder.last().map(Step::quality) else { return };
    let (Some(worth), Some(fps)) = (figure("layer_worth"), figure("harmonic_fps")) else { return };
    let (Some(frozen), Some(delay)) = (figure("freeze_percent"), figure("frame_delay_p95_ms")) else {
        return;
    };
    let late = ((delay - DELAYS_MS.0) / (DELAYS_MS.1 - DELAYS_MS.0)).clamp(0.0, 1.0) / 2.0;
    let smooth = (fps / FRAMES_PER_SECOND).min(1.0);
    let still = 1.0 - (5.0 * frozen / 100.0).min(1.0);
    figures.insert(format!("picture_score{suffix}"), worth / best * smooth * still * (1.0 - late));
}
