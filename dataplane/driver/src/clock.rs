//! The driver's clock: what the core receives as `now`.

use std::time::Instant;

use loupe_core::tap::SystemClocks;
use loupe_core::units::Time;
use rustix::time::{ClockId, clock_gettime};

/// A monotonic clock in microseconds since its own start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that shows zero now.
    pub(crate) fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    /// Microseconds since the start.
    pub(crate) fn now(&self) -> Time {
        Time(self.origin.elapsed().as_micros() as u64)
    }
}

/// What the system's clocks show, for records of several workers and runs to share one axis.
pub(crate) fn system_clocks() -> SystemClocks {
    let micros = |clock| {
        let now = clock_gettime(clock);
        // Both clocks are after their epochs.
        (now.tv_sec as u64) * 1_000_000 + now.tv_nsec as u64 / 1_000
    };
    SystemClocks { monotonic_micros: micros(ClockId::Monotonic), unix_micros: micros(ClockId::Realtime) }
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
    fn time_never_goes_back() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(clock.now() >= first);
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
