//! A sign, without any probe, that the path carries more than estimated: packets that would have had to wait behind each
//! other, were it no faster, and did not.
//!
//! It only tells when to probe. Paths that let bursts pass (token buckets, aggregated frames) give the sign all the time;
//! where a probe failed in spite of it, it counts no more until it has been gone for a while.

use std::collections::VecDeque;

use super::trail::Passage;

/// What is asked: does the path carry this many times the estimate?
const FACTOR: f64 = 1.5;
/// A wait shorter than this, beyond the path's jitter, would prove nothing.
const WAIT_US: i64 = 5_000;
/// Waits that did not happen within so much time are a sign.
const WINDOW_US: i64 = 1_000_000;
const SIGNS: usize = 3;

/// Waits that a path of a certain rate would have made and did not.
#[derive(Clone, Debug, Default)]
pub struct Headroom {
    /// Microseconds per byte of the path that is asked for; 0: nothing is asked.
    micros_per_byte: f64,
    /// When that path would be free.
    free: i64,
    signs: VecDeque<i64>,
    ignored: bool,
}

impl Headroom {
    /// Asks about more than this estimate from now on, in bits per second.
    pub fn ask(&mut self, estimate: f64) {
        let micros_per_byte = 8e6 / (estimate * FACTOR).max(1.0);
        if (micros_per_byte / self.micros_per_byte - 1.0).abs() > 0.1 || self.micros_per_byte == 0.0 {
            self.micros_per_byte = micros_per_byte;
            self.free = 0;
            self.signs.clear();
        }
    }

    /// Nothing more would be of use: signs need not be looked for.
    pub fn rest(&mut self) {
        self.micros_per_byte = 0.0;
    }

    /// Notes a packet that waited `wait` microseconds on a path that jitters by `jitter`.
    pub fn note(&mut self, passage: &Passage, wait: i64, jitter: i64) {
        if self.micros_per_byte == 0.0 {
            return;
        }
        let expected = self.free - passage.sent;
        let service = (passage.bytes as f64 * self.micros_per_byte) as i64;
        self.free = self.free.max(passage.sent) + service;
        if expected >= WAIT_US + jitter && wait <= expected / 3 {
            self.signs.push_back(passage.sent);
        }
        while self.signs.front().is_some_and(|sign| passage.sent - sign > WINDOW_US) {
            self.signs.pop_front();
        }
        if self.signs.is_empty() {
            self.ignored = false;
        }
    }

    /// Whether there is a sign now.
    pub fn is_seen(&self) -> bool {
        !self.ignored && self.signs.len() >= SIGNS
    }

    /// A probe failed: the signs of this moment mean nothing.
    pub fn ignore(&mut self) {
        self.ignored = !self.signs.is_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SeqNo;

    /// Sound and single packets of picture over `bps` for two seconds.
    fn run(headroom: &mut Headroom, from: i64, bps: f64) {
        let mut free = 0;
        for tick in 0..100_i64 {
            for (at, bytes) in [(0, 900), (8_000, 152)].into_iter().skip((tick % 2) as usize) {
                let sent = from + tick * 20_000 + at;
                let wait = (free - sent).max(0);
                free = free.max(sent) + (bytes as f64 * 8e6 / bps) as i64;
                let passage = Passage { seq: SeqNo(1), sent, arrival: free, bytes };
                headroom.note(&passage, wait, 1_000);
            }
        }
    }

    #[test]
    fn a_path_that_became_faster_shows_and_one_that_did_not_does_not() {
        let mut headroom = Headroom::default();
        headroom.ask(240_000.0);
        run(&mut headroom, 0, 250_000.0);
        assert!(!headroom.is_seen());
        run(&mut headroom, 2_000_000, 2_000_000.0);
        assert!(headroom.is_seen());
    }

    #[test]
    fn what_a_probe_refuted_is_ignored_until_it_was_gone() {
        let mut headroom = Headroom::default();
        headroom.ask(240_000.0);
        run(&mut headroom, 0, 2_000_000.0);
        headroom.ignore();
        run(&mut headroom, 2_000_000, 2_000_000.0);
        assert!(!headroom.is_seen());
        run(&mut headroom, 4_000_000, 250_000.0);
        run(&mut headroom, 6_000_000, 2_000_000.0);
        assert!(headroom.is_seen());
    }
}
