//! A slice whose parts are written by several threads.
#![expect(unsafe_code, reason = "what tasks write apart from each other need not lie together")]

use std::marker::PhantomData;
use std::ops::Range;

/// Lends a slice to tasks, each of which writes numbers of its own.
pub struct Pieces<'a> {
    start: *mut f32,
    length: usize,
    lent: PhantomData<&'a mut [f32]>,
}

// SAFETY: numbers can be written from any thread, and whoever takes a piece promises that nobody else has it.
unsafe impl Sync for Pieces<'_> {}

impl<'a> Pieces<'a> {
    pub fn new(all: &'a mut [f32]) -> Self {
        Self { start: all.as_mut_ptr(), length: all.len(), lent: PhantomData }
    }

    /// # Safety
    /// Nobody has another piece of these numbers while this one is in use.
    pub unsafe fn piece(&self, at: Range<usize>) -> &'a mut [f32] {
        assert!(at.start <= at.end && at.end <= self.length, "{at:?} of {}", self.length);
        // SAFETY: within the slice, which is lent for 'a, and apart from all other pieces.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at.start), at.len()) }
    }

    /// Where number `at` lies; whoever writes there answers for it.
    pub fn pointer(&self, at: usize) -> *mut f32 {
        assert!(at < self.length, "{at} of {}", self.length);
        self.start.wrapping_add(at)
    }
}
