//! What the environment asks of libraries: sizes of thread pools, and variables that slow things down or change what runs.

use std::collections::BTreeMap;

use super::finding::{Area, Finding, Level};
use crate::environment::Cpu;

/// Judges the pools of the worker against the CPUs, and against the number that a plan asks for.
pub(super) fn findings(cpu: &Cpu, pools: &[(String, usize)], planned: Option<usize>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = pools.iter().filter_map(|(name, size)| pool(cpu, name, *size)).collect();
    findings.extend(unequal(cpu, pools));
    findings.extend(planned.and_then(|threads| plan(cpu, threads)));
    if findings.is_empty() && !pools.is_empty() {
        let sizes: Vec<String> = pools.iter().map(|(name, size)| format!("{name} {size}")).collect();
        findings.push(Finding::new(Area::Threads, Level::Good, format!("thread pools: {}", sizes.join(", "))));
    }
    findings
}

fn pool(cpu: &Cpu, name: &str, size: usize) -> Option<Finding> {
    let usable = cpu.usable();
    if usable == 0 || size <= usable {
        return None;
    }
    Some(
        Finding::new(
            Area::Threads,
            Level::Warning,
            format!("the pool of {name} has {size} threads on {usable} usable CPUs: they wait for each other"),
        )
        .remedy(setting(name, usable)),
    )
}

fn unequal(cpu: &Cpu, pools: &[(String, usize)]) -> Option<Finding> {
    let least = pools.iter().map(|(_, size)| *size).min()?;
    let most = pools.iter().map(|(_, size)| *size).max()?;
    if least == most {
        return None;
    }
    let sizes: Vec<String> = pools.iter().map(|(name, size)| format!("{name} {size}")).collect();
    let target = if cpu.usable() == 0 { least } else { most.min(cpu.usable()) };
    let mut settings: Vec<String> =
        pools.iter().filter(|(_, size)| *size != target).map(|(name, _)| setting(name, target)).collect();
    settings.sort_unstable();
    settings.dedup();
    Some(
        Finding::new(
            Area::Threads,
            Level::Warning,
            format!("thread pools differ in size ({}): engines would not be compared fairly", sizes.join(", ")),
        )
        .remedy(settings.join(" ")),
    )
}

fn plan(cpu: &Cpu, threads: usize) -> Option<Finding> {
    let usable = cpu.usable();
    let cores = cpu.physical_cores().unwrap_or(usable);
    if usable == 0 || threads <= cores.min(usable) {
        return None;
    }
    let (level, text) = if threads > usable {
        (Level::Warning, format!("{threads} threads are planned on {usable} usable CPUs"))
    } else {
        (Level::Note, format!("{threads} threads are planned on {cores} cores: some share a core"))
    };
    Some(Finding::new(Area::Threads, level, text).remedy(format!("set `threads = {}` in the plan", cores.min(usable))))
}

/// The setting that gives a pool a size, ready to be written before the command.
fn setting(pool: &str, size: usize) -> String {
    let lower = pool.to_lowercase();
    let variable = if lower.contains("rayon") {
        "RAYON_NUM_THREADS"
    } else if lower.contains("mkl") {
        "MKL_NUM_THREADS"
    } else if lower.contains("blas") {
        "OPENBLAS_NUM_THREADS"
    } else {
        // libtorch's own pool and every OpenMP runtime listen to this one.
        "OMP_NUM_THREADS"
    };
    format!("{variable}={size}")
}

const HELD_BACK: &str = "a library is held to the instructions of one kind of processor";

/// Name, the values that do no harm, how grave any other value is, and what it does.
const HARMFUL: [(&str, &[&str], Level, &str); 11] = [
    ("ATEN_CPU_CAPABILITY", &[""], Level::Note, HELD_BACK),
    ("CUDA_LAUNCH_BLOCKING", &["", "0"], Level::Warning, "every kernel launch waits for the one before"),
    ("DNNL_MAX_CPU_ISA", &["", "ALL", "DEFAULT"], Level::Note, HELD_BACK),
    ("DNNL_VERBOSE", &["", "0", "none"], Level::Warning, "every call of oneDNN writes a line"),
    ("LD_PRELOAD", &[""], Level::Warning, "a foreign library is loaded into every program"),
    ("MALLOC_CHECK_", &["", "0"], Level::Warning, "every allocation is checked"),
    ("MKL_ENABLE_INSTRUCTIONS", &[""], Level::Note, HELD_BACK),
    ("MKL_VERBOSE", &["", "0"], Level::Warning, "every call of MKL writes a line"),
    ("ONEDNN_MAX_CPU_ISA", &["", "ALL", "DEFAULT"], Level::Note, HELD_BACK),
    ("ONEDNN_VERBOSE", &["", "0", "none"], Level::Warning, "every call of oneDNN writes a line"),
    ("OPENBLAS_CORETYPE", &[""], Level::Note, HELD_BACK),
];

