//! The processor, and what `/proc/cpuinfo` tells of it.

use std::collections::BTreeSet;
use std::path::Path;

use benchbook_journal::cpu_quota;
use serde::Serialize;

use super::frequency::Frequency;
use super::topology::Topology;
use super::{Root, memory};

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
            last_level_cache_bytes: memory::last_level_bytes(root, &topology.allowed).or(cpuinfo.cache_bytes),
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

/// Name of the model of this machine's processor, as [`Cpu::model`] has it.
#[must_use]
pub fn cpu_model() -> Option<String> {
    cpuinfo(&Root(Path::new("/")).text("proc/cpuinfo")?).model
}

/// What `/proc/cpuinfo` tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CpuInfo {
    /// Logical CPUs listed.
    pub processors: usize,
    /// Marketing name; several kinds of core are joined by ` + `.
    pub model: Option<String>,
    /// Instruction sets that every CPU has, by the kernel's names, sorted.
    pub features: Vec<String>,
    /// Whether a hypervisor says that it is there; nothing where the architecture cannot tell.
    pub hypervisor: Option<bool>,
    /// Last-level cache as the processor reports it (x86 only).
    pub cache_bytes: Option<u64>,
    /// Whether a core has several threads (x86 only).
    pub smt: Option<bool>,
}

/// Reads the text of `/proc/cpuinfo`; an empty text gives the empty answer.
pub(super) fn cpuinfo(text: &str) -> CpuInfo {
    let mut info = CpuInfo::default();
    let mut models: Vec<String> = Vec::new();
    let mut board = None;
    let mut common: Option<BTreeSet<&str>> = None;
    let mut last_flags = "";
    let (mut siblings, mut cores) = (None::<u32>, None::<u32>);
    let mut implementer = "";
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key.trim() {
            "processor" => info.processors += 1,
            "model name" => remember(&mut models, value.to_owned()),
            "CPU implementer" => implementer = value,
            "CPU part" => remember(&mut models, arm_name(implementer, value)),
            "Model" => board = Some(value.to_owned()),
            "siblings" => siblings = value.parse().ok(),
            "cpu cores" => cores = value.parse().ok(),
            "cache size" => info.cache_bytes = info.cache_bytes.or_else(|| kilobytes(value)),
            name @ ("flags" | "Features") => {
                if name == "flags" {
                    let seen = value.split_whitespace().any(|flag| flag == "hypervisor");
                    info.hypervisor = Some(seen || info.hypervisor == Some(true));
                }
                // Nearly always every CPU repeats the same line.
                if common.is_none() || value != last_flags {
                    let flags = value.split_whitespace().filter(|flag| matters(flag)).collect();
                    common = Some(match common {
                        Some(before) => before.intersection(&flags).copied().collect(),
                        None => flags,
                    });
                    last_flags = value;
                }
            }
            _ => {}
        }
    }
    models.retain(|model| !model.is_empty());
    info.model = if models.is_empty() { board } else { Some(models.join(" + ")) };
    info.features = common.unwrap_or_default().into_iter().map(str::to_owned).collect();
    info.smt = siblings.zip(cores).map(|(siblings, cores)| siblings > cores);
    info
}

fn remember(models: &mut Vec<String>, model: String) {
    if !models.contains(&model) {
        models.push(model);
    }
}

/// `107520 KB` in bytes.
fn kilobytes(text: &str) -> Option<u64> {
    let number = text.strip_suffix("KB")?.trim();
    number.parse::<u64>().ok()?.checked_mul(1024)
}

/// Whether kernels run faster or slower by this instruction set.
fn matters(flag: &str) -> bool {
    const NAMES: [&str; 16] = [
        "bf16", "bmi1", "bmi2", "f16c", "fcma", "fphp", "gfni", "i8mm", "lasx", "lsx", "neon", "popcnt", "sse4_1",
        "sse4_2", "ssse3", "vfpv4",
    ];
    const FAMILIES: [&str; 6] = ["amx", "asimd", "avx", "fma", "sme", "sve"];
    // Not an instruction set, though it begins like Arm's SME: supervisor-mode execution prevention.
    flag != "smep" && (NAMES.contains(&flag) || FAMILIES.iter().any(|family| flag.starts_with(family)))
}

