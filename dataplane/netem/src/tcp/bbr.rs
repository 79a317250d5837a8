//! BBR version 1: the rate is the largest lately delivered, the window twice that times the smallest round trip.

use super::congestion::{Acked, INITIAL_WINDOW};

/// 2 / ln 2: doubles the rate each round.
const START_GAIN: f64 = 2.885;
/// Gains of the eight phases of probing, each a smallest round trip long.
const CYCLE: [f64; 8] = [1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
const WINDOW_GAIN: f64 = 2.0;
/// Rounds for which the largest rate counts.
const RATE_ROUNDS: u64 = 10;
/// How long the smallest round trip counts, and how long it is looked for with a small window, microseconds.
const ROUND_TRIP_WINDOW_US: u64 = 10_000_000;
const PROBE_TIME_US: u64 = 200_000;
const LEAST_WINDOW: f64 = 4.0;
/// The pipe is full when the rate grew by less than a quarter in three rounds.
const GROWTH: f64 = 1.25;
const FULL_ROUNDS: u32 = 3;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Mode {
    Start,
    Drain,
    /// Phase of the cycle, and when it began.
    Probe(usize, u64),
    /// Until when the window stays small, once it is.
    ProbeRoundTrip(Option<u64>),
}

#[derive(Clone, Debug)]
pub(super) struct Bbr {
    mode: Mode,
    /// (round, rate): falling rates, so that the first is the largest.
    rates: Vec<(u64, f64)>,
    round: u64,
    round_ends_at: u64,
    min_rtt: Option<(u64, u64)>,
    full_rate: f64,
    full_rounds: u32,
    after_timeout: bool,
}

impl Bbr {
    pub(super) fn new(_now_us: u64) -> Bbr {
        Bbr {
            mode: Mode::Start,
            rates: Vec::new(),
            round: 0,
            round_ends_at: 0,
            min_rtt: None,
            full_rate: 0.0,
            full_rounds: 0,
            after_timeout: false,
        }
    }

    fn rate(&self) -> Option<f64> {
        self.rates.first().map(|(_, rate)| *rate)
    }

    /// Segments that fill the path without a queue.
    fn path(&self) -> Option<f64> {
        Some(self.rate()? * self.min_rtt?.0 as f64 / 1e6)
    }

    pub(super) fn window(&self) -> f64 {
        if self.after_timeout {
            return 1.0;
        }
        let gain = match self.mode {
            Mode::Start | Mode::Drain => START_GAIN,
            Mode::Probe(..) => WINDOW_GAIN,
            Mode::ProbeRoundTrip(_) => return LEAST_WINDOW,
        };
        self.path().map_or(INITIAL_WINDOW, |path| (gain * path).max(LEAST_WINDOW))
    }

    pub(super) fn pacing(&self) -> Option<f64> {
        let gain = match self.mode {
            Mode::Start => START_GAIN,
            Mode::Drain => 1.0 / START_GAIN,
            Mode::Probe(phase, _) => CYCLE[phase % CYCLE.len()],
            Mode::ProbeRoundTrip(_) => 1.0,
        };
        self.rate().map(|rate| rate * gain)
    }

    pub(super) fn acked(&mut self, acked: &Acked) {
        self.after_timeout = false;
        let new_round = acked.delivered_at_send >= self.round_ends_at;
        if new_round {
            self.round += 1;
            self.round_ends_at = acked.delivered;
        }
        self.note_rate(acked.rate);
        if self.mode == Mode::Start && new_round {
            self.check_full();
        }
        let in_flight = acked.in_flight.saturating_sub(acked.newly) as f64;
        self.advance(acked.now_us, in_flight);
        self.note_round_trip(acked, in_flight);
    }

    fn note_rate(&mut self, rate: f64) {
        let round = self.round;
        self.rates.retain(|(at, known)| at + RATE_ROUNDS > round && *known > rate);
        self.rates.push((round, rate));
    }

    fn check_full(&mut self) {
        let rate = self.rate().unwrap_or(0.0);
        if rate >= self.full_rate * GROWTH {
            (self.full_rate, self.full_rounds) = (rate, 0);
        } else {
            self.full_rounds += 1;
            if self.full_rounds >= FULL_ROUNDS {
                self.mode = Mode::Drain;
            }
        }
    }

    fn advance(&mut self, now_us: u64, in_flight: f64) {
        let path = self.path().unwrap_or(INITIAL_WINDOW);
        match self.mode {
            // Not in the phase that drains what was just probed.
            Mode::Drain if in_flight <= path => self.mode = Mode::Probe(2, now_us),
            Mode::Probe(phase, since) => {
                let over = now_us.saturating_sub(since) > self.min_rtt.map_or(0, |(us, _)| us);
                let next = match CYCLE[phase % CYCLE.len()] {
                    gain if gain > 1.0 => over && in_flight >= gain * path,
                    gain if gain < 1.0 => over || in_flight <= path,
                    _ => over,
                };
                if next {
                    self.mode = Mode::Probe((phase + 1) % CYCLE.len(), now_us);
                }
            }
            _ => {}
        }
    }

    /// Looks for the smallest round trip anew when it has not been seen for ten seconds.
    fn note_round_trip(&mut self, acked: &Acked, in_flight: f64) {
        let now = acked.now_us;
        let expired = self.min_rtt.is_some_and(|(_, seen)| now > seen + ROUND_TRIP_WINDOW_US);
        if expired && !matches!(self.mode, Mode::ProbeRoundTrip(_)) {
            self.mode = Mode::ProbeRoundTrip(None);
        }
        if expired || self.min_rtt.is_none_or(|(least, _)| acked.rtt_us <= least) {
            self.min_rtt = Some((acked.rtt_us, now));
        }
        match self.mode {
            Mode::ProbeRoundTrip(None) if in_flight <= LEAST_WINDOW => {
                self.mode = Mode::ProbeRoundTrip(Some(now + PROBE_TIME_US));
            }
            Mode::ProbeRoundTrip(Some(until)) if now >= until => {
                self.min_rtt = self.min_rtt.map(|(least, _)| (least, now));
                self.mode = if self.full_rounds >= FULL_ROUNDS { Mode::Probe(2, now) } else { Mode::Start };
            }
            _ => {}
        }
    }

    pub(super) fn timed_out(&mut self) {
        self.after_timeout = true;
    }
}
