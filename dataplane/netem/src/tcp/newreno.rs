//! `NewReno` (RFC 5681, RFC 6582): a segment a round trip more, half at a loss.

use super::congestion::{Acked, INITIAL_WINDOW, LEAST_WINDOW};

#[derive(Clone, Debug)]
pub(super) struct NewReno {
    window: f64,
    threshold: f64,
}

impl NewReno {
    pub(super) fn new() -> NewReno {
        NewReno { window: INITIAL_WINDOW, threshold: f64::INFINITY }
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
            self.window = (self.window + newly).min(self.threshold.max(self.window));
        } else {
            self.window += newly / self.window;
        }
    }

    pub(super) fn lost(&mut self) {
        self.threshold = (self.window / 2.0).max(LEAST_WINDOW);
        self.window = self.threshold;
    }

    pub(super) fn timed_out(&mut self) {
        self.threshold = (self.window / 2.0).max(LEAST_WINDOW);
        self.window = 1.0;
    }
}
