//! Bytes that a worker holds: counted by threads, and watched where the worker is a process of its own.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::round::Used;

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

/// Bytes of its buffers, and what was resident before they came.
#[derive(Debug)]
pub struct Memory {
    held: usize,
    before: Option<usize>,
}

impl Memory {
    /// Begins to watch what is resident.
    pub fn watch() -> Self {
        // Where the system has no such mark, the peak so far counts as before; see proc_pid_clear_refs(5).
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self { held: 0, before: peak() }
    }

    /// The worker's buffers have so many bytes more.
    pub fn take(&mut self, bytes: usize) {
        self.held += bytes;
    }

    /// The most so far.
    pub fn used(&self) -> Used {
        let resident = peak().zip(self.before).map(|(peak, before)| peak.saturating_sub(before));
        Used { held: self.held, resident }
    }
}

/// The most that was resident at once, in bytes; nothing where the system does not tell.
fn peak() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: usize = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}
