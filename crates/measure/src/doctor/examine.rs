//! All rules together.

use std::path::Path;

use benchbook_core::message::Description;

use super::clock::ClockQuality;
use super::finding::Finding;
use super::usage::Usage;
use super::{build, clock, engines, load, machine, processor, threads, tools};
use crate::environment::Environment;

/// What was read before the rules are applied.
#[derive(Debug, Clone, Copy)]
pub struct Observations<'a> {
    /// The machine.
    pub environment: &'a Environment,
    /// What it did lately; nothing if it was not watched.
    pub usage: Option<&'a Usage>,
    /// The clock that times; nothing if it was not measured.
    pub clock: Option<&'a ClockQuality>,
    /// What the worker says.
    pub worker: WorkerAnswer<'a>,
    /// A Chromium that can draw charts.
    pub browser: Option<&'a Path>,
    /// Threads that a plan asks for; nothing if there is no plan.
    pub threads: Option<usize>,
}

/// Whether the worker answered.
#[derive(Debug, Clone, Copy)]
pub enum WorkerAnswer<'a> {
    /// It was not asked.
    NotAsked,
    /// It could not be started, or did not answer.
    Silent {
        /// Why.
        reason: &'a str,
    },
    /// Its greeting and its description.
    Answered {
        /// Build profile of its kernels.
        profile: &'a str,
        /// Whether they have debug assertions.
        debug_assertions: bool,
        /// What exists in it.
        description: &'a Description,
    },
}

/// Applies every rule; findings stand in a fixed order, family by family.
#[must_use]
pub fn examine(observations: &Observations<'_>) -> Vec<Finding> {
    let environment = observations.environment;
    let cpu = &environment.cpu;
    let mut findings = processor::frequency(environment);
    findings.extend(processor::findings(cpu));
    if let Some(usage) = observations.usage {
        findings.extend(load::findings(cpu, usage));
    }
    findings.extend(clock::findings(observations.clock, &environment.system));
    findings.extend(machine::findings(&environment.virtualisation, observations.usage));
    if let Some(usage) = observations.usage {
        findings.extend(machine::memory(&environment.memory, usage));
    }
    findings.extend(machine::graphics(&environment.devices));
    match observations.worker {
        WorkerAnswer::NotAsked => {
            findings.extend(threads::findings(cpu, &[], observations.threads));
        }
        WorkerAnswer::Silent { reason } => {
            findings.extend(threads::findings(cpu, &[], observations.threads));
            findings.push(engines::silent(reason));
        }
        WorkerAnswer::Answered { profile, debug_assertions, description } => {
            findings.extend(threads::findings(cpu, &description.thread_pools, observations.threads));
            findings.extend(build::findings(profile, debug_assertions));
            findings.extend(engines::findings(description));
        }
    }
    findings.extend(threads::variables(&environment.variables));
    findings.extend(build::commit(&environment.git));
    findings.extend(tools::findings(&environment.git, observations.browser));
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Area, Level, worst};
    use super::super::planted::{description, device_info};
    use super::*;
    use crate::environment::planted::{self, Tree};
    use crate::environment::{CaptureSettings, capture};

    fn levels(tree: &Tree) -> Vec<(Area, Level)> {
        let environment = capture(&CaptureSettings::planted(tree.path()));
        let found = examine(&Observations {
            environment: &environment,
            usage: None,
            clock: None,
            worker: WorkerAnswer::NotAsked,
            browser: None,
            threads: None,
        });
        for finding in &found {
            assert!(!finding.text.is_empty());
            assert!(finding.level < Level::Warning || finding.remedy.is_some(), "{finding:?}");
        }
        found.iter().map(|finding| (finding.area, finding.level)).collect()
    }

    #[test]
    fn whole_machines() {
        use Area::{Clock, Cores, Governor, Smt, Turbo, Virtualisation};
        use Level::{Good, Note, Warning};
        let cases: [(&str, Tree, &[(Area, Level)]); 6] = [
            (
                "laptop",
                planted::intel_laptop(),
                &[(Governor, Warning), (Turbo, Warning), (Smt, Note), (Cores, Good), (Clock, Good)],
            ),
            (
                "server",
                planted::amd_server(),
                &[(Governor, Good), (Turbo, Good), (Smt, Good), (Cores, Good), (Cores, Note), (Clock, Good)],
            ),
            ("arm", planted::arm_server(), &[(Governor, Warning), (Turbo, Note), (Smt, Good), (Clock, Good)]),
            (
                "container",
                planted::container(),
                &[(Governor, Note), (Turbo, Note), (Smt, Note), (Cores, Warning), (Virtualisation, Note)],
            ),
            (
                "vm",
                planted::virtual_machine(),
                &[(Governor, Note), (Turbo, Note), (Smt, Good), (Clock, Note), (Virtualisation, Note)],
            ),
            ("empty", Tree::new(), &[(Governor, Note), (Turbo, Note), (Smt, Note), (Cores, Note)]),
        ];
        for (name, tree, expected) in cases {
            let found = levels(&tree);
            for pair in expected {
                assert!(found.contains(pair), "{name}: {pair:?} is not in {found:?}");
            }
        }
    }

    #[test]
    fn the_worker_decides_whether_anything_can_be_measured() {
        let tree = planted::amd_server();
        let environment = capture(&CaptureSettings::planted(tree.path()));
        let works = description(vec![device_info("flex", "burn-flex", None)]);
        let worst_with = |worker| {
            worst(&examine(&Observations {
                environment: &environment,
                usage: None,
                clock: None,
                worker,
                browser: Some(Path::new("/usr/bin/chromium")),
                threads: Some(4),
            }))
        };
        let answered =
            |debug_assertions| WorkerAnswer::Answered { profile: "release", debug_assertions, description: &works };
        assert_eq!(worst_with(answered(false)), Level::Note);
        assert_eq!(worst_with(answered(true)), Level::Problem);
        assert_eq!(worst_with(WorkerAnswer::Silent { reason: "not found" }), Level::Problem);
    }
}
