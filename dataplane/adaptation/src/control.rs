//! A plain delay- and loss-based rate control, for the ends that are not under test: a publisher that obeys
//! transport-wide feedback, and a receiver that sends REMB.
//!
//! Queue delay is the one-way delay above its minimum of the last ten seconds. While it stays low the rate rises - at
//! first to half as much again as what arrives, later by 8 % a second, or half as much again below what was lately
//! delivered; when it grows beyond [`OVERUSE`] the rate falls to 90 % of the most that was delivered in the last seconds,
//! for bursts of loss take from each measure, and waits until the queue is gone. Loss above 15 % takes half its share.

use std::collections::VecDeque;
use std::time::Duration;

use loupe_core::units::{Bitrate, Time};

/// Queue delay at which the link is overused, microseconds.
const OVERUSE: i64 = 50_000;
/// Queue delay below which the rate may rise, microseconds.
const CLEAR: i64 = 25_000;
/// How far back the smallest one-way delay counts.
const BASE_WINDOW: Duration = Duration::from_secs(10);
/// Over how long arrivals are summed.
const RATE_WINDOW: Duration = Duration::from_millis(500);
/// Between two falls, so that one queue is answered once.
const FALL_INTERVAL: Duration = Duration::from_millis(300);
const FALL_FACTOR: f64 = 0.9;
/// For how long a rate of delivery counts.
const DELIVERED_WINDOW: Duration = Duration::from_millis(1_500);
/// Rise a second after the start, and below what was lately delivered.
const RISE_A_SECOND: f64 = 0.08;
const RETURN_A_SECOND: f64 = 0.5;
/// While starting, the rate is this much of what arrives.
const START_FACTOR: f64 = 1.5;
/// Part of the packets that may be lost without effect.
const TOLERATED_LOSS: f64 = 0.15;
/// Loss is judged over so many packets: bursts must not look like much.
const JUDGED_PACKETS: u32 = 400;
const BOUNDS: (f64, f64) = (30_000.0, 20_000_000.0);

/// The control.
#[derive(Debug)]
pub struct RateControl {
    rate: f64,
    starting: bool,
    /// Without traffic there is no news of the link: the rate does not rise far beyond what arrives.
    bounded_by_traffic: bool,
    /// One-way delays by receiver time, rising: the first is the smallest of the window.
    base: VecDeque<(Time, i64)>,
    arrivals: VecDeque<(Time, usize)>,
    /// Rates of delivery at the last updates.
    measured: VecDeque<(Time, f64)>,
    queue_delay: i64,
    /// Packets lost and packets in all since loss was last judged.
    counted: (u32, u32),
    last_update: Option<Time>,
    last_fall: Option<Time>,
}

impl RateControl {
    /// Begins at this rate.
    pub fn new(start: Bitrate) -> RateControl {
        RateControl {
            rate: start.0 as f64,
            starting: true,
            bounded_by_traffic: true,
            base: VecDeque::new(),
            arrivals: VecDeque::new(),
            measured: VecDeque::new(),
            queue_delay: 0,
            counted: (0, 0),
            last_update: None,
            last_fall: None,
        }
    }

    /// The same, rising even when little is sent, as estimators do whose sender cannot probe.
    #[must_use]
    pub fn unbounded_by_traffic(mut self) -> RateControl {
        self.bounded_by_traffic = false;
        self
    }

    /// What may be sent.
    pub fn rate(&self) -> Bitrate {
        Bitrate(self.rate as u64)
    }

    /// A packet of `bytes` that took `delay` (up to a constant), known by the receiver's clock at `now`.
    pub fn receive(&mut self, now: Time, delay: i64, bytes: usize) {
        while self.base.back().is_some_and(|(_, known)| *known >= delay) {
            self.base.pop_back();
        }
        self.base.push_back((now, delay));
        while self.base.front().is_some_and(|(at, _)| now.since(*at) > BASE_WINDOW) {
            self.base.pop_front();
        }
        let least = self.base.front().map_or(delay, |(_, least)| *least);
        self.queue_delay += (delay - least - self.queue_delay) / 4;
        self.arrivals.push_back((now, bytes));
        while self.arrivals.front().is_some_and(|(at, _)| now.since(*at) > RATE_WINDOW) {
            self.arrivals.pop_front();
        }
    }

    /// What arrived lately.
    pub fn delivered(&self) -> Bitrate {
        let (Some((first, _)), Some((last, _))) = (self.arrivals.front(), self.arrivals.back()) else {
            return Bitrate(0);
        };
        let span = last.since(*first).as_micros().max(100_000) as u64;
        let bytes: usize = self.arrivals.iter().skip(1).map(|(_, bytes)| bytes).sum();
        Bitrate(bytes as u64 * 8_000_000 / span)
    }

