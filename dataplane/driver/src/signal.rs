//! A descriptor that is readable while something waits: one system call per batch, not per item.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// An eventfd that is written only when it is not already raised.
///
/// A writer puts its thing in, then swaps the flag; a reader empties the descriptor, then swaps the flag, then takes
/// things out. So either the reader's swap comes later and it finds the thing, or the writer's comes later and it
/// writes again. (Emptying after the swap could clear a descriptor whose flag stays raised: a lost wake-up.)
#[derive(Debug)]
pub(crate) struct Signal {
    descriptor: OwnedFd,
    raised: AtomicBool,
}

impl Signal {
    /// A lowered signal. Fails when the process has no descriptor left.
    pub(crate) fn new() -> io::Result<Signal> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Signal { descriptor, raised: AtomicBool::new(false) })
    }

    /// Makes the descriptor readable. Call after putting the thing where the reader finds it.
    pub(crate) fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            // The only failure is a counter at its limit of 2^64 - 2; the descriptor is readable then, too.
            let _ = rustix::io::write(&self.descriptor, &1_u64.to_ne_bytes());
        }
    }

    /// Makes the descriptor unreadable. Call before taking things out.
    pub(crate) fn lower(&self) {
        // `WouldBlock` when a writer has swapped but not written yet: its write then causes one idle wake-up.
        let _ = rustix::io::read(&self.descriptor, &mut [0_u8; 8]);
        self.raised.swap(false, Ordering::AcqRel);
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn no_wake_up_is_lost_between_two_threads() {
        const ITEMS: u64 = 100_000;
        let signal = Arc::new(Signal::new().expect("an eventfd"));
        let put = Arc::new(AtomicU64::new(0));
        let writer = {
            let (signal, put) = (Arc::clone(&signal), Arc::clone(&put));
            std::thread::spawn(move || {
                for _ in 0..ITEMS {
                    put.fetch_add(1, Ordering::AcqRel);
                    signal.raise();
                }
            })
        };
        let mut taken = 0;
        while taken < ITEMS {
            // Sleeps without limit: a lost wake-up would hang here.
            poll(&mut [PollFd::new(&*signal, PollFlags::IN)], None).expect("one open descriptor");
            signal.lower();
            taken += put.swap(0, Ordering::AcqRel);
        }
        writer.join().expect("the writer does not panic");
    }
}
