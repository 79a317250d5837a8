//! What happens between the server and the far end: propagation, jitter, reordering.

use crate::random::{Direction, Probability, Random, Stage};

/// A new base delay from a moment on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DelayStep {
    /// From when on, microseconds.
    pub t_us: u64,
    /// The one-way delay from then on, microseconds.
    pub delay_us: u64,
}

/// Extra delay per packet.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Jitter {
    /// None.
    #[default]
    None,
    /// The size of a normal number, clipped (RFC 8868 section 4.5.1, "non-reordering bounded packet delay variation").
    Nrbpdv {
        /// Standard deviation, microseconds.
        std_us: u64,
        /// Clipped at so many standard deviations.
        clip_std: u64,
    },
    /// Evenly between 0 and this many microseconds.
    Uniform {
        /// The most, microseconds.
        max_us: u64,
    },
    /// From each moment on (microseconds, rising) this much extra (microseconds).
    Trace(Vec<(u64, u64)>),
}

impl Jitter {
    /// RFC 8868's own: 5 ms, clipped at three standard deviations.
    pub fn rfc8868() -> Jitter {
        Jitter::Nrbpdv { std_us: 5_000, clip_std: 3 }
    }
}

/// Packets that are held back so that later ones pass them.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Reordering {
    /// Let jitter and falls of the delay reorder; otherwise no packet overtakes the one before it.
    pub allowed: bool,
    /// Share of packets that are held back, whether or not others may reorder.
    pub probability: f64,
    /// By how long, microseconds.
    pub extra_us: u64,
}

/// Settings between server and far end; the default is no delay at all.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DelayConfig {
    /// One-way propagation until the first step, microseconds.
    pub delay_us: u64,
    /// Later base delays, by rising time.
    pub steps: Vec<DelayStep>,
    /// Extra delay per packet.
    pub jitter: Jitter,
    /// Reordering.
    pub reordering: Reordering,
}

#[derive(Clone, Debug)]
pub(crate) struct Propagation {
    config: DelayConfig,
    jitter: Random,
    reordering: Random,
    held_back: Probability,
    last_out_us: Option<u64>,
}

impl Propagation {
    pub(crate) fn new(config: DelayConfig, seed: u64, direction: Direction) -> Propagation {
        Propagation {
            jitter: Random::stream(seed, direction, Stage::Jitter),
            reordering: Random::stream(seed, direction, Stage::Reordering),
            held_back: Probability::new(config.reordering.probability),
            last_out_us: None,
            config,
        }
    }

    /// When a packet that left the server at `t_us` arrives. `serialisation_us` is how far behind the packet before it
    /// stays; the rule of RFC 8868 section 4.5.1.
    pub(crate) fn arrival(&mut self, t_us: u64, serialisation_us: u64) -> u64 {
        let on_time = t_us.saturating_add(self.base(t_us)).saturating_add(self.extra(t_us));
        // Always drawn, so that a change of other settings moves nothing.
        if self.reordering.chance(self.held_back) {
            // Those behind it do not wait for it: it is not remembered.
            return on_time.saturating_add(self.config.reordering.extra_us);
        }
        if self.config.reordering.allowed {
            return on_time;
        }
        let earliest = self.last_out_us.map_or(0, |last| last.saturating_add(serialisation_us));
        let arrival = on_time.max(earliest);
        self.last_out_us = Some(arrival);
        arrival
    }

    fn base(&self, t_us: u64) -> u64 {
        let passed = self.config.steps.partition_point(|step| step.t_us <= t_us);
        passed
            .checked_sub(1)
            .and_then(|last| self.config.steps.get(last))
            .map_or(self.config.delay_us, |s| s.delay_us)
    }

    fn extra(&mut self, t_us: u64) -> u64 {
        match &self.config.jitter {
            Jitter::None => 0,
            Jitter::Nrbpdv { std_us, clip_std } => {
                let size = (self.jitter.normal().abs() * *std_us as f64) as u64;
                size.min(clip_std.saturating_mul(*std_us))
            }
            Jitter::Uniform { max_us } => self.jitter.below(max_us.saturating_add(1)),
            Jitter::Trace(steps) => {
                let passed = steps.partition_point(|step| step.0 <= t_us);
                passed.checked_sub(1).and_then(|last| steps.get(last)).map_or(0, |step| step.1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn propagation(config: DelayConfig) -> Propagation {
        Propagation::new(config, 9, Direction::Forward)
    }

    #[test]
    fn steps_replace_the_delay_and_do_not_reorder() {
        let steps = vec![DelayStep { t_us: 100_000, delay_us: 30_000 }];
        let mut link = propagation(DelayConfig { delay_us: 50_000, steps, ..DelayConfig::default() });
        assert_eq!(link.arrival(99_000, 1_000), 149_000);
        // On its own it would arrive at 130 ms.
        assert_eq!(link.arrival(100_000, 1_000), 150_000);
        assert_eq!(link.arrival(200_000, 1_000), 230_000);
    }

    #[test]
    fn nrbpdv_is_bounded_and_has_the_mean_of_a_folded_normal() {
        let mut link = propagation(DelayConfig { jitter: Jitter::rfc8868(), ..DelayConfig::default() });
        let extra: Vec<u64> = (1..=50_000).map(|n| link.arrival(n * 100_000, 0) - n * 100_000).collect();
        assert!(extra.iter().all(|us| *us <= 15_000));
        let mean = extra.iter().sum::<u64>() / 50_000;
        // 5 ms * sqrt(2 / pi) = 3.989 ms.
        assert!((3_930..4_050).contains(&mean), "{mean}");
    }

    #[test]
    fn jitter_reorders_only_when_allowed() {
        for allowed in [false, true] {
            let reordering = Reordering { allowed, ..Reordering::default() };
            let jitter = Jitter::Uniform { max_us: 10_000 };
            let mut link = propagation(DelayConfig { jitter, reordering, ..DelayConfig::default() });
            let out: Vec<u64> = (0..1_000).map(|n| link.arrival(n * 1_000, 100)).collect();
            assert_eq!(out.windows(2).any(|pair| pair[1] < pair[0] + 100), allowed);
        }
    }

    #[test]
    fn a_packet_held_back_holds_back_no_other() {
        let reordering = Reordering { allowed: false, probability: 0.1, extra_us: 5_000 };
        let mut link = propagation(DelayConfig { reordering, ..DelayConfig::default() });
        let late = (0..10_000).filter(|n| link.arrival(n * 1_000, 100) == n * 1_000 + 5_000).count();
        let mut again = propagation(DelayConfig { reordering, ..DelayConfig::default() });
        let punctual = (0..10_000).filter(|n| again.arrival(n * 1_000, 100) == n * 1_000).count();
        assert_eq!(late + punctual, 10_000);
        assert!((900..1_100).contains(&late), "{late}");
    }

    #[test]
    fn jitter_follows_a_trace() {
        let jitter = Jitter::Trace(vec![(1_000, 500), (3_000, 0)]);
        let mut link = propagation(DelayConfig { jitter, ..DelayConfig::default() });
        assert_eq!([0, 1_000, 2_000, 3_000].map(|t| link.arrival(t, 0) - t), [0, 500, 500, 0]);
    }
}
