//! From a plan to the cases and variants it means on this machine.

use benchbook_core::message::{Description, ImplementationInfo};
use benchbook_core::{Case, CaseSpec, INPUT_SEEDS, Knobs, Plan, Registry, Variant, unknown};

use crate::Result;
use crate::executor::{Cases, Offers};
use crate::resolve::resolve;

/// A case with the variants that are compared on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The case.
    pub case: Case,
    /// The variants, in the order of registration.
    pub variants: Vec<Variant>,
    /// Seeds of inputs that the replicates take in turn.
    pub seeds: u32,
}

/// What a plan means on this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Expanded {
    /// What can be measured.
    pub cells: Vec<Cell>,
    /// What the plan asks for beside that, each with the reason why it cannot be measured.
    pub left_out: Vec<String>,
}

/// The cells of a plan, and what it asks for that cannot be one. The workloads that a worker owns it knows best; `problems`
/// are those that this program links.
///
/// # Errors
/// Unknown names (with the nearest), absent devices, or nothing to measure, with the reasons.
pub fn expand(
    plan: &Plan,
    threads: usize,
    known: &Description,
    problems: &Registry,
    asked: &mut dyn Offers,
) -> Result<Expanded> {
    plan.check()?;
    let devices = devices(plan, known)?;
    let (mut cells, mut left_out) = (Vec::new(), Vec::new());
    for spec in &plan.cases {
        let Cases { cases, impossible } = cases(spec, known, problems, asked)?;
        for (params, why) in impossible {
            left_out.push(format!("{} with {params} is left out: {why}", spec.workload));
        }
        let variants = variants(spec, plan, &devices, threads, known, &mut left_out)?;
        if variants.is_empty() {
            continue;
        }
        // What a worker owns, it knows best.
        let owned = known.workloads.iter().find(|workload| workload.name == spec.workload);
        let linked = || problems.find_workload(&spec.workload).map_or(INPUT_SEEDS, |workload| workload.seeds());
        let seeds = owned.map_or_else(linked, |workload| workload.seeds);
        for case in cases {
            let cell = Cell { case, variants: variants.clone(), seeds };
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
    }
    if cells.is_empty() {
        return Err(benchbook_core::Error::Plan(left_out.join("; ")).into());
    }
    Ok(Expanded { cells, left_out })
}

/// The cases of one workload.
fn cases(spec: &CaseSpec, known: &Description, problems: &Registry, asked: &mut dyn Offers) -> Result<Cases> {
    let (name, preset, combinations) = (spec.workload.as_str(), spec.preset.as_deref(), spec.combinations());
    if known.workloads.iter().any(|workload| workload.name == name) {
        return asked.resolve(name, preset, &combinations);
    }
    let solved = |name: &str| known.implementations.iter().any(|i| i.workload == name);
    match problems.find_workload(name) {
        Ok(workload) if solved(name) => Ok(resolve(workload, preset, &combinations)?),
        _ => {
            let owned = known.workloads.iter().map(|workload| workload.name.as_str());
            let linked = problems.workloads().map(|workload| workload.name()).filter(|name| solved(name));
            Err(unknown("workload", name, owned.chain(linked)).into())
        }
    }
}

/// The variants of one workload; those that it is asked for and cannot have are added to `left_out`.
fn variants(
    spec: &CaseSpec,
    plan: &Plan,
    devices: &[String],
    threads: usize,
    known: &Description,
    left_out: &mut Vec<String>,
) -> Result<Vec<Variant>> {
    let (workload, names) = (&spec.workload, &spec.implementations);
    let of_workload = || known.implementations.iter().filter(move |i| i.workload == *workload);
    for name in names.iter().filter(|name| of_workload().all(|i| !i.is_called(name))) {
        // Knobs that nothing has are a slip of the finger, wherever the rest of the name is known.
        has_knobs(name, of_workload())?;
        known_elsewhere(name, plan, known)?;
        left_out.push(format!("{workload} has no implementation `{name}`"));
    }
    let chosen: Vec<(&ImplementationInfo, String)> = match names.is_empty() {
        true => of_workload().filter(|i| !i.on_request).map(|i| (i, i.name.clone())).collect(),
        false => of_workload().flat_map(|i| called(i, names)).collect(),
    };
    let mut variants = Vec::new();
    for (implementation, name) in &chosen {
        for device in implementation.devices.iter().filter(|device| devices.contains(device)) {
            variants.extend(plan.dtypes.iter().map(|dtype| Variant {
                implementation: name.clone(),
                device: device.clone(),
                dtype: *dtype,
                threads,
                build: None,
            }));
        }
    }
    if variants.is_empty() && names.is_empty() {
        left_out.push(format!("no implementation of {workload} runs on {}", devices.join(", ")));
    } else if variants.is_empty() && !chosen.is_empty() {
        let asked: Vec<&str> = chosen.iter().map(|(_, name)| name.as_str()).collect();
        left_out.push(format!("{} of {workload} does not run on {}", asked.join(", "), devices.join(", ")));
    }
    Ok(variants)
}

/// The names by which an implementation is asked for, each once.
fn called<'a>(implementation: &'a ImplementationInfo, names: &[String]) -> Vec<(&'a ImplementationInfo, String)> {
    let is_first = |(index, name): &(usize, &String)| !names[..*index].contains(name);
    let called = names.iter().enumerate().filter(is_first).map(|(_, name)| name);
    called.filter(|name| implementation.is_called(name)).map(|name| (implementation, name.clone())).collect()
}

/// Refuses the name of an implementation that no workload has of which it is asked: the same names may be asked of several.
fn known_elsewhere(name: &str, plan: &Plan, known: &Description) -> Result<()> {
    let asked = |i: &&ImplementationInfo| {
        let mut asked = plan.cases.iter().filter(|spec| spec.implementations.iter().any(|one| one == name));
        asked.any(|spec| spec.workload == i.workload)
    };
    if known.implementations.iter().filter(asked).any(|i| i.is_called(name)) {
        return Ok(());
    }
    has_knobs(name, known.implementations.iter().filter(asked))?;
    let mut names: Vec<&str> = known.implementations.iter().filter(asked).map(|i| i.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Err(unknown("implementation", name, names).into())
}

/// Refuses values of knobs that the one among these which is called so does not have.
fn has_knobs<'a>(name: &str, mut all: impl Iterator<Item = &'a ImplementationInfo>) -> Result<()> {
    if let Some(bare) = all.find(|i| i.name == Knobs::bare(name)) {
        Knobs::read(name, &bare.knobs)?;
    }
    Ok(())
}

/// The devices that a plan means: those it names, or all that are here.
fn devices(plan: &Plan, known: &Description) -> Result<Vec<String>> {
    if plan.devices.is_empty() {
        let here = known.devices.iter().filter(|device| device.unavailable.is_none());
        return Ok(here.map(|device| device.name.clone()).collect());
    }
    for name in &plan.devices {
        let Some(device) = known.devices.iter().find(|device| device.name == *name) else {
            return Err(unknown("device", name, known.devices.iter().map(|device| device.name.as_str())).into());
        };
        if let Some(reason) = &device.unavailable {
            let text = format!("device `{name}` was asked for and is not here: {reason}");
            return Err(benchbook_core::Error::Plan(text).into());
        }
    }
    Ok(plan.devices.clone())
}
