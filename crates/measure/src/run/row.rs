//! The row of `runs`: everything known of the machine, the build and the command; and how this program was called.

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

/// The words that this program was called with, as a run records them.
pub fn command_line() -> String {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Whether `BENCHBOOK_KEEP_DISTURBED` asks for disturbed samples to be kept, by the words that the program `benchbook` knows.
pub fn keeps_disturbed() -> bool {
    std::env::var("BENCHBOOK_KEEP_DISTURBED").is_ok_and(|asked| says_yes(&asked))
}

fn says_yes(asked: &str) -> bool {
    !["", "0", "false", "no", "off", "n", "f"].contains(&asked.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_denial_says_yes() {
        assert!(["1", "true", "YES", "x"].into_iter().all(says_yes));
        assert!(!["", "0", "False", "no", "OFF"].into_iter().any(says_yes));
    }
}
