//! What a call allocates, counted or recorded while somebody asks.
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

static COUNTING: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
/// Bytes that are held beyond those at the start, below 0 where more was freed.
static HELD: AtomicI64 = AtomicI64::new(0);
static HIGHEST: AtomicI64 = AtomicI64::new(0);

/// Events that are recorded at most.
const MOST: usize = 1 << 16;

/// Bytes of a block from which on it is recorded: a page. Smaller ones lie where an allocator keeps many of a size.
const LEAST: usize = 1 << 12;

static RECORDING: AtomicBool = AtomicBool::new(false);
static EVENTS: AtomicUsize = AtomicUsize::new(0);
/// Of each event the address of its block, and twice its bytes, one more where it was taken.
static RECORD: [[AtomicUsize; 2]; MOST] = [const { [const { AtomicUsize::new(0) }; 2] }; MOST];

/// The system's allocator, for a program's `#[global_allocator]`: counts within [`allocated`] and records within [`recorded`], costs a
/// look at a flag each elsewhere.
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

    fn record(block: *mut u8, bytes: usize, taken: bool) {
        if bytes >= LEAST && RECORDING.load(Ordering::Relaxed) {
            // What is beyond the last one is counted, and not recorded.
            if let Some([place, size]) = RECORD.get(EVENTS.fetch_add(1, Ordering::Relaxed)) {
                place.store(block.addr(), Ordering::Relaxed);
                size.store(2 * bytes + usize::from(taken), Ordering::Relaxed);
            }
        }
    }
}

// SAFETY: hands everything to the system's allocator, as it came.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::note(layout.size());
        // SAFETY: as the caller promises.
        let block = unsafe { System.alloc(layout) };
        Self::record(block, layout.size(), true);
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::note(layout.size());
        // SAFETY: as the caller promises.
        let block = unsafe { System.alloc_zeroed(layout) };
        Self::record(block, layout.size(), true);
        block
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks may be there while it is moved.
        Self::note(size);
        Self::note_free(layout.size());
        Self::record(at, layout.size(), false);
        // SAFETY: as the caller promises.
        let block = unsafe { System.realloc(at, layout, size) };
        Self::record(block, size, true);
        block
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        Self::note_free(layout.size());
        Self::record(at, layout.size(), false);
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

/// A block of a page or more that was taken or given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllocationEvent {
    /// Where the block lies: another one may lie there once it is given back.
    pub address: usize,
    /// Its bytes.
    pub bytes: usize,
    /// Whether it was taken, and not given back.
    pub taken: bool,
}

/// The blocks that all threads of this process take and give back during `call`, in their order; one that grows is given back and taken
/// anew. Nothing where the allocator is not [`CountingAllocator`], or where there are more than 65,536 events.
///
/// One at a time, as [`allocated`].
pub fn recorded(call: impl FnOnce()) -> Option<Vec<AllocationEvent>> {
    EVENTS.store(0, Ordering::Relaxed);
    RECORDING.store(true, Ordering::SeqCst);
    // One of our own tells whether anybody records.
    drop(black_box(vec![0_u8; LEAST]));
    let own = EVENTS.load(Ordering::Relaxed);
    call();
    RECORDING.store(false, Ordering::SeqCst);
    let event = |[address, size]: &[AtomicUsize; 2]| {
        let size = size.load(Ordering::Relaxed);
        AllocationEvent { address: address.load(Ordering::Relaxed), bytes: size / 2, taken: !size.is_multiple_of(2) }
    };
    let all = RECORD.get(own..EVENTS.load(Ordering::Relaxed))?;
    (own > 0).then(|| all.iter().map(event).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_count_says_nothing() {
        let mut called = false;
        assert_eq!(allocated(|| called = true), None);
        assert!(called);
        assert_eq!(recorded(|| called = false), None);
        assert!(!called);
    }
}
