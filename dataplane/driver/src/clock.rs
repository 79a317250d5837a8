//! The driver's clock: what the core receives as `now`.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use loupe_core::units::{NtpTime, Time};
use rustix::time::{ClockId, clock_gettime};

/// A monotonic clock in microseconds since its own start, and the wall clock at that start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    epoch: NtpTime,
}

impl Clock {
    /// A clock that shows zero now. A wall clock before 1970 counts as 1970.
    pub(crate) fn start() -> Clock {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { origin: Instant::now(), epoch: NtpTime::from_unix_micros(since_1970.as_micros() as u64) }
    }

    /// Microseconds since the start.
    pub(crate) fn now(&self) -> Time {
        Time(self.origin.elapsed().as_micros() as u64)
    }

    /// The wall clock at [`Time::ZERO`].
    pub(crate) fn epoch(&self) -> NtpTime {
        self.epoch
    }
}

/// Seconds of processor time that the calling thread has used.
pub(crate) fn thread_busy_seconds() -> f64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back_and_the_epoch_is_this_century() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(clock.now() >= first);
        let year_2020 = NtpTime::from_unix_micros(1_577_836_800_000_000);
        assert!(clock.epoch() > year_2020);
    }

    #[test]
    fn busy_seconds_grow_with_work() {
        let before = thread_busy_seconds();
        let mut sum = 0_u64;
        while thread_busy_seconds() - before < 0.001 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
    }
}
