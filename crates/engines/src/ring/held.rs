//! Bytes that a worker holds.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the bytes that one worker holds, and the most at once.
#[derive(Debug, Default)]
pub struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Held {
    /// It holds so many more.
    pub fn take(&self, bytes: usize) {
        let now = self.now.fetch_add(bytes, Ordering::SeqCst) + bytes;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    /// It has handed so many on.
    pub fn give(&self, bytes: usize) {
        self.now.fetch_sub(bytes, Ordering::SeqCst);
    }

    /// The most that it has held at once.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// Bytes of a buffer, unused room included.
pub fn bytes(buffer: &Vec<f32>) -> usize {
    buffer.capacity() * size_of::<f32>()
}
