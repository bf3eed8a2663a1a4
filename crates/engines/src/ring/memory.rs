//! Memory of a worker that is a process of its own.

use std::fs;

use super::order::Used;

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
