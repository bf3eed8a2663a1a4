//! What workloads take that something solves on this machine: parameters, presets, and models whole.

use std::collections::BTreeSet;

use benchbook_core::message::Description;
use benchbook_core::{Registry, Within};

use crate::error::Failure;

/// Each as evidence of the catalogue names it.
#[derive(Debug, Default, PartialEq)]
pub struct Solved {
    /// Models, each with a workload that takes it whole: `gpt2-124m by greedy-decoding`.
    pub posed: Vec<String>,
    /// Parameters, and each with its words and with the values of presets: `generate prompt`,
    /// `text-training text=brown`, `selective-scan seq=2048`.
    pub parameters: Vec<String>,
    /// Presets: `generate chat`.
    pub presets: Vec<String>,
}

impl Solved {
    /// What there is in workloads of which an implementation has a device here.
    ///
    /// # Errors
    /// A description of a model that cannot be read, or a preset that is no case.
    pub fn of(known: &Description) -> Result<Self, Failure> {
        let here: BTreeSet<&str> = known
            .devices
            .iter()
            .filter(|device| device.unavailable.is_none())
            .map(|device| device.name.as_str())
            .collect();
        let runs =
            known.implementations.iter().filter(|one| one.devices.iter().any(|name| here.contains(name.as_str())));
        let solved: BTreeSet<&str> = runs.map(|one| one.workload.as_str()).collect();
        let mut found = Self::default();
        for workload in known.workloads.iter().filter(|workload| solved.contains(workload.name.as_str())) {
            let name = &workload.name;
            found.presets.extend(workload.presets.iter().map(|preset| format!("{name} {preset}")));
            for param in &workload.params {
                found.parameters.push(format!("{name} {}", param.name));
                if let Some(Within::Words(words)) = &param.within {
                    found.parameters.extend(words.iter().map(|word| format!("{name} {}={word}", param.name)));
                }
            }
        }
        found.parameters.extend(values(&benchbook_workloads::problems(), &solved)?);
        let posed = benchbook_matrix::posed()?.into_iter().filter(|one| solved.contains(one.workload));
        found.posed.extend(posed.map(|one| one.to_string()));
        Ok(found)
    }
}

/// Values that the presets of these workloads have.
fn values(registry: &Registry, solved: &BTreeSet<&str>) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    for workload in registry.workloads().filter(|workload| solved.contains(workload.name())) {
        for given in workload.presets().into_iter().flat_map(|preset| preset.cases) {
            let params = workload.case(given)?.params.0;
            found.extend(params.iter().map(|(name, value)| format!("{} {name}={value}", workload.name())));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use benchbook_core::ParamSpec;
    use benchbook_core::message::{DeviceInfo, ImplementationInfo, InputsFrom, WorkloadInfo};

    use super::*;

    /// A scan on the device `flex`, which is here unless a reason says why not.
    fn known(unavailable: Option<&str>) -> Description {
        let order = ParamSpec {
            name: "order".to_owned(),
            default: "up".into(),
            doc: "which end comes first".to_owned(),
            within: Some(Within::Words(vec!["up".to_owned(), "down".to_owned()])),
        };
        let workload = WorkloadInfo {
            name: "selective-scan".to_owned(),
            about: String::new(),
            presets: vec!["seq-2m".to_owned()],
            params: vec![order],
            seeds: 1,
        };
        let implementation = ImplementationInfo {
            name: "mine".to_owned(),
            workload: "selective-scan".to_owned(),
            about: String::new(),
            devices: vec!["flex".to_owned()],
            engines: Vec::new(),
            catalogue: Vec::new(),
            inputs: InputsFrom::Made,
            approximates: false,
            on_request: false,
            knobs: Vec::new(),
        };
        let device = DeviceInfo {
            name: "flex".to_owned(),
            engine: "burn".to_owned(),
            engine_version: String::new(),
            unavailable: unavailable.map(str::to_owned),
            libraries: None,
        };
        Description {
            workloads: vec![workload],
            implementations: vec![implementation],
            devices: vec![device],
            build: Vec::new(),
            thread_pools: Vec::new(),
        }
    }

    #[test]
    fn words_presets_and_their_values_are_told() {
        let found = Solved::of(&known(None)).unwrap();
        assert_eq!(found.presets, ["selective-scan seq-2m"]);
        for name in ["selective-scan order", "selective-scan order=down", "selective-scan seq=2097152"] {
            assert!(found.parameters.iter().any(|known| known == name), "{name}: {:?}", found.parameters);
        }
        assert!(found.posed.is_empty(), "no model is solved by a scan: {:?}", found.posed);
    }

    #[test]
    fn a_workload_without_a_device_offers_nothing() {
        assert_eq!(Solved::of(&known(Some("no processor"))).unwrap(), Solved::default());
    }
}
