//! The row of `runs`: everything known of the machine, the build and the command.

use benchbook_core::message::Description;
use benchbook_core::{Error as CoreError, Plan};
use benchbook_journal::RunRow;

use crate::Result;
use crate::environment::{CaptureSettings, capture};
use crate::process::Hello;

/// The row of a run of `plan` on `threads` threads, by workers that said `hello` and offer `known`.
///
/// # Errors
/// A plan that cannot be written as TOML.
pub fn run_row(plan: &Plan, threads: usize, hello: &Hello, known: &Description, command: &str) -> Result<RunRow> {
    let mut row = RunRow::new(&plan.suite);
    capture(&CaptureSettings::this_machine()).fill(&mut row);
    row.tags.clone_from(&plan.tags);
    row.command = Some(command.to_owned());
    row.benchbook_version = Some(hello.version.clone());
    row.build_profile = Some(hello.profile.clone());
    row.debug_assertions = Some(hello.debug_assertions);
    row.threads = Some(threads as i64);
    row.seed = Some(plan.seed.cast_signed());
    let text = toml::to_string(plan).map_err(|error| CoreError::Plan(error.to_string()))?;
    row.plan = Some(text);
    let engines = known.devices.iter().filter(|device| device.unavailable.is_none());
    // The instructions behind the version follow from the processor, and stand with each trial.
    let version = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    row.libraries.extend(engines.map(|device| (device.engine.clone(), version(&device.engine_version))));
    row.libraries.extend(known.build.iter().cloned());
    Ok(row)
}
