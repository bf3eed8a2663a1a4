//! How much memory a question may take: a share of the machine's.

use std::fs;
use std::time::Duration;

/// The share of the machine's memory that a question may take where nobody says another: one in so many.
const SHARE: u64 = 4;

/// What a machine is taken to have that does not tell.
const UNKNOWN_BYTES: u64 = 4 << 30;

/// How often the memory of this process is looked at while a question is answered.
const LOOK: Duration = Duration::from_millis(20);

/// The memory of this machine, or of the container that the process is in, in bytes.
pub fn machine_memory_bytes() -> u64 {
    let machine = kib("/proc/meminfo", "MemTotal:").unwrap_or(UNKNOWN_BYTES);
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    container.map_or(machine, |container: u64| machine.min(container))
}

/// What a question may take where nobody says more, in bytes: a quarter of the machine's memory.
pub fn default_memory_bytes() -> u64 {
    machine_memory_bytes() / SHARE
}

/// Ends once this process holds more than `limit_bytes` above what it holds now: the engine counts what its sorts,
/// joins and groups hold, and not what a window, a function on text or the decoding of a file takes.
pub(crate) fn spent(limit_bytes: u64) -> impl Future<Output = ()> + Send {
    let held = || kib("/proc/self/status", "VmRSS:").unwrap_or_default();
    let before = held();
    async move {
        while held().saturating_sub(before) <= limit_bytes {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A figure in kB of a file of the system, in bytes.
fn kib(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_holds_less_than_its_machine_has() {
        let held = kib("/proc/self/status", "VmRSS:").unwrap();
        assert!(held > 1 << 20 && held < machine_memory_bytes(), "{held} of {}", machine_memory_bytes());
        assert_eq!(default_memory_bytes(), machine_memory_bytes() / SHARE);
        assert_eq!(kib("/proc/meminfo", "NoSuchThing:"), None);
    }
}
