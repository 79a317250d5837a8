//! The loss profiles that the acceptance scenarios name.

use crate::delay::{DelayStep, Jitter};
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

/// A Wi-Fi link that now and then holds everything back and then lets it go at once: stalls of 0.2 to 1 s, evenly
/// drawn, exponentially apart with `mean_gap_us` between the end of one and the start of the next.
pub fn wifi_stalls(mean_gap_us: u64, duration_us: u64, seed: u64, direction: Direction) -> Jitter {
    const SHORTEST_US: u64 = 200_000;
    const LONGEST_US: u64 = 1_000_000;
    /// Steps in which the extra delay falls to zero: the end of a stall is sharp to within one.
    const STEP_US: u64 = 1_000;
    let mut random = Random::stream(seed, direction, Stage::DelaySpikes);
    let mut extra = Vec::new();
    let mut t = 0_u64;
    loop {
        let start = t.saturating_add((random.exponential() * mean_gap_us as f64) as u64);
        let length = SHORTEST_US + random.below(LONGEST_US - SHORTEST_US + 1);
        if start >= duration_us {
            return Jitter::Trace(extra);
        }
        extra.extend((0..=length / STEP_US).map(|n| (start + n * STEP_US, length - n * STEP_US)));
        extra.push((start + length, 0));
        t = start + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalls_hold_back_for_as_long_as_they_last() {
        let Jitter::Trace(extra) = wifi_stalls(15_000_000, 600_000_000, 3, Direction::Forward) else {
            unreachable!()
        };
        let starts: Vec<(u64, u64)> =
            extra.windows(2).filter(|pair| pair[0].1 == 0 && pair[1].1 > 0).map(|pair| pair[1]).collect();
        // 600 s with 15.6 s from one to the next: about 38.
        assert!((20..60).contains(&starts.len()), "{}", starts.len());
        assert!(starts.iter().all(|(_, length)| (200_000..=1_000_000).contains(length)));
        // What enters at any moment of a stall leaves at its end.
        assert!(extra.windows(2).all(|pair| pair[1].0 >= pair[0].0));
        let (start, length) = starts[0];
        let at = |t| extra.iter().rev().find(|step| step.0 <= t).map_or(0, |step| step.1);
        let middle = start + length / 2;
        assert!((middle + at(middle)).abs_diff(start + length) <= 1_000);
        assert_eq!(at(start + length), 0);
    }

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
