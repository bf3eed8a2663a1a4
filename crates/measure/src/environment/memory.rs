//! Main memory.

use benchbook_journal::memory_limit_bytes;
use serde::Serialize;

use super::Root;

/// Main memory, in bytes; nothing where the system does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Memory of the machine.
    pub total_bytes: Option<u64>,
    /// What a control group lets the process use, where that is less.
    pub limit_bytes: Option<u64>,
}

impl Memory {
    pub(super) fn read(root: Root<'_>) -> Self {
        let total_bytes = MemInfo::read(root).total_bytes;
        let limit_bytes = memory_limit_bytes(root).filter(|&limit| total_bytes.is_none_or(|total| limit < total));
        Self { total_bytes, limit_bytes }
    }
}

/// The numbers of `/proc/meminfo` that are used here, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MemInfo {
    pub total_bytes: Option<u64>,
    pub available_bytes: Option<u64>,
    pub swap_total_bytes: Option<u64>,
    pub swap_free_bytes: Option<u64>,
}

impl MemInfo {
    pub fn read(root: Root<'_>) -> Self {
        let text = root.text("proc/meminfo").unwrap_or_default();
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            kibibytes.checked_mul(1024)
        };
        Self {
            total_bytes: number("MemTotal"),
            available_bytes: number("MemAvailable"),
            swap_total_bytes: number("SwapTotal"),
            swap_free_bytes: number("SwapFree"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted::Tree;
    use super::*;

    #[test]
    fn numbers_are_bytes_and_a_limit_counts_only_below_the_total() {
        let tree = Tree::new()
            .file("proc/meminfo", "MemTotal:       4096 kB\nMemAvailable: x kB\nSwapTotal: 0 kB\n")
            .file("proc/self/cgroup", "0::/\n")
            .file("sys/fs/cgroup/memory.max", "1048576\n");
        let info = MemInfo::read(Root(tree.path()));
        assert_eq!(info.total_bytes, Some(4 << 20));
        assert_eq!(info.available_bytes, None);
        assert_eq!(info.swap_total_bytes, Some(0));
        assert_eq!(Memory::read(Root(tree.path())).limit_bytes, Some(1 << 20));
        let large = tree.file("sys/fs/cgroup/memory.max", "8388608\n");
        assert_eq!(Memory::read(Root(large.path())).limit_bytes, None);
    }
}
