//! Loss at the entry of a link.

use std::ops::Range;

use crate::random::{Direction, Probability, Random, Stage};

/// Which packets are lost. Probabilities outside `0.0..=1.0` are taken as the nearer bound.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each packet alike, independent of the others.
    Iid(f64),
    /// A two-state chain, advanced once per packet before deciding, that starts in Good (Gilbert-Elliott).
    GilbertElliott {
        /// Probability of going from Good to Bad.
        p: f64,
        /// Probability of going from Bad to Good; the mean stay in Bad is 1/r packets.
        r: f64,
        /// Probability that a packet is lost in Bad.
        loss_bad: f64,
        /// Probability that a packet is lost in Good.
        loss_good: f64,
    },
    /// Everything pushed within these times, in microseconds.
    Schedule(Vec<Range<u64>>),
    /// The n-th packet is lost when the n-th bit is set; begins again at the end. Empty loses nothing.
    Trace(Vec<bool>),
    /// Outages whose lengths and distances are exponential, drawn once when the link is made.
    Outages {
        /// Mean time between outages, microseconds.
        mean_good_us: u64,
        /// Mean length of an outage, microseconds.
        mean_bad_us: u64,
        /// For how long outages are drawn; then they repeat. Microseconds.
        horizon_us: u64,
    },
    /// A packet is lost when any of these loses it; each draws from a stream of its own.
    Any(Vec<Loss>),
}

impl Loss {
    /// A Gilbert-Elliott chain that loses everything in Bad and nothing in Good, from the share of packets lost
    /// (below 1) and the mean length of a burst in packets (at least 1): r = 1/burst, p = share * r / (1 - share).
    pub fn bursts(share: f64, mean_burst: f64) -> Loss {
        let r = 1.0 / mean_burst;
        Loss::GilbertElliott { p: share * r / (1.0 - share), r, loss_bad: 1.0, loss_good: 0.0 }
    }
}

/// A loss at work.
#[derive(Clone, Debug)]
pub(crate) enum LossProcess {
    Never,
    Iid { random: Random, lost: Probability },
    Chain(Chain),
    Windows { windows: Vec<Range<u64>>, period_us: Option<u64> },
    Trace { bits: Vec<bool>, next: usize },
    Any(Vec<LossProcess>),
}

/// The Gilbert-Elliott chain.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    random: Random,
    to_bad: Probability,
    to_good: Probability,
    loss_bad: Probability,
    loss_good: Probability,
    bad: bool,
}

impl LossProcess {
    pub(crate) fn new(loss: &Loss, seed: u64, direction: Direction) -> LossProcess {
        LossProcess::part(loss, seed, direction, &mut 0)
    }

    fn part(loss: &Loss, seed: u64, direction: Direction, parts: &mut u32) -> LossProcess {
        let random = Random::stream(seed, direction, Stage::Loss(*parts));
        *parts += 1;
        match loss {
            Loss::None => LossProcess::Never,
            Loss::Iid(share) => LossProcess::Iid { random, lost: Probability::new(*share) },
            Loss::GilbertElliott { p, r, loss_bad, loss_good } => LossProcess::Chain(Chain {
                random,
                to_bad: Probability::new(*p),
                to_good: Probability::new(*r),
                loss_bad: Probability::new(*loss_bad),
                loss_good: Probability::new(*loss_good),
                bad: false,
            }),
            Loss::Schedule(windows) => LossProcess::Windows { windows: windows.clone(), period_us: None },
            Loss::Trace(bits) => LossProcess::Trace { bits: bits.clone(), next: 0 },
            Loss::Outages { mean_good_us, mean_bad_us, horizon_us } => LossProcess::Windows {
                windows: draw_outages(random, *mean_good_us, *mean_bad_us, *horizon_us),
                period_us: Some((*horizon_us).max(1)),
            },
            Loss::Any(losses) => {
                LossProcess::Any(losses.iter().map(|loss| Self::part(loss, seed, direction, parts)).collect())
            }
        }
    }

    /// Whether the packet pushed now is lost; called once per packet.
    pub(crate) fn loses(&mut self, t_us: u64) -> bool {
        match self {
            LossProcess::Never => false,
            LossProcess::Iid { random, lost } => random.chance(*lost),
            LossProcess::Chain(chain) => chain.loses(),
            LossProcess::Windows { windows, period_us } => {
                let t_us = period_us.map_or(t_us, |period| t_us % period);
                windows.iter().any(|window| window.contains(&t_us))
            }
            LossProcess::Trace { bits, next } => {
                let lost = bits.get(*next).copied().unwrap_or(false);
                *next = if *next + 1 < bits.len() { *next + 1 } else { 0 };
                lost
            }
            // All are asked, for each must see every packet.
            LossProcess::Any(losses) => losses.iter_mut().fold(false, |lost, loss| loss.loses(t_us) | lost),
        }
    }
}

impl Chain {
    fn loses(&mut self) -> bool {
        let turns = self.random.chance(if self.bad { self.to_good } else { self.to_bad });
        self.bad ^= turns;
        self.random.chance(if self.bad { self.loss_bad } else { self.loss_good })
    }
}

fn draw_outages(mut random: Random, good_us: u64, bad_us: u64, horizon_us: u64) -> Vec<Range<u64>> {
    let mut outages = Vec::new();
    let mut t = 0_u64;
    loop {
        let start = t.saturating_add((random.exponential() * good_us as f64) as u64);
        // At least a microsecond, so that the list ends.
        let end = start.saturating_add(((random.exponential() * bad_us as f64) as u64).max(1));
        if start >= horizon_us {
            return outages;
        }
        outages.push(start..end.min(horizon_us));
        t = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(loss: &Loss, packets: usize) -> Vec<bool> {
        let mut process = LossProcess::new(loss, 1, Direction::Forward);
        (0..packets).map(|n| process.loses(n as u64 * 1_000)).collect()
    }

    #[test]
    fn burst_parameters_are_those_of_the_profiles() {
        let Loss::GilbertElliott { p, r, .. } = Loss::bursts(0.05, 5.0) else { unreachable!() };
        assert!((p - 0.010_526).abs() < 1e-6 && (r - 0.2).abs() < 1e-9, "{p} {r}");
    }

    #[test]
    fn chain_starts_good_and_is_advanced_before_the_first_packet() {
        let certain = Loss::GilbertElliott { p: 1.0, r: 1.0, loss_bad: 1.0, loss_good: 0.0 };
        assert_eq!(run(&certain, 4), [true, false, true, false]);
    }

    #[test]
    fn schedule_is_half_open() {
        let lost = run(&Loss::Schedule(vec![1_000..2_000, 2_000..3_000]), 5);
        assert_eq!(lost, [false, true, true, false, false]);
    }

    #[test]
    fn trace_begins_again() {
        let lost = run(&Loss::Trace(vec![true, false, false]), 5);
        assert_eq!(lost, [true, false, false, true, false]);
        assert_eq!(run(&Loss::Trace(vec![]), 2), [false, false]);
    }

    #[test]
    fn outages_take_their_share_of_time() {
        let loss = Loss::Outages { mean_good_us: 900_000, mean_bad_us: 100_000, horizon_us: 1_000_000_000 };
        let count = run(&loss, 1_000_000).iter().filter(|lost| **lost).count();
        assert!((85_000..115_000).contains(&count), "{count}");
    }

    #[test]
    fn any_joins_and_keeps_each_ones_place() {
        let joined = Loss::Any(vec![Loss::Trace(vec![true, false]), Loss::Trace(vec![false, false, true])]);
        assert_eq!(run(&joined, 6), [true, false, true, false, true, true]);
    }
}