pub(super) fn variables(variables: &BTreeMap<String, String>) -> Vec<Finding> {
    HARMFUL
        .iter()
        .filter(|(name, harmless, ..)| variables.get(*name).is_some_and(|value| !harmless.contains(&value.as_str())))
        .map(|(name, _, level, effect)| {
            Finding::new(Area::Variables, *level, format!("{name} is set: {effect}")).remedy(format!("unset {name}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{CpuSet, Topology};

    fn cpu(allowed: usize, cores: usize) -> Cpu {
        let topology =
            Topology { allowed: CpuSet::first(allowed), one_per_core: CpuSet::first(cores), ..Topology::default() };
        Cpu { topology, ..Cpu::default() }
    }

    fn pools(sizes: &[(&str, usize)]) -> Vec<(String, usize)> {
        sizes.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
    }

    #[test]
    fn fitting_pools_are_good_and_no_pools_are_nothing() {
        let findings_ = findings(&cpu(4, 4), &pools(&[("rayon", 4), ("libtorch", 4)]), Some(4));
        assert_eq!(findings_.len(), 1);
        assert_eq!(findings_[0].level, Level::Good);
        assert!(findings(&cpu(4, 4), &[], None).is_empty());
        assert!(findings(&Cpu::default(), &[], Some(64)).is_empty(), "unknown machine");
    }

    #[test]
    fn pools_too_large_and_unequal() {
        let found = findings(&cpu(2, 2), &pools(&[("rayon", 2), ("libtorch", 8)]), None);
        let remedies: Vec<&str> = found.iter().filter_map(|f| f.remedy.as_deref()).collect();
        assert_eq!(remedies, ["OMP_NUM_THREADS=2", "OMP_NUM_THREADS=2"]);
        let smaller = findings(&cpu(8, 8), &pools(&[("rayon", 1), ("openblas", 4), ("omp", 4)]), None);
        assert_eq!(smaller.len(), 1);
        assert_eq!(smaller[0].remedy.as_deref(), Some("RAYON_NUM_THREADS=4"));
        let both = findings(&cpu(2, 2), &pools(&[("rayon", 1), ("mkl", 4)]), None);
        assert_eq!(both[1].remedy.as_deref(), Some("MKL_NUM_THREADS=2 RAYON_NUM_THREADS=2"));
    }

    #[test]
    fn planned_threads() {
        for (threads, level) in [(4, None), (6, Some(Level::Note)), (9, Some(Level::Warning))] {
            let found = plan(&cpu(8, 4), threads);
            assert_eq!(found.as_ref().map(|f| f.level), level, "{threads}");
            assert!(found.is_none_or(|f| f.remedy.is_some_and(|r| r.contains("threads = 4"))));
        }
    }

    #[test]
    fn harmful_variables_and_their_harmless_values() {
        let set = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        for (name, value, found) in [
            ("LD_PRELOAD", "/usr/lib/libjemalloc.so", 1),
            ("LD_PRELOAD", "", 0),
            ("MKL_VERBOSE", "1", 1),
            ("MKL_VERBOSE", "0", 0),
            ("OPENBLAS_CORETYPE", "Haswell", 1),
            ("OMP_NUM_THREADS", "2", 0),
        ] {
            let findings = variables(&set(name, value));
            assert_eq!(findings.len(), found, "{name}={value}");
            assert!(findings.iter().all(|f| f.remedy == Some(format!("unset {name}"))));
        }
    }

    #[test]
    fn all_of_them_are_captured() {
        let kept = crate::environment::speed_variables(HARMFUL.map(|(name, ..)| (name, "1")));
        assert_eq!(kept.len(), HARMFUL.len(), "{kept:?}");
    }
}
