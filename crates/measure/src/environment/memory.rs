//! Main memory, and the last-level cache.

use std::collections::BTreeMap;

use benchbook_journal::memory_limit_bytes;
use serde::Serialize;

use super::Root;
use super::topology::CpuSet;

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

/// Bytes of last-level cache that the CPUs can use, summed over its instances; nothing if unknown.
///
/// An AMD server has one instance for each group of cores: a working set spreads over all of them.
pub(super) fn last_level_bytes(root: Root<'_>, cpus: &CpuSet) -> Option<u64> {
    let first = cpus.iter().next()?;
    let index = last_level_index(root, first)?;
    let mut instances = BTreeMap::new();
    for cpu in cpus.iter() {
        let folder = format!("sys/devices/system/cpu/cpu{cpu}/cache/{index}");
        let Some(bytes) = root.text(&format!("{folder}/size")).and_then(|text| bytes(&text)) else {
            continue;
        };
        let shared = root.text(&format!("{folder}/shared_cpu_list")).unwrap_or_else(|| cpu.to_string());
        instances.insert(shared, bytes);
    }
    let total = instances.values().try_fold(0_u64, |sum, &bytes| sum.checked_add(bytes))?;
    (total > 0).then_some(total)
}

/// Name of the folder of the highest level that holds data.
fn last_level_index(root: Root<'_>, cpu: usize) -> Option<String> {
    let folder = format!("sys/devices/system/cpu/cpu{cpu}/cache");
    root.names(&folder)
        .into_iter()
        .filter(|name| name.starts_with("index"))
        .filter_map(|name| {
            let kind = root.text(&format!("{folder}/{name}/type"))?;
            let level: u32 = root.number(&format!("{folder}/{name}/level"))?;
            (kind != "Instruction").then_some((level, name))
        })
        .max()
        .map(|(_, name)| name)
}

/// `107520K` in bytes.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
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

    #[test]
    fn sizes_with_and_without_a_unit() {
        assert_eq!(bytes("107520K"), Some(110_100_480));
        assert_eq!(bytes("32M"), Some(33_554_432));
        assert_eq!(bytes("64"), Some(64));
        for odd in ["", "K", "12Q", "1.5M", "18446744073709551615G"] {
            assert_eq!(bytes(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn every_instance_counts_once() {
        let mut tree = Tree::new();
        for cpu in 0..4 {
            let folder = format!("sys/devices/system/cpu/cpu{cpu}/cache");
            let shared = if cpu < 2 { "0-1" } else { "2-3" };
            for (index, level, kind, size) in
                [(0, "1", "Data", "32K"), (1, "1", "Instruction", "32K"), (3, "3", "Unified", "16M")]
            {
                tree = tree
                    .file(&format!("{folder}/index{index}/level"), level)
                    .file(&format!("{folder}/index{index}/type"), kind)
                    .file(&format!("{folder}/index{index}/size"), size)
                    .file(&format!("{folder}/index{index}/shared_cpu_list"), shared);
            }
        }
        let root = Root(tree.path());
        assert_eq!(last_level_bytes(root, &CpuSet::first(4)), Some(32 << 20));
        assert_eq!(last_level_bytes(root, &CpuSet::first(2)), Some(16 << 20));
        assert_eq!(last_level_bytes(root, &CpuSet::default()), None);
        assert_eq!(last_level_bytes(root, &CpuSet::parse("9").expect("a CPU")), None);
    }
}
