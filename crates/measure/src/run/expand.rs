//! From a plan to the cases and variants it means on this machine.

use std::time::Duration;

use benchbook_core::message::{Description, Reply, Request};
use benchbook_core::{Case, Plan, Variant, unknown};

use crate::executor::Executor;
use crate::{Error, Result};

/// A case with the variants that are compared on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The case.
    pub case: Case,
    /// The variants, in the order of registration.
    pub variants: Vec<Variant>,
}

/// How long a worker may think about names and parameters.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(60);

/// What exists in a worker and what of it runs here.
///
/// # Errors
/// The worker is lost.
pub fn describe(executor: &mut dyn Executor) -> Result<Description> {
    match executor.request(Request::Describe, LOOKUP_TIMEOUT)? {
        Reply::Description(description) => Ok(*description),
        other => Err(Error::Message(format!("asked for a description, got {other:?}"))),
    }
}

/// The cells of a plan.
///
/// # Errors
/// Unknown names (with the nearest), impossible parameters, absent devices, or nothing to measure.
pub fn expand(plan: &Plan, threads: usize, known: &Description, executor: &mut dyn Executor) -> Result<Vec<Cell>> {
    plan.check()?;
    let devices = devices(plan, known)?;
    let mut cells = Vec::new();
    for spec in &plan.cases {
        let request = Request::Resolve {
            workload: spec.workload.clone(),
            preset: spec.preset.clone(),
            combinations: spec.combinations(),
        };
        let cases = match executor.request(request, LOOKUP_TIMEOUT)? {
            Reply::Cases(cases) => cases,
            Reply::Failed { message } => return Err(Error::Refused(message)),
            other => return Err(Error::Message(format!("asked for cases, got {other:?}"))),
        };
        let of_workload: Vec<_> = known.implementations.iter().filter(|i| i.workload == spec.workload).collect();
        if let Some(name) = spec.implementations.iter().find(|name| of_workload.iter().all(|i| i.name != **name)) {
            return Err(unknown("implementation", name, of_workload.iter().map(|i| i.name.as_str())).into());
        }
        let mut variants = Vec::new();
        for implementation in of_workload {
            if !spec.implementations.is_empty() && !spec.implementations.contains(&implementation.name) {
                continue;
            }
            for device in implementation.devices.iter().filter(|device| devices.contains(device)) {
                variants.extend(plan.dtypes.iter().map(|dtype| Variant {
                    implementation: implementation.name.clone(),
                    device: device.clone(),
                    dtype: *dtype,
                    threads,
                    build: None,
                }));
            }
        }
        if variants.is_empty() {
            let asked = if spec.implementations.is_empty() {
                "no implementation".into()
            } else {
                spec.implementations.join(", ")
            };
            let text = format!("{asked} of {} does not run on {}", spec.workload, devices.join(", "));
            return Err(benchbook_core::Error::Plan(text).into());
        }
        for case in cases {
            let cell = Cell { case, variants: variants.clone() };
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
    }
    Ok(cells)
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
