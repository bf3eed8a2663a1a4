//! Virtual machines, stolen time, containers.

use super::finding::{Area, Finding, Level};
use super::usage::Usage;
use crate::environment::{Machine, Virtualisation};

pub(super) fn findings(virtualisation: &Virtualisation, usage: Option<&Usage>) -> Vec<Finding> {
    let mut findings = vec![machine(&virtualisation.machine)];
    findings.extend(usage.and_then(|usage| usage.steal).and_then(steal));
    if let Some(name) = &virtualisation.container {
        let text = format!("this is a container ({name}): other work on the host may not be seen from here");
        findings.push(Finding::new(Area::Virtualisation, Level::Note, text).remedy("on the host: top"));
    }
    findings
}

fn machine(machine: &Machine) -> Finding {
    let finding = |level, text: String| Finding::new(Area::Virtualisation, level, text);
    match machine {
        Machine::Physical => finding(Level::Good, "this is a physical machine".to_owned()),
        Machine::Unknown => {
            finding(Level::Note, "the system does not say whether this is a virtual machine".to_owned())
        }
        Machine::Virtual(name) => finding(
            Level::Note,
            format!("this is a virtual machine ({name}): its neighbours on the host can slow it down"),
        )
        .remedy("use a machine with dedicated CPUs, or write more `replicates` into the plan"),
    }
}

fn steal(share: f64) -> Option<Finding> {
    let level = match share {
        share if share < 0.002 => return None,
        share if share < 0.01 => Level::Note,
        share if share < 0.1 => Level::Warning,
        _ => Level::Problem,
    };
    Some(
        Finding::new(
            Area::Virtualisation,
            level,
            format!("the hypervisor took {:.1} % of the CPU time for others", share * 100.0),
        )
        .remedy("use a machine with dedicated CPUs, or run again later with more replicates"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_and_containers() {
        for (kind, level) in [
            (Machine::Physical, Level::Good),
            (Machine::Virtual("kvm".into()), Level::Note),
            (Machine::Unknown, Level::Note),
        ] {
            assert_eq!(machine(&kind).level, level);
        }
        let inside = Virtualisation { machine: Machine::Physical, container: Some("docker".into()) };
        assert_eq!(findings(&inside, None).len(), 2);
    }

    #[test]
    fn stolen_time() {
        for (share, level) in
            [(0.0, None), (0.005, Some(Level::Note)), (0.05, Some(Level::Warning)), (0.5, Some(Level::Problem))]
        {
            assert_eq!(steal(share).map(|finding| finding.level), level, "{share}");
        }
    }
}
