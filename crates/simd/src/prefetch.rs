//! A hint of what is read next.

/// Bytes of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Asks for `numbers` to be brought into the caches, where the processor takes such hints.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "an instruction that reads nothing")]
pub fn prefetch<T>(numbers: &[T]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let start = numbers.as_ptr().cast::<i8>();
    for line in (0..size_of_val(numbers)).step_by(LINE) {
        // SAFETY: a hint for an address within the slice; it neither reads nor faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(line)) }
    }
}

/// As above.
#[cfg(not(target_arch = "x86_64"))]
pub fn prefetch<T>(_numbers: &[T]) {}
