//! Cubic (RFC 9438): the window follows a cube of the time since the last loss.

use super::congestion::{Acked, INITIAL_WINDOW, LEAST_WINDOW};

/// Section 4.1: `C` and beta.
const SCALE: f64 = 0.4;
const BETA: f64 = 0.7;
/// The part of Reno's growth at which both are as fast (section 4.3).
const RENO_PART: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);
/// `HyStart`: slow start ends when the round trip grew by an eighth, within these bounds, over this many samples of a
/// round, with at least this window.
const DELAY_BOUNDS_US: (u64, u64) = (4_000, 16_000);
const ROUND_SAMPLES: u32 = 8;
const LOW_WINDOW: f64 = 16.0;

#[derive(Clone, Debug)]
pub(super) struct Cubic {
    window: f64,
    threshold: f64,
    /// The window before the last loss.
    most: f64,
    /// When this round of growth began, the window it began with, and seconds until it passes `most`.
    epoch: Option<Epoch>,
    round: Round,
}

#[derive(Clone, Copy, Debug)]
struct Epoch {
    start_us: u64,
    inflection_s: f64,
    origin: f64,
    reno: f64,
}

/// Round trips of one round of slow start.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    ends_at: u64,
    samples: u32,
    least_us: u64,
}

impl Cubic {
    pub(super) fn new() -> Cubic {
        Cubic {
            window: INITIAL_WINDOW,
            threshold: f64::INFINITY,
            most: 0.0,
            epoch: None,
            round: Round::default(),
        }
    }

    pub(super) fn window(&self) -> f64 {
        self.window
    }

    pub(super) fn acked(&mut self, acked: &Acked) {
        if acked.recovering {
            return;
        }
        let newly = acked.newly as f64;
        if self.window < self.threshold {
            self.watch_delay(acked);
            self.window = (self.window + newly).min(self.threshold.max(self.window));
            return;
        }
        let (window, most) = (self.window, self.most);
        let epoch = self.epoch.get_or_insert_with(|| Epoch {
            start_us: acked.now_us,
            inflection_s: ((most - window).max(0.0) / SCALE).cbrt(),
            origin: most.max(window),
            reno: window,
        });
        epoch.reno += RENO_PART * newly / window;
        // Where the window will be a round trip later.
        let t = (acked.now_us - epoch.start_us + acked.rtt_us) as f64 / 1e6 - epoch.inflection_s;
        let cubic = (epoch.origin + SCALE * t * t * t).clamp(window, 1.5 * window);
        self.window = (window + (cubic - window) / window * newly).max(epoch.reno);
    }

    fn watch_delay(&mut self, acked: &Acked) {
        if acked.delivered_at_send >= self.round.ends_at {
            self.round = Round { ends_at: acked.delivered, samples: 0, least_us: u64::MAX };
        }
        if self.round.samples < ROUND_SAMPLES {
            self.round.samples += 1;
            self.round.least_us = self.round.least_us.min(acked.rtt_us);
        }
        let bound = (acked.min_rtt_us / 8).clamp(DELAY_BOUNDS_US.0, DELAY_BOUNDS_US.1);
        let grown = self.round.samples == ROUND_SAMPLES && self.round.least_us > acked.min_rtt_us + bound;
        if grown && self.window >= LOW_WINDOW {
            self.threshold = self.window;
        }
    }

    pub(super) fn lost(&mut self, _now_us: u64) {
        // Fast convergence (section 4.7): leave room when the window did not reach what it was.
        self.most = if self.window < self.most { self.window * (1.0 + BETA) / 2.0 } else { self.window };
        self.threshold = (self.window * BETA).max(LEAST_WINDOW);
        self.window = self.threshold;
        self.epoch = None;
    }

    pub(super) fn timed_out(&mut self) {
        self.most = self.window;
        self.threshold = (self.window * BETA).max(LEAST_WINDOW);
        self.window = 1.0;
        self.epoch = None;
    }
}
