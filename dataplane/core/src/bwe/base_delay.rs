//! The delay of an empty path: the least one-way delay of late, which follows the drift of two clocks.

/// How long one bucket of minima lasts, microseconds.
const BUCKET_US: i64 = 2_000_000;
/// Together 20 s: two clocks 100 ppm apart drift by 2 ms in that time, and no queue of ours stands as long.
const BUCKETS: usize = 10;

/// Least differences between two clocks, in buckets of time.
#[derive(Clone, Debug)]
pub struct BaseDelay {
    minima: [i64; BUCKETS],
    /// Number of the bucket that is filled now.
    bucket: i64,
    base: i64,
    held: bool,
}

impl Default for BaseDelay {
    fn default() -> BaseDelay {
        BaseDelay { minima: [i64::MAX; BUCKETS], bucket: 0, base: i64::MAX, held: false }
    }
}

impl BaseDelay {
    /// Notes a packet that took `delay_us` (arrival by the viewer's clock less sending by ours) and was sent at
    /// `sent_us`.
    pub fn note(&mut self, sent_us: i64, delay_us: i64) {
        let bucket = sent_us / BUCKET_US;
        let steps = (bucket - self.bucket).clamp(0, BUCKETS as i64);
        if steps > 0 {
            let least = if self.held { self.base } else { i64::MAX };
            for step in 1..=steps {
                self.minima[index(bucket - steps + step)] = least;
            }
            self.bucket = bucket;
            self.base = self.minima.iter().copied().min().unwrap_or(i64::MAX);
        }
        let least = &mut self.minima[index(self.bucket)];
        *least = (*least).min(delay_us);
        self.base = self.base.min(delay_us);
    }

    /// Whether the least delay is kept from now on: others fill the queue, so that the empty path does not show.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// The path itself became longer: what was measured before does not count any more.
    pub fn restart(&mut self, delay_us: i64) {
        self.minima = [i64::MAX; BUCKETS];
        self.minima[index(self.bucket)] = delay_us;
        self.base = delay_us;
    }

    /// Microseconds that a packet waited which took `delay_us`; 0 before anything is known.
    pub fn queueing(&self, delay_us: i64) -> i64 {
        if self.base == i64::MAX { 0 } else { (delay_us - self.base).max(0) }
    }
}

fn index(bucket: i64) -> usize {
    bucket.rem_euclid(BUCKETS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_drift_and_forgets_an_old_minimum() {
        let mut base = BaseDelay::default();
        assert_eq!(base.queueing(5), 0);
        for second in 0..60 {
            // 100 ppm.
            base.note(second * 1_000_000, -7_000_000 + second * 100);
        }
        let waited = base.queueing(-7_000_000 + 59 * 100 + 30_000);
        assert!((30_000..=32_000).contains(&waited), "{waited}");
    }

    #[test]
    fn what_is_held_is_kept_and_forgotten_when_it_is_let_go() {
        let mut base = BaseDelay::default();
        base.note(0, 50_000);
        base.hold(true);
        (1..60).for_each(|second| base.note(second * 1_000_000, 350_000));
        assert_eq!(base.queueing(350_000), 300_000);
        base.hold(false);
        (60..90).for_each(|second| base.note(second * 1_000_000, 350_000));
        assert_eq!(base.queueing(350_000), 0);
    }

    #[test]
    fn a_shorter_path_counts_at_once_and_a_longer_one_when_told() {
        let mut base = BaseDelay::default();
        base.note(0, 50_000);
        base.note(10_000, 30_000);
        assert_eq!(base.queueing(50_000), 20_000);
        base.restart(70_000);
        assert_eq!(base.queueing(75_000), 5_000);
        base.note(40_000_000, 90_000);
        assert_eq!(base.queueing(95_000), 5_000);
    }
}
