//! All of it at once, and the versions of the program that asks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;

use serde::Serialize;

use super::cpu::Cpu;
use super::devices::{Devices, query_gpus};
use super::git::{Git, Pending};
use super::memory::Memory;
use super::system::System;
use super::variables::{speed_variables, variables_of_this_process};
use super::virtualisation::Virtualisation;
use super::{Root, cpu};

/// Where to look.
#[derive(Debug, Clone)]
pub struct CaptureSettings {
    /// The folder that stands for `/`.
    pub root: PathBuf,
    /// The folder whose commit is wanted; nothing to ask for none.
    pub git_folder: Option<PathBuf>,
    /// The git program.
    pub git_program: PathBuf,
    /// The commit, where that is known.
    pub built_from: Option<Git>,
    /// Environment variables; those that do not change speed are dropped.
    pub variables: BTreeMap<String, String>,
    /// How to find graphics processors ([`query_gpus`]).
    pub gpus: fn() -> Devices,
    /// Operating system, where the tree does not name it.
    pub os: String,
    /// Architecture of the instruction set.
    pub architecture: String,
}

impl CaptureSettings {
    /// This machine, this process, and the commit that it was built from, or that of the current folder.
    #[must_use]
    pub fn this_machine() -> Self {
        let built_from = Git::built_from();
        Self {
            git_folder: if built_from.is_some() { None } else { std::env::current_dir().ok() },
            built_from,
            variables: variables_of_this_process(),
            gpus: query_gpus,
            ..Self::planted("/")
        }
    }

    /// Nothing but the files below a folder: no git, no variables, no graphics processors.
    #[must_use]
    pub fn planted(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            git_folder: None,
            git_program: PathBuf::from("git"),
            built_from: None,
            variables: BTreeMap::new(),
            gpus: || Devices::none("graphics processors were not asked for"),
            os: std::env::consts::OS.to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
        }
    }
}

/// What is known of the machine, the program and the source that are measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Environment {
    /// Operating system, kernel, clock source.
    pub system: System,
    /// The processor.
    pub cpu: Cpu,
    /// Main memory.
    pub memory: Memory,
    /// Virtual machine and container.
    pub virtualisation: Virtualisation,
    /// Graphics processors.
    pub devices: Devices,
    /// The commit.
    pub git: Git,
    /// Versions of the program.
    pub versions: Versions,
    /// Environment variables that change speed.
    pub variables: BTreeMap<String, String>,
}

/// Reads the environment; what cannot be read is left empty, nothing fails.
///
/// Takes a few milliseconds; git and the graphics driver answer at the same time.
#[must_use]
pub fn capture(settings: &CaptureSettings) -> Environment {
    let question = settings.git_folder.as_ref().map(|folder| Pending::ask(&settings.git_program, folder));
    let root = Root(&settings.root);
    thread::scope(|scope| {
        let gpus = scope.spawn(settings.gpus);
        let cpuinfo = cpu::cpuinfo(&root.text("proc/cpuinfo").unwrap_or_default());
        let virtualisation = Virtualisation::read(root, cpuinfo.hypervisor);
        Environment {
            system: System::read(root, &settings.os, &settings.architecture),
            cpu: Cpu::read(root, cpuinfo),
            memory: Memory::read(root),
            virtualisation,
            versions: Versions::of_this_program(),
            variables: speed_variables(&settings.variables),
            git: question.map(Pending::answer).or_else(|| settings.built_from.clone()).unwrap_or_default(),
            devices: gpus.join().unwrap_or_else(|_| Devices::none("the graphics driver's library failed")),
        }
    })
}

/// What this program was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// Version of benchbook.
    pub benchbook: String,
    /// Version of the compiler, where the build script passed `BENCHBOOK_RUSTC_VERSION` on.
    pub rustc: Option<String>,
    /// Whether this program has debug assertions. The kernels are the worker's: it tells of its own.
    pub debug_assertions: bool,
}

impl Versions {
    /// Those of this program.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self {
            benchbook: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: option_env!("BENCHBOOK_RUSTC_VERSION").map(str::to_owned),
            debug_assertions: cfg!(debug_assertions),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::super::virtualisation::Machine;
    use super::*;

    fn read(tree: &planted::Tree) -> Environment {
        capture(&CaptureSettings::planted(tree.path()))
    }

