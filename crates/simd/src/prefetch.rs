//! A hint of what is read next.

/// Where numbers lie that are read soon.
#[derive(Debug, Clone, Copy)]
pub struct Soon {
    start: *const i8,
    /// Bytes of a number.
    size: usize,
}

impl Soon {
    /// `numbers`, from the first on.
    pub fn of<T>(numbers: &[T]) -> Self {
        Self::at(numbers.as_ptr())
    }

    /// The same by a pointer, which is not read.
    pub fn at<T>(start: *const T) -> Self {
        Self { start: start.cast(), size: size_of::<T>() }
    }

    /// Asks for the cache line of number `index`, where the processor takes such hints. It may lie behind the last one.
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "an instruction that reads nothing")]
    #[inline(always)]
    pub fn ask(self, index: usize) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which neither reads nor faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(self.start.wrapping_add(index * self.size)) }
    }

    /// As above.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    pub fn ask(self, _index: usize) {
        let Self { start: _, size: _ } = self;
    }
}
