//! Sizes of thread pools.

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
}
