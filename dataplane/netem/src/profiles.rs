//! The loss profiles that the acceptance scenarios name.

use crate::delay::DelayStep;
use crate::loss::Loss;
use crate::random::{Direction, Random, Stage};

/// 2 % in bursts of 4 on average: 3G.
pub fn ge2x4() -> Loss {
    Loss::bursts(0.02, 4.0)
}

/// 5 % in bursts of 5 on average: bad Wi-Fi.
pub fn ge5x5() -> Loss {
    Loss::bursts(0.05, 5.0)
}

/// 10 % in bursts of 3 on average.
pub fn ge10x3() -> Loss {
    Loss::bursts(0.10, 3.0)
}

/// Independent loss of so many percent (IID1, IID5, IID10, IID20).
pub fn iid(percent: f64) -> Loss {
    Loss::Iid(percent / 100.0)
}

/// A low-orbit satellite link: 1 % independent loss, and every 15 s a gap of 120 ms together with a step of the base
/// delay to a value drawn evenly from 20 ms around `delay_us`, for `duration_us` from the start.
pub fn satellite(delay_us: u64, duration_us: u64, seed: u64, direction: Direction) -> (Loss, Vec<DelayStep>) {
    const PERIOD_US: u64 = 15_000_000;
    const GAP_US: u64 = 120_000;
    const SWING_US: u64 = 20_000;
    let mut random = Random::stream(seed, direction, Stage::DelaySteps);
    let moments = (1..).map(|n| n * PERIOD_US).take_while(|t| *t < duration_us);
    let gaps = moments.clone().map(|t| t..t + GAP_US).collect();
    let steps = moments
        .map(|t_us| {
            let delay_us = (delay_us + random.below(2 * SWING_US + 1)).saturating_sub(SWING_US);
            DelayStep { t_us, delay_us }
        })
        .collect();
    (Loss::Any(vec![Loss::Iid(0.01), Loss::Schedule(gaps)]), steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn satellite_steps_every_15_s_within_20_ms() {
        let (loss, steps) = satellite(75_000, 120_000_000, 5, Direction::Forward);
        assert_eq!(steps.len(), 7);
        assert!(steps.iter().all(|step| (55_000..=95_000).contains(&step.delay_us)));
        assert!(steps.windows(2).any(|pair| pair[0].delay_us != pair[1].delay_us));
        let Loss::Any(parts) = loss else { unreachable!() };
        let Loss::Schedule(gaps) = &parts[1] else { unreachable!() };
        assert_eq!(gaps[0], 15_000_000..15_120_000);
    }
}
