//! `benchbook` of the portable bundle: it measures what a plan says, PyTorch on a GPU among it, on a machine without Rust.
//!
//! Its worker and the Python worker lie beside it. A run stays a journal, which every store takes.

mod arguments;

use std::error::Error;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use arguments::{HELP, Request, Run};
use benchbook_core::{Plan, counted, for_people};
use benchbook_measure::journal::{LocalStore, as_journal, read_text};
use benchbook_measure::run::{Observer, Pace, Progress, Start, keeps_disturbed};
use benchbook_measure::{Foreign, clock};

/// The exit code of everything that goes wrong, as of `benchbook`.
const EXIT_ERROR: u8 = 4;

/// The folder of the Python worker, beside this program.
const PYTHON: &str = "python";

fn main() -> ExitCode {
    carry_out().unwrap_or_else(|error| {
        say(&format!("error: {error}"));
        ExitCode::from(EXIT_ERROR)
    })
}

fn carry_out() -> Result<ExitCode, Box<dyn Error>> {
    match arguments::parse(std::env::args_os().skip(1))? {
        Request::Help => show(HELP)?,
        Request::Version => show(concat!("benchbook ", env!("CARGO_PKG_VERSION"), ", portable\n"))?,
        Request::Run(asked) => return run(&asked),
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures a plan by the workers beside this program.
fn run(asked: &Run) -> Result<ExitCode, Box<dyn Error>> {
    let plan = plan(asked).map_err(|error| format!("{}: {error}", asked.plan.display()))?;
    let start =
        Start::new(plan, as_journal).problems(benchbook_workloads::problems(), benchbook_workloads::CODE_DIGEST);
    let mut ready = start.beside(vec![python(&asked.python)?]).workers()?;
    let summary = ready.run(&LocalStore::create_or_open(&asked.store)?, &mut Lines::default())?;
    let (folder, store) = (summary.folder.display(), asked.store.display());
    show(&format!("{summary}\nrecorded in {folder}\nnext, where benchbook is: benchbook store merge {store}\n"))?;
    // A run in which nothing could be measured has not done what it was asked.
    Ok(if summary.measured_nothing() { ExitCode::from(EXIT_ERROR) } else { ExitCode::SUCCESS })
}

/// The plan in a file, on the devices that are asked for.
fn plan(asked: &Run) -> Result<Plan, Box<dyn Error>> {
    let mut plan = Plan::from_toml(&read_text(&asked.plan)?)?;
    if !asked.devices.is_empty() {
        plan.devices.clone_from(&asked.devices);
    }
    plan.sampling.keep_disturbed |= keeps_disturbed();
    Ok(plan)
}

/// The Python worker in this Python.
fn python(python: &Path) -> std::io::Result<Foreign> {
    let folder = std::env::current_exe()?.with_file_name(PYTHON);
    Ok(Foreign::of_words(PYTHON, [python, folder.as_path()]))
}

/// Tells of a run in lines, now and then.
#[derive(Default)]
struct Lines(Pace);

impl Observer for Lines {
    fn progress(&mut self, progress: Progress<'_>) {
        let now_ns = clock::now_ns();
        let line = self.0.take(&progress, now_ns);
        match progress {
            Progress::Started { run_id, trials, .. } => say(&format!("run {run_id}: {}", counted(trials, "trial"))),
            Progress::Note(text) => say(&format!("note: {text}")),
            _ => {
                if let Some(line) = line.filter(|_| self.0.is_due(now_ns)) {
                    say(&format!("  {line}"));
                }
            }
        }
    }
}

/// Tells a person something on standard error; whether anyone listens must not matter to a measurement.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", for_people(text));
}

/// An answer on standard output.
fn show(text: &str) -> std::io::Result<()> {
    match std::io::stdout().write_all(for_people(text).as_bytes()) {
        // A closed pipe is the reader's wish: all is in the record.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_of_the_bundle_means_cases() {
        let problems = benchbook_workloads::problems();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
        let mut cases = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = read_text(&entry.unwrap().path()).unwrap();
            for spec in Plan::from_toml(&text).unwrap().cases {
                let workload = problems.find_workload(&spec.workload).unwrap();
                if let Some(name) = &spec.preset {
                    assert!(workload.presets().iter().any(|preset| preset.name == *name), "{name}");
                }
                for params in spec.combinations() {
                    workload.case(params).unwrap();
                    cases += 1;
                }
            }
        }
        assert!(cases > 10, "{cases}");
    }

    #[test]
    fn a_plan_that_is_not_there_is_named() {
        let asked =
            Run { plan: "no-such-plan.toml".into(), devices: Vec::new(), python: "x".into(), store: "y".into() };
        assert!(run(&asked).unwrap_err().to_string().starts_with("no-such-plan.toml: "));
    }
}
