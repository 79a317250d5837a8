//! A panic of one worker ends that worker only, and is told without any value it may carry.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Where this thread panicked; set only on workers' threads.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether this thread is a worker's.
    static IS_WORKER: RefCell<bool> = const { RefCell::new(false) };
}

/// Runs a worker's body to its end; an error says where it panicked and, when the message is a constant of the
/// program, why. Formatted messages are left out: they may hold what a packet held.
pub(crate) fn isolate(body: impl FnOnce()) -> Result<(), String> {
    silence_workers();
    IS_WORKER.with_borrow_mut(|worker| *worker = true);
    // Everything the body could leave half-changed is owned by it and dropped with it.
    let outcome = catch_unwind(AssertUnwindSafe(body));
    IS_WORKER.with_borrow_mut(|worker| *worker = false);
    outcome.map_err(|payload| reason(payload.as_ref()))
}

fn reason(payload: &(dyn Any + Send)) -> String {
    let message = payload.downcast_ref::<&'static str>().copied().unwrap_or("panic");
    let place = PLACE.take().unwrap_or_else(|| "an unknown place".to_owned());
    format!("{message} at {place}")
}

/// The default hook prints a panic's message to the standard error stream. A worker's is kept from there: only its
/// place is noted. All other threads keep the hook they had.
fn silence_workers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            // A thread that is being torn down has no locals left, and is no worker's.
            if IS_WORKER.try_with(|worker| *worker.borrow()).unwrap_or(false) {
                PLACE.set(info.location().map(place));
            } else {
                previous(info);
            }
        }));
    });
}

/// The last directories of a path tell which file it is; the first tell where it was built.
fn place(location: &Location<'_>) -> String {
    const KEPT: usize = 3;
    let parts: Vec<_> = location.file().split('/').collect();
    let kept = parts.get(parts.len().saturating_sub(KEPT)..).unwrap_or_default();
    format!("{}:{}", kept.join("/"), location.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_ends_is_no_failure() {
        assert_eq!(isolate(|| {}), Ok(()));
    }

    #[test]
    fn a_constant_message_and_the_place_are_told() {
        let reason = isolate(|| panic!("a broken invariant")).expect_err("it panicked");
        assert!(reason.starts_with("a broken invariant at driver/src/isolate.rs:"), "{reason}");
    }

    #[test]
    fn a_message_with_a_value_is_not_told() {
        let secret = std::hint::black_box("name of a patient");
        let reason = isolate(|| panic!("cannot forward {secret}")).expect_err("it panicked");
        assert!(reason.starts_with("panic at driver/src/isolate.rs:"), "{reason}");
    }

    #[test]
    fn an_index_out_of_bounds_is_told_by_its_place() {
        let empty: Vec<u8> = std::hint::black_box(Vec::new());
        let reason = isolate(|| assert_eq!(empty[7], 0)).expect_err("it panicked");
        assert!(reason.starts_with("panic at driver/src/isolate.rs:"), "{reason}");
    }
}
