//! Rates over the last second or half of one, and the jitter of RFC 3550.

use crate::units::{Bitrate, MediaTime, Time};

const BUCKETS: usize = 10;

/// Bytes over ten buckets of time: one full second unless a type says otherwise.
#[derive(Clone, Debug, Default)]
pub struct RateMeter<const BUCKET_MICROS: u64 = 100_000> {
    buckets: [u64; BUCKETS],
    current: u64,
    /// Of all buckets.
    total: u64,
}

/// Bytes over the last half second.
pub type ShortRateMeter = RateMeter<50_000>;

impl<const BUCKET_MICROS: u64> RateMeter<BUCKET_MICROS> {
    /// Adds bytes.
    pub fn add(&mut self, now: Time, bytes: usize) {
        self.advance(now);
        self.buckets[self.current as usize % BUCKETS] += bytes as u64;
        self.total += bytes as u64;
    }

    /// The rate now.
    pub fn rate(&self, now: Time) -> Bitrate {
        // Buckets that have begun since the last byte are empty.
        let elapsed = (now.micros() / BUCKET_MICROS).saturating_sub(self.current).min(BUCKETS as u64);
        let expired = self.current + 1..=self.current + elapsed;
        let bytes = self.total - expired.map(|it| self.buckets[it as usize % BUCKETS]).sum::<u64>();
        // The running bucket is part of the window: at most 10 % too low, never too high.
        Bitrate(bytes * 8_000_000 / (BUCKETS as u64 * BUCKET_MICROS))
    }

    /// Whether what is added now begins a bucket; the rate is then told exactly by [`RateMeter::rate_before`].
    pub fn begins_bucket(&self, now: Time) -> bool {
        now.micros() / BUCKET_MICROS > self.current
    }

    /// The rate over the full buckets that ended before the one of `now`.
    pub fn rate_before(&self, now: Time) -> Bitrate {
        self.rate(Time((now.micros() / BUCKET_MICROS * BUCKET_MICROS).saturating_sub(1)))
    }

    fn advance(&mut self, now: Time) {
        let target = now.micros() / BUCKET_MICROS;
        let steps = target.saturating_sub(self.current).min(BUCKETS as u64);
        for step in 1..=steps {
            self.total -= std::mem::take(&mut self.buckets[(self.current + step) as usize % BUCKETS]);
        }
        self.current = self.current.max(target);
    }
}

/// Interarrival jitter (RFC 3550 section 6.4.1), in units of the RTP clock times 16.
#[derive(Clone, Debug, Default)]
pub struct Jitter {
    last_transit: Option<i64>,
    scaled: i64,
}

impl Jitter {
    /// Notes a packet that came in order.
    pub fn receive(&mut self, now: Time, time: MediaTime, clock_rate: u32) {
        let arrival = (u128::from(now.micros()) * u128::from(clock_rate) / 1_000_000) as i64;
        let transit = arrival - time.0 as i64;
        if let Some(last) = self.last_transit {
            // A jump of seconds is a new timestamp base, not jitter.
            let difference = (transit - last).abs().min(i64::from(clock_rate));
            self.scaled += difference - ((self.scaled + 8) >> 4);
        }
        self.last_transit = Some(transit);
    }

    /// In units of the RTP clock, as report blocks carry it.
    pub fn ticks(&self) -> u32 {
        (self.scaled >> 4).clamp(0, i64::from(u32::MAX)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_a_constant_rate_and_forgets_it() {
        let mut meter: RateMeter = RateMeter::default();
        for ms in 0..3_000 {
            meter.add(Time::from_millis(ms), 125);
        }
        let rate = meter.rate(Time::from_millis(2_999)).0;
        assert!((900_000..=1_000_000).contains(&rate), "{rate}");
        assert_eq!(meter.rate(Time::from_millis(9_000)), Bitrate(0));
    }

    #[test]
    fn jitter_converges_to_the_mean_difference() {
        let mut jitter = Jitter::default();
        for frame in 0..500_u64 {
            let late = if frame % 2 == 0 { 0 } else { 4 };
            jitter.receive(Time::from_millis(frame * 20 + late), MediaTime(frame * 960), 48_000);
        }
        let ms = jitter.ticks() / 48;
        assert!((3..=4).contains(&ms), "{ms}");
    }
}
