//! The last-level cache.

use std::collections::BTreeMap;

use super::Root;
use super::cpu_set::CpuSet;

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
