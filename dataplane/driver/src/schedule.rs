//! How soon a thread that wakes is given a processor.

#![allow(unsafe_code)]

use std::io;

/// For how long a worker may keep a processor that others wait for, as sched(7) calls it its slice: the shortest that
/// Linux takes. In return the worker need not wait for the end of others' slices, which are 1.4 ms with two processors:
/// a recorder or a handshake that computes is interrupted at once.
const SLICE_NANOS: u64 = 100_000;

/// Gives the calling thread the shortest slice; its policy, niceness and share of the processors stay as they are, and no
/// privilege is needed. Linux before 6.12 leaves all as it was. Errors where slices mean nothing: a thread that somebody
/// has put before all others already.
pub(crate) fn take_short_slices() -> io::Result<()> {
    let mut wish = attributes()?;
    if wish.sched_policy != libc::SCHED_OTHER as u32 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    wish.sched_runtime = SLICE_NANOS;
    // SAFETY: the kernel reads as many bytes as `size` says, and the structure has; thread 0 is the calling one.
    match unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wish, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// How the calling thread is scheduled.
fn attributes() -> io::Result<libc::sched_attr> {
    let size = size_of::<libc::sched_attr>() as u32;
    // SAFETY: a plain structure, of which all zeros are a value.
    let mut found: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes at most `size` bytes; thread 0 is the calling one.
    match unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut found, size, 0) } {
        0 => Ok(found),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_has_the_slice_that_it_took_and_is_scheduled_as_before_otherwise() {
        let taken = thread::spawn(|| {
            let before = attributes()?;
            take_short_slices()?;
            attributes().map(|after| (before, after))
        });
        let (before, after) = taken.join().expect("no panic").expect("an ordinary thread");
        let kept = |of: &libc::sched_attr| (of.sched_policy, of.sched_nice, of.sched_priority);
        assert_eq!(kept(&before), kept(&after));
        // Linux before 6.12 knows none of an ordinary thread.
        assert!(after.sched_runtime == SLICE_NANOS || before.sched_runtime == 0);
    }
}
