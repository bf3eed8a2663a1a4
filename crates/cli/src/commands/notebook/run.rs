//! `benchbook notebook run`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use benchbook_jupyter::{Interpreter, Settings, Surroundings, run_notebooks};

use super::progress::Progress;
use super::summary;
use crate::args::{NotebookAction, NotebookArgs, NotebookRunArgs, once};
use crate::error::{EXIT_ERROR, Failure, say};
use crate::interrupt::interrupt_flag;

/// Runs notebooks.
pub fn notebook(arguments: NotebookArgs) -> Result<u8, Failure> {
    match arguments.action {
        NotebookAction::Run(arguments) => run(arguments),
    }
}

fn run(arguments: NotebookRunArgs) -> Result<u8, Failure> {
    let python = Interpreter::find(&Surroundings::here()?, None)?;
    let files = without_repeats(arguments.files);
    if arguments.jobs.get() > 1 && files.len() > 1 {
        say("note: notebooks that run at the same time disturb each other's measurements");
    }
    let settings = Settings {
        python,
        jupyter_kernel: arguments.kernel,
        quick: arguments.quick,
        values: once("--param", &arguments.params, "leave one of them out")?.into_iter().collect(),
        html: arguments.html,
        executed: arguments.executed,
        jobs: arguments.jobs,
        cell_timeout: arguments.timeout,
        max_output_bytes: arguments.max_output,
        check: arguments.check,
    };
    let interrupted = interrupt_flag("ending the kernels")?;
    let progress = Progress::of(&files);
    let reports = run_notebooks(&files, &settings, &interrupted, &progress)?;
    summary::print(&reports, arguments.format.format)?;
    Ok(if reports.iter().all(|report| report.passed()) { 0 } else { EXIT_ERROR })
}

/// Each file once, also where a pattern and a name give it twice.
fn without_repeats(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    files
}
