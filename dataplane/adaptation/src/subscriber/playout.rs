//! How long what arrived is held back so that what comes later is still in time.

use std::collections::VecDeque;
use std::time::Duration;

use loupe_core::units::Time;

/// Sound in one packet, microseconds.
pub(super) const PACKET_US: u64 = 20_000;
/// How far back delays count.
const WINDOW: Duration = Duration::from_secs(10);

/// When to play: at capture time plus this delay, or when decodable, whichever is later.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PlayoutConfig {
    /// Part of the last ten seconds' delays, in percent, that playing waits for.
    pub percentile: f64,
    /// The most that it waits above the smallest of them, microseconds.
    pub cap_us: u64,
    /// What it waits above the smallest is whole steps of this, microseconds.
    pub step_us: u64,
}

impl PlayoutConfig {
    /// Pictures.
    pub const PICTURES: PlayoutConfig = PlayoutConfig { percentile: 95.0, cap_us: 400_000, step_us: 1 };
    /// Sound. Of pictures the latest twentieth is shown late; of sound it would be concealed, on any link and whatever
    /// the sender did. So sound waits for all that the cap allows, as a browser told to do so (`jitterBufferTarget`), and
    /// in whole packets, as `NetEq` does.
    pub const SOUND: PlayoutConfig = PlayoutConfig { percentile: 100.0, cap_us: 200_000, step_us: PACKET_US };
}

/// The delays of the last ten seconds, from capture to whole.
#[derive(Clone, Debug)]
pub struct Playout {
    config: PlayoutConfig,
    recent: VecDeque<(Time, u64)>,
    rising: Vec<u64>,
}

impl Playout {
    /// No delay known.
    pub fn new(config: PlayoutConfig) -> Playout {
        Playout { config, recent: VecDeque::new(), rising: Vec::new() }
    }

    /// A frame became whole at `now`, `delay_us` after its capture.
    pub fn note(&mut self, now: Time, delay_us: u64) {
        while let Some((at, old)) = self.recent.front().copied().filter(|(at, _)| now.since(*at) > WINDOW) {
            debug_assert!(at < now);
            self.recent.pop_front();
            if let Ok(place) = self.rising.binary_search(&old) {
                self.rising.remove(place);
            }
        }
        self.recent.push_back((now, delay_us));
        let place = self.rising.partition_point(|known| *known < delay_us);
        self.rising.insert(place, delay_us);
    }

    /// From capture to play; zero before anything is known.
    pub fn delay(&self) -> Duration {
        let Some(least) = self.rising.first() else { return Duration::ZERO };
        let rank = (self.rising.len() as f64 * self.config.percentile / 100.0).ceil() as usize;
        let above = self.rising[rank.clamp(1, self.rising.len()) - 1] - least;
        let steps = above.next_multiple_of(self.config.step_us.max(1));
        Duration::from_micros(least + steps.min(self.config.cap_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_95_of_100_but_not_beyond_the_cap() {
        let mut playout = Playout::new(PlayoutConfig { cap_us: 200_000, ..PlayoutConfig::PICTURES });
        assert_eq!(playout.delay(), Duration::ZERO);
        for n in 1..=100_u64 {
            playout.note(Time::from_millis(n), n * 1_000);
        }
        assert_eq!(playout.delay(), Duration::from_millis(95));
        for n in 101..=200_u64 {
            playout.note(Time::from_millis(n), 900_000);
        }
        assert_eq!(playout.delay(), Duration::from_millis(201));
    }

    #[test]
    fn sound_waits_for_whole_packets() {
        let mut playout = Playout::new(PlayoutConfig::SOUND);
        playout.note(Time::ZERO, 50_000);
        assert_eq!(playout.delay(), Duration::from_millis(50));
        playout.note(Time::ZERO, 50_001);
        assert_eq!(playout.delay(), Duration::from_millis(70));
        playout.note(Time::ZERO, 400_000);
        assert_eq!(playout.delay(), Duration::from_millis(250));
    }

    #[test]
    fn forgets_after_ten_seconds() {
        let mut playout = Playout::new(PlayoutConfig::PICTURES);
        playout.note(Time::ZERO, 300_000);
        playout.note(Time::from_millis(5_000), 50_000);
        assert_eq!(playout.delay(), Duration::from_millis(300));
        playout.note(Time::from_millis(10_001), 50_000);
        assert_eq!(playout.delay(), Duration::from_millis(50));
    }
}
