//! The processor: SMT, affinity, quota, kinds of core, memory nodes; governor and turbo.

use super::finding::{Area, Finding, Level};
use crate::environment::{Cpu, Environment, Frequency, Machine, TurboSwitch};

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

const GOVERNOR: &str = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";

pub(super) fn frequency(environment: &Environment) -> Vec<Finding> {
    let frequency = &environment.cpu.frequency;
    let guest = matches!(environment.virtualisation.machine, Machine::Virtual(_));
    vec![governor(frequency, guest), turbo(frequency, guest)]
}

fn governor(frequency: &Frequency, guest: bool) -> Finding {
    let Some(name) = &frequency.governor else {
        return if guest {
            let text = "the host governs the clock rate of this virtual machine; it cannot be read here";
            Finding::new(Area::Governor, Level::Note, text).remedy(format!("on the host: {GOVERNOR}"))
        } else {
            Finding::new(Area::Governor, Level::Note, "the system does not say how the clock rate is governed")
        };
    };
    let mut details = Vec::new();
    if let Some(driver) = &frequency.driver {
        details.push(format!("driver {driver}"));
    }
    if let Some(preference) = &frequency.preference {
        details.push(format!("preference {preference}"));
    }
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    match name.as_str() {
        "performance" => Finding::new(Area::Governor, Level::Good, format!("the governor is performance{details}")),
        mixed if mixed.contains('+') => Finding::new(
            Area::Governor,
            Level::Warning,
            format!("CPUs have different governors: {}{details}", mixed.replace('+', ", ")),
        )
        .remedy(GOVERNOR),
        other => Finding::new(
            Area::Governor,
            Level::Warning,
            format!("the governor is {other}{details}: the clock rate follows the load"),
        )
        .remedy(GOVERNOR),
    }
}

fn turbo(frequency: &Frequency, guest: bool) -> Finding {
    match (frequency.turbo, frequency.turbo_switch) {
        (Some(false), _) => Finding::new(Area::Turbo, Level::Good, "turbo is off"),
        (Some(true), switch) => {
            let finding = Finding::new(
                Area::Turbo,
                Level::Warning,
                "turbo is on: the clock rate depends on temperature and on how many cores are busy",
            );
            match switch {
                Some(switch) => finding.remedy(switch.off()),
                None => finding,
            }
        }
        (None, _) if guest => Finding::new(
            Area::Turbo,
            Level::Note,
            "the host decides about turbo; it cannot be read in this virtual machine",
        )
        .remedy(format!(
            "on the host: {} (Intel) or {} (others)",
            TurboSwitch::IntelPstate.off(),
            TurboSwitch::Boost.off()
        )),
        (None, _) => Finding::new(Area::Turbo, Level::Note, "the system does not say whether turbo is on"),
    }
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

    #[test]
    fn governors() {
        let cases = [
            (Some("performance"), Level::Good),
            (Some("powersave"), Level::Warning),
            (Some("schedutil"), Level::Warning),
            (Some("performance+powersave"), Level::Warning),
            (None, Level::Note),
        ];
        for (name, level) in cases {
            let frequency = Frequency { governor: name.map(str::to_owned), ..Frequency::default() };
            let finding = governor(&frequency, false);
            assert_eq!(finding.level, level, "{name:?}");
            assert_eq!(finding.remedy.is_some(), level == Level::Warning);
        }
        let guest = governor(&Frequency::default(), true);
        assert!(guest.remedy.is_some_and(|remedy| remedy.starts_with("on the host: echo performance")));
        assert!(turbo(&Frequency::default(), true).remedy.is_some_and(|remedy| remedy.contains("no_turbo")));
    }

    #[test]
    fn turbo_comes_with_its_own_switch() {
        let with = |turbo, turbo_switch| turbo_finding(Frequency { turbo, turbo_switch, ..Frequency::default() });
        assert_eq!(with(Some(false), Some(TurboSwitch::Boost)).level, Level::Good);
        let intel = with(Some(true), Some(TurboSwitch::IntelPstate));
        assert_eq!(intel.level, Level::Warning);
        assert!(intel.remedy.is_some_and(|remedy| remedy.contains("no_turbo")));
        let boost = with(Some(true), Some(TurboSwitch::Boost));
        assert!(boost.remedy.is_some_and(|remedy| remedy.ends_with("cpufreq/boost")));
        let unknown = with(None, None);
        assert_eq!((unknown.level, unknown.remedy), (Level::Note, None));
    }

    fn turbo_finding(frequency: Frequency) -> Finding {
        turbo(&frequency, false)
    }
}
