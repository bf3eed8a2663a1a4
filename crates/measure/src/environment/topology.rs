//! CPUs, cores, threads of a core, and kinds of core.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use super::Root;
use super::cpu::CpuInfo;

/// Highest CPU number that is believed; Linux supports 8192.
const HIGHEST: usize = 65_535;

/// Numbers of logical CPUs, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuSet(BTreeSet<usize>);

impl CpuSet {
    /// Reads a kernel list such as `0-3,8,10-11`; nothing for a text that is none or is empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut cpus = BTreeSet::new();
        for part in text.trim().split(',') {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let low: usize = low.trim().parse().ok()?;
            let high: usize = high.trim().parse().ok()?;
            if low > high || high > HIGHEST {
                return None;
            }
            cpus.extend(low..=high);
        }
        Some(Self(cpus))
    }

    /// The first `count` CPUs.
    #[must_use]
    pub fn first(count: usize) -> Self {
        Self((0..count.min(HIGHEST + 1)).collect())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The CPUs in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// Each CPU, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<usize> for CpuSet {
    fn from_iter<I: IntoIterator<Item = usize>>(cpus: I) -> Self {
        Self(cpus.into_iter().collect())
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cpus = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(low) = cpus.next() {
            let mut high = low;
            while let Some(next) = cpus.next_if(|&next| next == high + 1) {
                high = next;
            }
            if low == high {
                write!(f, "{separator}{low}")?;
            } else {
                write!(f, "{separator}{low}-{high}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

impl Serialize for CpuSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which CPUs there are and which this process may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Topology {
    /// Logical CPUs that are on; empty if unknown.
    pub online: CpuSet,
    /// Those of them that this process may run on.
    pub allowed: CpuSet,
    /// One CPU of each physical core that this process may run on; empty if unknown.
    pub one_per_core: CpuSet,
    /// Whether cores run several threads; nothing if unknown.
    pub smt: Option<bool>,
    /// Whether the kernel lets SMT be switched.
    pub smt_switchable: bool,
    /// Allowed CPUs of the fast cores, where cores differ in kind.
    pub fast_cores: Option<CpuSet>,
    /// Nodes of memory.
    pub numa_nodes: usize,
}

impl Topology {
    pub(super) fn read(root: Root<'_>, cpuinfo: &CpuInfo) -> Self {
        let online = list(root, "sys/devices/system/cpu/online").unwrap_or_else(|| CpuSet::first(cpuinfo.processors));
        let allowed = match allowed(root) {
            // The mask of a process may name CPUs that do not exist.
            Some(mask) if !online.is_empty() => mask.intersection(&online),
            Some(mask) => mask,
            None => online.clone(),
        };
        let siblings = siblings(root, &allowed);
        let seen = (!siblings.is_empty()).then(|| siblings.values().any(|core| core.len() > 1));
        let control = root.text("sys/devices/system/cpu/smt/control");
        Self {
            one_per_core: siblings.values().filter_map(|core| core.intersection(&allowed).iter().next()).collect(),
            smt: root.flag("sys/devices/system/cpu/smt/active").or(seen).or(cpuinfo.smt),
            smt_switchable: matches!(control.as_deref(), Some("on" | "off")),
            fast_cores: fast_cores(root, &allowed),
            numa_nodes: root
                .names("sys/devices/system/node")
                .iter()
                .filter(|name| name.strip_prefix("node").is_some_and(|n| n.parse::<u32>().is_ok()))
                .count(),
            online,
            allowed,
        }
    }
}

fn list(root: Root<'_>, path: &str) -> Option<CpuSet> {
    CpuSet::parse(&root.text(path)?)
}

fn allowed(root: Root<'_>) -> Option<CpuSet> {
    let status = root.text("proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    CpuSet::parse(line)
}

/// The threads of the core of each CPU.
fn siblings(root: Root<'_>, cpus: &CpuSet) -> BTreeMap<usize, CpuSet> {
    cpus.iter()
        .filter_map(|cpu| {
            let folder = format!("sys/devices/system/cpu/cpu{cpu}/topology");
            let core = list(root, &format!("{folder}/core_cpus_list"))
                .or_else(|| list(root, &format!("{folder}/thread_siblings_list")))?;
            Some((cpu, core))
        })
        .collect()
}

/// Fast cores by Intel's core types, else by the capacity that the kernel schedules with.
fn fast_cores(root: Root<'_>, allowed: &CpuSet) -> Option<CpuSet> {
    if let (Some(fast), Some(slow)) = (list(root, "sys/devices/cpu_core/cpus"), list(root, "sys/devices/cpu_atom/cpus"))
    {
        let fast = fast.intersection(allowed);
        let mixed = !fast.is_empty() && !slow.intersection(allowed).is_empty();
        return mixed.then_some(fast);
    }
    let capacities: BTreeMap<usize, u64> = allowed
        .iter()
        .filter_map(|cpu| {
            let capacity = root.number(&format!("sys/devices/system/cpu/cpu{cpu}/cpu_capacity"))?;
            Some((cpu, capacity))
        })
        .collect();
    let best = *capacities.values().max()?;
    // Favoured cores of one kind differ by a few percent; other kinds of core by much more.
    let fast = |capacity: u64| capacity.saturating_mul(10) >= best.saturating_mul(9);
    let mixed = capacities.values().any(|&capacity| !fast(capacity));
    mixed.then(|| capacities.iter().filter(|&(_, &c)| fast(c)).map(|(&cpu, _)| cpu).collect())
}

#[cfg(test)]
mod tests {
    use super::super::planted::Tree;
    use super::*;

    #[test]
    fn lists_are_read_and_written_alike() {
        for text in ["0", "0-3", "0-1,4", "1,3,5-7", "0,65535"] {
            let set = CpuSet::parse(text).expect(text);
            assert_eq!(set.to_string(), text);
        }
        assert_eq!(CpuSet::parse(" 3-3, 1 \n").expect("loose").to_string(), "1,3");
        assert_eq!(CpuSet::parse("0-63").expect("many").len(), 64);
    }

    #[test]
    fn nonsense_is_no_list() {
        for text in ["", "a", "3-", "-3", "5-2", "0-4294967295", "1,,2", "0-1-2"] {
            assert_eq!(CpuSet::parse(text), None, "{text:?}");
        }
    }

    fn read(tree: &Tree) -> Topology {
        Topology::read(Root(tree.path()), &CpuInfo::default())
    }

    #[test]
    fn the_mask_of_the_process_is_cut_to_what_is_online() {
        let tree = Tree::new()
            .file("sys/devices/system/cpu/online", "0-3\n")
            .file("proc/self/status", "Name:\tx\nCpus_allowed_list:\t2-127\n");
        let topology = read(&tree);
        assert_eq!(topology.allowed.to_string(), "2-3");
        assert_eq!(topology.online.len(), 4);
        assert_eq!(topology.smt, None);
    }

    #[test]
    fn a_core_whose_first_thread_is_forbidden_still_counts() {
        let mut tree = Tree::new()
            .file("sys/devices/system/cpu/online", "0-3")
            .file("proc/self/status", "Cpus_allowed_list:\t1-3\n");
        for (cpu, core) in [(0, "0,2"), (1, "1,3"), (2, "0,2"), (3, "1,3")] {
            tree = tree.file(&format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"), core);
        }
        let topology = read(&tree);
        assert_eq!(topology.one_per_core.to_string(), "1-2");
        assert_eq!(topology.smt, Some(true));
        assert!(!topology.smt_switchable);
    }

    #[test]
    fn kinds_of_core_are_told_apart() {
        let intel = Tree::new()
            .file("sys/devices/system/cpu/online", "0-7")
            .file("sys/devices/cpu_core/cpus", "0-3")
            .file("sys/devices/cpu_atom/cpus", "4-7");
        assert_eq!(read(&intel).fast_cores, CpuSet::parse("0-3"));
        let pinned = intel.file("proc/self/status", "Cpus_allowed_list:\t0-1\n");
        assert_eq!(read(&pinned).fast_cores, None, "only fast cores are allowed");

        let mut arm = Tree::new().file("sys/devices/system/cpu/online", "0-2");
        for (cpu, capacity) in [(0, "446"), (1, "1000"), (2, "1024")] {
            arm = arm.file(&format!("sys/devices/system/cpu/cpu{cpu}/cpu_capacity"), capacity);
        }
        assert_eq!(read(&arm).fast_cores, CpuSet::parse("1-2"));
    }
}
