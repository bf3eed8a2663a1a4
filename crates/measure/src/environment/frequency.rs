//! How the clock rate of the CPU is governed.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Root;
use super::topology::CpuSet;

/// Governor and turbo of the CPUs that the process may use; nothing where the system does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Frequency {
    /// Governor; several are joined by `+`.
    pub governor: Option<String>,
    /// Driver behind it (`intel_pstate`, `amd-pstate-epp`, `acpi-cpufreq`).
    pub driver: Option<String>,
    /// Preference between energy and performance, of drivers that decide for themselves.
    pub preference: Option<String>,
    /// Whether clock rates above the base rate are allowed.
    pub turbo: Option<bool>,
    /// What switches turbo here.
    pub turbo_switch: Option<TurboSwitch>,
}

/// The switch of turbo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TurboSwitch {
    /// `/sys/devices/system/cpu/intel_pstate/no_turbo`.
    IntelPstate,
    /// `/sys/devices/system/cpu/cpufreq/boost`.
    Boost,
    /// `/sys/devices/system/cpu/cpufreq/policy*/boost`.
    PolicyBoost,
}

impl TurboSwitch {
    /// The command that turns turbo off.
    #[must_use]
    pub fn off(self) -> &'static str {
        match self {
            Self::IntelPstate => "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo",
            Self::Boost => "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost",
            Self::PolicyBoost => "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/policy*/boost",
        }
    }
}

impl Frequency {
    pub(super) fn read(root: Root<'_>, cpus: &CpuSet) -> Self {
        let policy = |name: &str| {
            let found: BTreeSet<String> = cpus
                .iter()
                .filter_map(|cpu| root.text(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/{name}")))
                .collect();
            (!found.is_empty()).then(|| found.into_iter().collect::<Vec<_>>().join("+"))
        };
        let (turbo, turbo_switch) = turbo(root, cpus).unzip();
        Self {
            governor: policy("scaling_governor"),
            driver: policy("scaling_driver"),
            preference: policy("energy_performance_preference"),
            turbo,
            turbo_switch,
        }
    }
}

fn turbo(root: Root<'_>, cpus: &CpuSet) -> Option<(bool, TurboSwitch)> {
    if let Some(off) = root.flag("sys/devices/system/cpu/intel_pstate/no_turbo") {
        return Some((!off, TurboSwitch::IntelPstate));
    }
    if let Some(on) = root.flag("sys/devices/system/cpu/cpufreq/boost") {
        return Some((on, TurboSwitch::Boost));
    }
    let policies: Vec<bool> =
        cpus.iter().filter_map(|cpu| root.flag(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/boost"))).collect();
    (!policies.is_empty()).then(|| (policies.contains(&true), TurboSwitch::PolicyBoost))
}

#[cfg(test)]
mod tests {
    use super::super::planted::Tree;
    use super::*;

    #[test]
    fn turbo_has_three_switches_and_may_be_unknown() {
        let cases: [(&str, &str, Option<bool>); 7] = [
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "0", Some(true)),
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "1", Some(false)),
            ("sys/devices/system/cpu/cpufreq/boost", "1", Some(true)),
            ("sys/devices/system/cpu/cpufreq/boost", "0", Some(false)),
            ("sys/devices/system/cpu/cpu1/cpufreq/boost", "1", Some(true)),
            ("sys/devices/system/cpu/cpufreq/boost", "maybe", None),
            ("sys/devices/system/cpu/elsewhere", "1", None),
        ];
        for (path, text, expected) in cases {
            let tree = Tree::new().file(path, text);
            let frequency = Frequency::read(Root(tree.path()), &CpuSet::first(2));
            assert_eq!(frequency.turbo, expected, "{path} = {text}");
            assert_eq!(frequency.turbo_switch.is_some(), expected.is_some());
        }
    }

    #[test]
    fn governors_of_allowed_cpus_only() {
        let mut tree = Tree::new();
        for (cpu, governor) in [(0, "powersave"), (1, "performance"), (2, "performance")] {
            tree = tree.file(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"), governor);
        }
        let governor = |cpus: &str| Frequency::read(Root(tree.path()), &CpuSet::parse(cpus).expect("a list")).governor;
        assert_eq!(governor("1-2").as_deref(), Some("performance"));
        assert_eq!(governor("0-2").as_deref(), Some("performance+powersave"));
        assert_eq!(governor("7"), None);
    }
}
