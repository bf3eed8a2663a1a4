//! What a call allocates, counted while somebody asks.
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

static COUNTING: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
/// Bytes that are held beyond those at the start, below 0 where more was freed.
static HELD: AtomicI64 = AtomicI64::new(0);
static HIGHEST: AtomicI64 = AtomicI64::new(0);

/// The system's allocator, for a program's `#[global_allocator]`: counts within [`allocated`], costs one look at a flag
/// elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

impl CountingAllocator {
    fn note(bytes: usize) {
        if COUNTING.load(Ordering::Relaxed) {
            COUNT.fetch_add(1, Ordering::Relaxed);
            BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
            let before = HELD.fetch_add(bytes as i64, Ordering::Relaxed);
            HIGHEST.fetch_max(before + bytes as i64, Ordering::Relaxed);
        }
    }

    fn note_free(bytes: usize) {
        if COUNTING.load(Ordering::Relaxed) {
            HELD.fetch_sub(bytes as i64, Ordering::Relaxed);
        }
    }
}

// SAFETY: hands everything to the system's allocator, as it came.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::note(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::note(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks may be there while it is moved.
        Self::note(size);
        Self::note_free(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        Self::note_free(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

/// How often and how much was allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocated {
    /// Allocations; one that grows counts again.
    pub count: u64,
    /// Bytes of all of them together.
    pub bytes: u64,
    /// The most that was held at once beyond what was held at the start.
    pub peak_bytes: u64,
}

/// What all threads of this process allocate during `call`; nothing where its allocator is not [`CountingAllocator`].
///
/// One at a time: two that overlap count for each other.
pub fn allocated(call: impl FnOnce()) -> Option<Allocated> {
    COUNT.store(0, Ordering::Relaxed);
    COUNTING.store(true, Ordering::SeqCst);
    // One of our own tells whether anybody counts.
    drop(black_box(Box::new(0_u8)));
    let counted = COUNT.swap(0, Ordering::Relaxed) > 0;
    BYTES.store(0, Ordering::Relaxed);
    HELD.store(0, Ordering::Relaxed);
    HIGHEST.store(0, Ordering::Relaxed);
    call();
    COUNTING.store(false, Ordering::SeqCst);
    counted.then(|| Allocated {
        count: COUNT.load(Ordering::Relaxed),
        bytes: BYTES.load(Ordering::Relaxed),
        peak_bytes: HIGHEST.load(Ordering::Relaxed).max(0).cast_unsigned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_count_says_nothing() {
        let mut called = false;
        assert_eq!(allocated(|| called = true), None);
        assert!(called);
    }
}
