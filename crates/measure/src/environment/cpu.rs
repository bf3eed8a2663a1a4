//! Everything about the processor.

use benchbook_journal::cpu_quota;
use serde::Serialize;

use super::Root;
use super::cache;
use super::cpuinfo::CpuInfo;
use super::frequency::Frequency;
use super::topology::Topology;

/// The processor as this process may use it; nothing where the system does not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// Name of the model; several kinds of core are joined by ` + `.
    pub model: Option<String>,
    /// Instruction sets that matter for speed and that every CPU has, by the kernel's names, sorted.
    pub features: Vec<String>,
    /// CPUs, cores, threads.
    pub topology: Topology,
    /// Governor and turbo.
    pub frequency: Frequency,
    /// Last-level cache that the allowed CPUs can use, in bytes, summed over its instances.
    pub last_level_cache_bytes: Option<u64>,
    /// CPU time that the control group may use, in CPUs (`docker run --cpus`).
    pub quota: Option<f64>,
}

impl Cpu {
    pub(super) fn read(root: Root<'_>, cpuinfo: CpuInfo) -> Self {
        let topology = Topology::read(root, &cpuinfo);
        Self {
            frequency: Frequency::read(root, &topology.allowed),
            last_level_cache_bytes: cache::last_level_bytes(root, &topology.allowed).or(cpuinfo.cache_bytes),
            quota: cpu_quota(root),
            model: cpuinfo.model,
            features: cpuinfo.features,
            topology,
        }
    }

    /// CPUs that the process can really keep busy: allowed ones, no more than its quota; 0 if unknown.
    #[must_use]
    pub fn usable(&self) -> usize {
        let allowed = self.topology.allowed.len();
        match self.quota {
            // A quota below one CPU still runs one thread.
            Some(quota) if quota < allowed as f64 => (quota.floor() as usize).max(1),
            _ => allowed,
        }
    }

    /// Physical cores behind the allowed CPUs; nothing if unknown.
    #[must_use]
    pub fn physical_cores(&self) -> Option<usize> {
        let cores = self.topology.one_per_core.len();
        (cores > 0).then_some(cores)
    }
}

#[cfg(test)]
mod tests {
    use super::super::cpu_set::CpuSet;
    use super::*;

    #[test]
    fn a_quota_bounds_what_is_usable() {
        let with = |quota| Cpu {
            topology: Topology { allowed: CpuSet::first(8), ..Topology::default() },
            quota,
            ..Cpu::default()
        };
        assert_eq!(with(None).usable(), 8);
        assert_eq!(with(Some(2.5)).usable(), 2);
        assert_eq!(with(Some(0.5)).usable(), 1);
        assert_eq!(with(Some(64.0)).usable(), 8);
        assert_eq!(Cpu::default().usable(), 0);
    }
}
