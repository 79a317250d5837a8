//! Asks memory for what is needed soon: a hint to the processor, without any effect but time.
#![allow(unsafe_code)]

/// Bytes that come from memory at once, on all processors that we build for; with a smaller line every other is missed.
const LINE: usize = 64;

/// Begins to bring the whole of `value` into the nearest cache; what it points to stays where it is.
#[inline]
pub fn prefetch<T: ?Sized>(value: &T) {
    prefetch_head(value, size_of_val(value));
}

/// The same for its first `bytes` alone.
#[inline]
pub fn prefetch_head<T: ?Sized>(value: &T, bytes: usize) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    for offset in (0..bytes).step_by(LINE) {
        line(start.wrapping_add(offset));
    }
    if align_of_val(value) < LINE {
        // Its end may lie on another line.
        line(start.wrapping_add(bytes.saturating_sub(1)));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn line(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint reads nothing that the program could see and faults at no address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

#[cfg(target_arch = "aarch64")]
#[inline]
fn line(address: *const u8) {
    // SAFETY: a hint reads nothing that the program could see and faults at no address.
    unsafe { std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, preserves_flags)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline]
fn line(_address: *const u8) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_may_be_asked_for_and_stays_as_it_is() {
        let (large, slice) = ([7_u8; 1_000], [1_u16, 2, 3].as_slice());
        prefetch(&());
        prefetch(&large);
        prefetch(slice);
        prefetch::<[u64]>(&[]);
        assert_eq!((large, slice), ([7; 1_000], [1, 2, 3].as_slice()));
    }
}
