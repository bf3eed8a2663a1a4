//! Load average and other processes.

use benchbook_core::on_one_line;

use super::finding::{Area, Finding, Level};
use super::usage::Usage;
use crate::environment::Cpu;

/// Processes that are named; more would hide the rest of the findings.
const MOST_NAMED: usize = 3;
/// CPUs that one process may keep busy before it is named.
const TOLERATED_CPUS: f64 = 0.1;

pub(super) fn findings(cpu: &Cpu, usage: &Usage) -> Vec<Finding> {
    let mut findings: Vec<Finding> = load(cpu, usage).into_iter().collect();
    findings.extend(processes(usage));
    findings.extend(hidden(usage));
    findings
}

fn load(cpu: &Cpu, usage: &Usage) -> Option<Finding> {
    let load = usage.load?;
    // The load average counts the whole machine, whatever this process may use of it.
    let cpus = cpu.topology.online.len().max(1);
    let share = load / cpus as f64;
    let text = format!("load average {load:.2} on {cpus} CPUs in the last minute");
    let level = match share {
        share if share < 0.1 => Level::Good,
        share if share < 0.25 => Level::Note,
        share if share < 1.0 => Level::Warning,
        _ => Level::Problem,
    };
    let finding = Finding::new(Area::Load, level, text);
    Some(match level {
        Level::Good => finding,
        _ => finding.remedy("end other work and wait a minute; `top` shows who works"),
    })
}

fn processes(usage: &Usage) -> Vec<Finding> {
    let busy: Vec<_> = usage.busy.iter().filter(|process| process.cpus >= TOLERATED_CPUS).collect();
    if busy.is_empty() {
        return vec![Finding::new(Area::Processes, Level::Good, "no other process is busy")];
    }
    let mut findings: Vec<Finding> = busy
        .iter()
        .take(MOST_NAMED)
        .map(|process| {
            // A process chooses its own name, which a terminal might obey.
            let (id, name) = (process.id, on_one_line(&process.name));
            Finding::new(
                Area::Processes,
                Level::Warning,
                format!("process {id} ({name}) keeps {:.1} CPUs busy", process.cpus),
            )
            .remedy(format!("pause it with `kill -STOP {id}`, and let it go on afterwards with `kill -CONT {id}`"))
        })
        .collect();
    if busy.len() > MOST_NAMED {
        findings.push(
            Finding::new(
                Area::Processes,
                Level::Warning,
                format!("busy processes beside these: {}", busy.len() - MOST_NAMED),
            )
            .remedy("`top` shows them"),
        );
    }
    findings
}

fn hidden(usage: &Usage) -> Option<Finding> {
    let cpus = usage.hidden_cpus.filter(|&cpus| cpus >= 3.0 * TOLERATED_CPUS)?;
    Some(
        Finding::new(
            Area::Processes,
            Level::Warning,
            format!("{cpus:.1} CPUs are kept busy by processes that come and go or cannot be seen from here"),
        )
        .remedy("`top` on the host shows those of other containers; builds start many short processes"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::usage::BusyProcess;
    use super::*;
    use crate::environment::{CpuSet, MemInfo, Topology};

    fn usage() -> Usage {
        Usage { load: None, busy: Vec::new(), hidden_cpus: None, steal: None, memory: MemInfo::default() }
    }

    #[test]
    fn load_is_judged_against_the_cpus() {
        let cpu = |count| Cpu {
            topology: Topology { online: CpuSet::first(count), ..Topology::default() },
            ..Cpu::default()
        };
        let cases = [
            (2, 0.1, Level::Good),
            (2, 0.3, Level::Note),
            (2, 1.0, Level::Warning),
            (2, 2.0, Level::Problem),
            (64, 2.0, Level::Good),
            (0, 0.05, Level::Good),
            (0, 1.5, Level::Problem),
        ];
        for (cpus, value, level) in cases {
            let finding = load(&cpu(cpus), &Usage { load: Some(value), ..usage() }).expect("a finding");
            assert_eq!(finding.level, level, "{value} on {cpus}");
            assert_eq!(finding.remedy.is_none(), level == Level::Good);
        }
        assert_eq!(load(&cpu(2), &usage()), None);
    }

    #[test]
    fn the_busiest_are_named_and_the_rest_counted() {
        assert_eq!(processes(&usage())[0].level, Level::Good);
        let process = |id, cpus| BusyProcess { id, name: "a\u{1b}[2J\u{202e}".into(), cpus };
        let busy = vec![process(1, 3.0), process(2, 1.0), process(3, 0.9), process(4, 0.5), process(5, 0.05)];
        let findings = processes(&Usage { busy, ..usage() });
        assert_eq!(findings.len(), MOST_NAMED + 1);
        assert!(findings[0].text.contains("process 1 (a\u{fffd}[2J\u{fffd}) keeps 3.0 CPUs"), "{}", findings[0].text);
        assert!(findings[0].remedy.as_deref().is_some_and(|remedy| remedy.contains("kill -STOP 1`")));
        assert!(findings[MOST_NAMED].text.ends_with("these: 1"));
    }

    #[test]
    fn hidden_work_counts_only_when_there_is_much() {
        assert_eq!(hidden(&Usage { hidden_cpus: Some(0.2), ..usage() }), None);
        assert!(hidden(&Usage { hidden_cpus: Some(1.0), ..usage() }).is_some());
        assert_eq!(hidden(&usage()), None);
    }
}