    #[test]
    fn intel_laptop() {
        let environment = read(&planted::intel_laptop());
        let cpu = &environment.cpu;
        assert_eq!(cpu.model.as_deref(), Some("Intel(R) Core(TM) i7-8565U CPU @ 1.80GHz"));
        assert_eq!(cpu.features, ["avx", "avx2", "bmi2", "f16c", "fma", "sse4_2"]);
        assert_eq!(cpu.topology.allowed.len(), 4);
        assert_eq!(cpu.physical_cores(), Some(2));
        assert_eq!(cpu.topology.one_per_core.to_string(), "0-1");
        assert_eq!(cpu.topology.smt, Some(true));
        assert!(cpu.topology.smt_switchable);
        assert_eq!(cpu.frequency.governor.as_deref(), Some("powersave"));
        assert_eq!(cpu.frequency.driver.as_deref(), Some("intel_pstate"));
        assert_eq!(cpu.frequency.turbo, Some(true));
        assert_eq!(cpu.last_level_cache_bytes, Some(8 << 20));
        assert_eq!(environment.memory.total_bytes, Some(16_000_000 * 1024));
        assert_eq!(environment.virtualisation.machine, Machine::Physical);
        assert_eq!(environment.system.os.as_deref(), Some("Ubuntu 24.04.1 LTS"));
        assert_eq!(environment.system.clocksource.as_deref(), Some("tsc"));
        assert!(environment.system.hostname_hash.is_some());
        assert!(!format!("{environment:?}").contains("alice"), "the host is not named");
    }

    #[test]
    fn amd_server() {
        let cpu = read(&planted::amd_server()).cpu;
        assert_eq!(cpu.model.as_deref(), Some("AMD EPYC 7763 64-Core Processor"));
        assert_eq!(cpu.topology.numa_nodes, 2);
        assert_eq!(cpu.topology.smt, Some(false));
        assert_eq!(cpu.frequency.governor.as_deref(), Some("performance"));
        assert_eq!(cpu.frequency.turbo, Some(false));
        assert_eq!(cpu.last_level_cache_bytes, Some(64 << 20), "two instances");
    }

    #[test]
    fn arm_server() {
        let environment = read(&planted::arm_server());
        assert_eq!(environment.cpu.model.as_deref(), Some("Arm Neoverse-V1"));
        assert_eq!(environment.cpu.features, ["asimd", "asimddp", "bf16", "i8mm", "sve"]);
        assert_eq!(environment.cpu.topology.smt, Some(false));
        assert_eq!(environment.cpu.frequency.turbo, None);
        assert_eq!(environment.virtualisation.machine, Machine::Unknown);
    }

    #[test]
    fn container_without_cpufreq() {
        let environment = read(&planted::container());
        assert_eq!(environment.cpu.quota, Some(1.5));
        assert_eq!(environment.cpu.usable(), 1);
        assert_eq!(environment.cpu.frequency.governor, None);
        assert_eq!(environment.cpu.frequency.turbo, None);
        assert_eq!(environment.cpu.last_level_cache_bytes, Some(32 << 20), "from /proc/cpuinfo");
        assert_eq!(environment.memory.limit_bytes, Some(1 << 30));
        assert_eq!(environment.virtualisation.container.as_deref(), Some("docker"));
    }

    #[test]
    fn virtual_machine() {
        let environment = read(&planted::virtual_machine());
        assert_eq!(environment.virtualisation.machine, Machine::Virtual("kvm".into()));
        assert_eq!(environment.cpu.topology.smt, Some(false));
        assert!(!environment.cpu.topology.smt_switchable);
    }

    #[test]
    fn an_empty_tree_is_all_unknown() {
        let tree = planted::Tree::new();
        let mut settings = CaptureSettings::planted(tree.path());
        settings.os = "plan9".into();
        let environment = capture(&settings);
        assert_eq!(environment.cpu, Cpu::default());
        assert_eq!(environment.memory, Memory::default());
        assert_eq!(environment.virtualisation.machine, Machine::Unknown);
        assert_eq!(environment.system.os.as_deref(), Some("plan9"));
        assert_eq!(environment.git, Git::default());
        assert!(environment.devices.found.is_empty() && environment.devices.reason.is_some());
    }

    #[test]
    fn variables_are_filtered_and_a_broken_driver_library_is_survived() {
        let tree = planted::Tree::new();
        let mut settings = CaptureSettings::planted(tree.path());
        settings.variables = [("OMP_NUM_THREADS", "3"), ("MY_PASSWORD", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        settings.gpus = || panic!("a driver that fails");
        let environment = capture(&settings);
        assert_eq!(environment.variables.len(), 1);
        assert!(environment.devices.reason.is_some());
    }

    #[test]
    fn this_machine_is_captured() {
        let environment = capture(&CaptureSettings::this_machine());
        assert!(environment.git.installed.is_some());
        if cfg!(target_os = "linux") {
            assert!(environment.cpu.usable() >= 1);
            assert!(environment.memory.total_bytes.is_some_and(|bytes| bytes > 1 << 20));
            assert!(environment.system.kernel.is_some());
        }
    }
}
