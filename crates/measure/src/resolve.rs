//! From parameters to cases.

use benchbook_core::{Params, Result, Workload, unknown};

use crate::executor::Cases;

/// The cases of a workload that parameters mean, each in the place of those of a preset where one is named.
///
/// # Errors
/// An unknown preset or parameter, or a value of a wrong type: no combination is right with it.
pub(crate) fn resolve(workload: &dyn Workload, preset: Option<&str>, combinations: &[Params]) -> Result<Cases> {
    let bases = match preset {
        None => vec![Params::default()],
        Some(name) => {
            let presets = workload.presets();
            let found = presets.iter().find(|preset| preset.name == name).map(|preset| preset.cases.clone());
            found.ok_or_else(|| unknown("preset", name, presets.iter().map(|preset| preset.name)))?
        }
    };
    let specs = workload.params();
    let mut found = Cases::default();
    for base in bases {
        for overriding in combinations {
            let mut params = base.clone();
            params.0.extend(overriding.0.clone());
            params.check(workload.name(), &specs)?;
            match workload.case(params.clone()) {
                Ok(case) if found.cases.contains(&case) => {}
                Ok(case) => found.cases.push(case),
                Err(_) if found.impossible.iter().any(|(known, _)| *known == params) => {}
                Err(error) => found.impossible.push((params, error.to_string())),
            }
        }
    }
    Ok(found)
}