/// The name of an Arm core, which `/proc/cpuinfo` gives only as numbers (MIDR_EL1: implementer, part).
fn arm_name(implementer: &str, part: &str) -> String {
    const CORES: [(&str, &str, &str); 21] = [
        ("0x41", "0xd03", "Arm Cortex-A53"),
        ("0x41", "0xd05", "Arm Cortex-A55"),
        ("0x41", "0xd07", "Arm Cortex-A57"),
        ("0x41", "0xd08", "Arm Cortex-A72"),
        ("0x41", "0xd0b", "Arm Cortex-A76"),
        ("0x41", "0xd0c", "Arm Neoverse-N1"),
        ("0x41", "0xd40", "Arm Neoverse-V1"),
        ("0x41", "0xd41", "Arm Cortex-A78"),
        ("0x41", "0xd44", "Arm Cortex-X1"),
        ("0x41", "0xd46", "Arm Cortex-A510"),
        ("0x41", "0xd47", "Arm Cortex-A710"),
        ("0x41", "0xd48", "Arm Cortex-X2"),
        ("0x41", "0xd49", "Arm Neoverse-N2"),
        ("0x41", "0xd4f", "Arm Neoverse-V2"),
        ("0x41", "0xd83", "Arm Neoverse-V3AE"),
        ("0x41", "0xd84", "Arm Neoverse-V3"),
        ("0x41", "0xd8e", "Arm Neoverse-N3"),
        ("0x46", "0x001", "Fujitsu A64FX"),
        ("0x48", "0xd01", "HiSilicon Kunpeng-920"),
        ("0xc0", "0xac3", "Ampere-1"),
        ("0xc0", "0xac4", "Ampere-1A"),
    ];
    CORES.iter().find(|(who, what, _)| *who == implementer && *what == part).map_or_else(
        || format!("Arm core of implementer {implementer}, part {part}"),
        |(_, _, name)| (*name).to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::topology::CpuSet;
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

    #[test]
    fn only_what_all_cpus_have_counts() {
        let text = "processor\t: 0\nflags\t\t: fpu avx avx2 avx512f fma\n\n\
                    processor\t: 1\nflags\t\t: fpu avx avx2 fma\n";
        let info = cpuinfo(text);
        assert_eq!(info.processors, 2);
        assert_eq!(info.features, ["avx", "avx2", "fma"]);
        assert_eq!(info.hypervisor, Some(false));
    }

    #[test]
    fn arm_cores_get_their_names() {
        let text = "processor : 0\nFeatures : fp asimd sve\nCPU implementer : 0x41\nCPU part : 0xd05\n\n\
                    processor : 1\nFeatures : fp asimd\nCPU implementer : 0x41\nCPU part : 0xd0b\n\n\
                    processor : 2\nFeatures : fp asimd\nCPU implementer : 0x99\nCPU part : 0x1\n";
        let info = cpuinfo(text);
        assert_eq!(
            info.model.as_deref(),
            Some("Arm Cortex-A55 + Arm Cortex-A76 + Arm core of implementer 0x99, part 0x1")
        );
        assert_eq!(info.features, ["asimd"]);
        assert_eq!(info.hypervisor, None, "Arm does not say");
    }

    #[test]
    fn broken_text_is_survived() {
        assert_eq!(cpuinfo(""), CpuInfo::default());
        let info = cpuinfo("processor\nmodel name :\ncache size : many KB\nsiblings : x\r\nflags : \n");
        assert_eq!(info.model, None);
        assert_eq!(info.cache_bytes, None);
        assert_eq!(info.smt, None);
        assert!(info.features.is_empty());
    }

    #[test]
    fn huge_cache_sizes_do_not_overflow() {
        assert_eq!(kilobytes("18446744073709551615 KB"), None);
        assert_eq!(kilobytes("32 KB"), Some(32_768));
    }
}
