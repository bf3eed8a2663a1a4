//! Resident memory of this process.

use std::fs;
use std::path::Path;

/// Watches the peak of resident memory from a moment on.
///
/// The kernel keeps one mark for each process: a watch that starts later moves it. Some kernels count
/// in batches, so that a number may be off by some hundred KiB, more on machines of many CPUs.
#[derive(Debug, Clone, Copy)]
pub struct MemoryWatch {
    resident_before_bytes: u64,
}

impl MemoryWatch {
    /// Sets the mark back to what is resident now; nothing where the system has no such mark.
    #[must_use]
    pub fn start() -> Option<Self> {
        reset_peak().then_some(())?;
        resident_bytes().map(|resident_before_bytes| Self { resident_before_bytes })
    }

    /// What was resident when the watch started, in bytes.
    #[must_use]
    pub fn resident_before_bytes(&self) -> u64 {
        self.resident_before_bytes
    }

    /// The most that was resident at once since then, in bytes.
    #[must_use]
    pub fn peak_bytes(&self) -> Option<u64> {
        peak_bytes()
    }
}

/// Sets the mark of peak memory back to what is resident now; whether the system could.
#[must_use]
pub fn reset_peak() -> bool {
    // "5" sets back the mark and nothing else, see proc_pid_clear_refs(5).
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Resident memory of this process, in bytes.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    read(Path::new("/proc/self/status"), "VmRSS")
}

/// Peak resident memory of this process since its start or the last [`reset_peak`], in bytes.
#[must_use]
pub fn peak_bytes() -> Option<u64> {
    read(Path::new("/proc/self/status"), "VmHWM")
}

fn read(status: &Path, name: &str) -> Option<u64> {
    let bytes = fs::read(status).ok()?;
    field(&String::from_utf8_lossy(&bytes), name)
}

fn field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_bytes_or_nothing() {
        let status = "Name:\tVmRSS: 5 kB\nVmHWMX:\t  1 kB\nVmHWM:\t    1672 kB\nVmRSS:\t x kB\nVmPin:\t7\n";
        assert_eq!(field(status, "VmHWM"), Some(1672 * 1024));
        assert_eq!(field(status, "VmRSS"), None);
        assert_eq!(field(status, "VmPin"), None, "no unit");
        assert_eq!(field("", "VmHWM"), None);
        assert_eq!(field("VmHWM: 18446744073709551615 kB", "VmHWM"), None);
        assert_eq!(read(Path::new("/no/such/file"), "VmHWM"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_follows_an_allocation_and_can_be_set_back() {
        const SIZE: usize = 256 << 20;
        // Other tests of this process allocate too; none of them a hundred MiB.
        const SLACK: u64 = 100 << 20;
        let Some(watch) = MemoryWatch::start() else {
            return;
        };
        let block = std::hint::black_box(vec![1_u8; SIZE]);
        drop(block);
        let peak = watch.peak_bytes().expect("a peak");
        assert!(peak >= watch.resident_before_bytes() + SIZE as u64 - SLACK, "peak {peak}");
        let later = MemoryWatch::start().expect("a second watch");
        let low = later.peak_bytes().expect("a peak");
        assert!(low + SIZE as u64 / 2 < peak, "{low} after {peak}");
    }
}
