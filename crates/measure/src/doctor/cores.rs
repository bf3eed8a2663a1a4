//! SMT, affinity, quota, kinds of core, memory nodes.

use super::finding::{Area, Finding, Level};
use crate::environment::Cpu;

pub(super) fn findings(cpu: &Cpu) -> Vec<Finding> {
    let mut findings = vec![smt(cpu)];
    findings.extend(allowed(cpu));
    findings.extend(quota(cpu));
    findings.extend(kinds(cpu));
    findings.extend(nodes(cpu));
    findings
}

fn smt(cpu: &Cpu) -> Finding {
    let topology = &cpu.topology;
    match topology.smt {
        Some(false) => Finding::new(Area::Smt, Level::Good, "every core runs one thread"),
        None => Finding::new(Area::Smt, Level::Note, "the system does not say whether cores run several threads"),
        Some(true) if topology.one_per_core.len() == topology.allowed.len() && !topology.allowed.is_empty() => {
            Finding::new(Area::Smt, Level::Good, "SMT is on, but this process may use one thread of each of its cores")
        }
        Some(true) => {
            let finding = Finding::new(Area::Smt, Level::Note, "SMT is on: two busy threads may share one core");
            if topology.one_per_core.is_empty() {
                finding.remedy("echo off | sudo tee /sys/devices/system/cpu/smt/control")
            } else if topology.smt_switchable {
                finding.remedy(format!(
                    "echo off | sudo tee /sys/devices/system/cpu/smt/control, or start benchbook with `taskset \
                     --cpu-list {} benchbook …`",
                    topology.one_per_core
                ))
            } else {
                finding.remedy(format!("taskset --cpu-list {} benchbook …", topology.one_per_core))
            }
        }
    }
}

fn allowed(cpu: &Cpu) -> Option<Finding> {
    let (allowed, online) = (&cpu.topology.allowed, &cpu.topology.online);
    if allowed.is_empty() || online.is_empty() {
        return Some(Finding::new(Area::Cores, Level::Note, "the system does not say how many CPUs there are"));
    }
    let text = match cpu.physical_cores() {
        Some(cores) => format!("{} of {} CPUs may be used ({cores} physical)", allowed.len(), online.len()),
        None => format!("{} of {} CPUs may be used", allowed.len(), online.len()),
    };
    // Fewer CPUs than there are is a choice, and often a good one.
    let level = if allowed.len() == online.len() { Level::Good } else { Level::Note };
    Some(Finding::new(Area::Cores, level, text))
}

fn quota(cpu: &Cpu) -> Option<Finding> {
    let quota = cpu.quota.filter(|&quota| quota < cpu.topology.allowed.len() as f64)?;
    let last = cpu.usable().saturating_sub(1);
    let cpus = if last == 0 { "0".to_owned() } else { format!("0-{last}") };
    Some(
        Finding::new(
            Area::Cores,
            Level::Warning,
            format!("a quota of {quota:.2} CPUs is set: all threads are halted whenever it is used up"),
        )
        .remedy(format!("give the container whole CPUs: `docker run --cpuset-cpus {cpus}` in place of `--cpus`")),
    )
}

fn kinds(cpu: &Cpu) -> Option<Finding> {
    let fast = cpu.topology.fast_cores.as_ref()?;
    Some(
        Finding::new(
            Area::Cores,
            Level::Warning,
            format!("cores differ in kind (CPUs {fast} are the fast ones): times depend on where a thread runs"),
        )
        .remedy(format!("taskset --cpu-list {fast} benchbook …")),
    )
}

fn nodes(cpu: &Cpu) -> Option<Finding> {
    (cpu.topology.numa_nodes > 1).then(|| {
        Finding::new(
            Area::Cores,
            Level::Note,
            format!("{} memory nodes: times depend on which one holds the data", cpu.topology.numa_nodes),
        )
        .remedy("numactl --cpunodebind=0 --membind=0 benchbook …")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{CpuSet, Topology};

    fn cpu(allowed: &str, one_per_core: &str, smt: Option<bool>) -> Cpu {
        let topology = Topology {
            online: CpuSet::first(8),
            allowed: CpuSet::parse(allowed).unwrap_or_default(),
            one_per_core: CpuSet::parse(one_per_core).unwrap_or_default(),
            smt,
            ..Topology::default()
        };
        Cpu { topology, ..Cpu::default() }
    }

    #[test]
    fn smt_is_told_with_the_cpus_to_use() {
        let cases = [
            (cpu("0-7", "0-3", Some(true)), Level::Note, Some("taskset --cpu-list 0-3 ")),
            (cpu("0-3", "0-3", Some(true)), Level::Good, None),
            (cpu("0-7", "", Some(true)), Level::Note, Some("smt/control")),
            (cpu("", "", Some(true)), Level::Note, Some("smt/control")),
            (cpu("0-7", "0-7", Some(false)), Level::Good, None),
            (cpu("", "", None), Level::Note, None),
        ];
        for (cpu, level, remedy) in cases {
            let finding = smt(&cpu);
            assert_eq!(finding.level, level, "{cpu:?}");
            match (finding.remedy, remedy) {
                (Some(found), Some(part)) => assert!(found.contains(part), "{found}"),
                (found, expected) => assert_eq!(found.as_deref(), expected),
            }
        }
        let mut switchable = cpu("0-7", "0-3", Some(true));
        switchable.topology.smt_switchable = true;
        assert!(smt(&switchable).remedy.is_some_and(|remedy| remedy.starts_with("echo off")));
    }

    #[test]
    fn affinity_quota_kinds_and_nodes() {
        assert_eq!(allowed(&cpu("0-7", "", None)).map(|f| f.level), Some(Level::Good));
        assert_eq!(allowed(&cpu("2-3", "", None)).map(|f| f.level), Some(Level::Note));
        assert_eq!(allowed(&Cpu::default()).map(|f| f.level), Some(Level::Note));

        let mut limited = cpu("0-7", "", None);
        for (value, remedy) in [(2.5, Some("--cpuset-cpus 0-1`")), (0.5, Some("--cpuset-cpus 0`")), (8.0, None)] {
            limited.quota = Some(value);
            let found = quota(&limited).and_then(|finding| finding.remedy);
            assert_eq!(found.is_some(), remedy.is_some(), "{value}");
            assert!(found.unwrap_or_default().contains(remedy.unwrap_or_default()));
        }

        let mut hybrid = cpu("0-7", "", None);
        assert_eq!(kinds(&hybrid), None);
        hybrid.topology.fast_cores = CpuSet::parse("0-3");
        assert!(kinds(&hybrid).and_then(|f| f.remedy).is_some_and(|r| r.contains("--cpu-list 0-3 ")));
        assert_eq!(nodes(&hybrid), None);
        hybrid.topology.numa_nodes = 2;
        assert_eq!(nodes(&hybrid).map(|f| f.level), Some(Level::Note));
    }
}