    /// The most that was delivered lately.
    fn most_delivered(&mut self, now: Time) -> f64 {
        self.measured.push_back((now, self.delivered().0 as f64));
        while self.measured.front().is_some_and(|(at, _)| now.since(*at) > DELIVERED_WINDOW) {
            self.measured.pop_front();
        }
        self.measured.iter().map(|(_, rate)| *rate).fold(0.0, f64::max)
    }

    /// Draws the consequences, after one report about `all` packets of which `lost` did not come.
    pub fn update(&mut self, now: Time, lost: u32, all: u32) {
        let loss = self.judge_loss(lost, all);
        let elapsed = self.last_update.map_or(0.05, |last| now.since(last).as_secs_f64().min(0.5));
        self.last_update = Some(now);
        let delivered = self.most_delivered(now);
        let may_fall = self.last_fall.is_none_or(|last| now.since(last) >= FALL_INTERVAL);
        if self.queue_delay > OVERUSE {
            if may_fall && delivered > 0.0 {
                self.rate = self.rate.min(delivered * FALL_FACTOR);
                self.last_fall = Some(now);
            }
            self.starting = false;
        } else if loss > TOLERATED_LOSS {
            if may_fall {
                self.rate *= 1.0 - loss / 2.0;
                self.last_fall = Some(now);
            }
            self.starting = false;
        } else if self.queue_delay < CLEAR {
            let aim = if self.starting { delivered * START_FACTOR } else { 0.0 };
            let rise = if self.rate < delivered * FALL_FACTOR { RETURN_A_SECOND } else { RISE_A_SECOND };
            let risen = self.rate * (1.0 + rise * elapsed);
            let most =
                if self.bounded_by_traffic { (delivered * START_FACTOR).max(self.rate) } else { BOUNDS.1 };
            self.rate = risen.max(aim).min(most);
        }
        self.rate = self.rate.clamp(BOUNDS.0, BOUNDS.1);
    }

    /// Part of the packets that were lost, as soon as there are enough to say; 0 before.
    fn judge_loss(&mut self, lost: u32, all: u32) -> f64 {
        self.counted = (self.counted.0 + lost, self.counted.1 + all);
        if self.counted.1 < JUDGED_PACKETS {
            return 0.0;
        }
        let (lost, all) = std::mem::take(&mut self.counted);
        f64::from(lost) / f64::from(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of `capacity`, fed at the control's own rate for `ms`, with a report every 50 ms.
    fn run(control: &mut RateControl, capacity: u64, from_ms: u64, ms: u64) -> Vec<u64> {
        let (mut free, mut sent) = (Time::from_millis(from_ms), Time::from_millis(from_ms));
        let mut rates = Vec::new();
        let mut report = sent + Duration::from_millis(50);
        while sent < Time::from_millis(from_ms + ms) {
            free = free.max(sent) + Duration::from_micros(1_200 * 8_000_000 / capacity);
            let arrival = free + Duration::from_millis(60);
            control.receive(arrival, arrival.since(sent).as_micros() as i64, 1_200);
            sent += Duration::from_micros(1_200 * 8_000_000 / control.rate().0);
            if sent >= report {
                control.update(arrival, 0, 5);
                report += Duration::from_millis(50);
                rates.push(control.rate().0);
            }
        }
        rates
    }

    #[test]
    fn finds_the_capacity_and_follows_it() {
        let mut control = RateControl::new(Bitrate(300_000));
        let rates = run(&mut control, 1_000_000, 0, 10_000);
        assert!(rates[40..].iter().all(|rate| (600_000..1_300_000).contains(rate)), "{rates:?}");
        let rates = run(&mut control, 400_000, 10_000, 10_000);
        assert!(rates[40..].iter().all(|rate| (250_000..520_000).contains(rate)), "{rates:?}");
    }

    #[test]
    fn little_loss_is_borne_and_much_is_not() {
        for (lost, falls) in [(1, false), (4, true)] {
            let mut control = RateControl::new(Bitrate(1_000_000));
            let mut fell = false;
            for n in 0..1_000 {
                let now = Time::from_millis(n * 10);
                control.receive(now, 50_000, 1_250);
                if n % 5 == 4 {
                    let before = control.rate();
                    control.update(now, lost, 20);
                    fell |= control.rate() < before;
                }
            }
            assert_eq!(fell, falls, "{lost} of 20");
        }
    }
}
