//! Runs notebooks, some at once, and tells how each went.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::child::{Ended, Ending, drive};
use super::messages::{Event, FailureKind, Job};
use super::report::{Failure, Report, unkept};
use super::scripts::Scripts;
use super::tasks::{Task, tasks};
use crate::error::{Named, Result};
use crate::interpreter::Interpreter;
use crate::notebook::{Document, injected};

/// How notebooks are run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Python that runs them.
    pub python: Interpreter,
    /// The Jupyter kernel's name.
    pub jupyter_kernel: String,
    /// Whether the parameter `quick` is set where there is one.
    pub quick: bool,
    /// Values of parameters by name.
    pub values: Vec<(String, String)>,
    /// The folder that gets a page of each.
    pub html: Option<PathBuf>,
    /// The folder that gets an executed copy of each.
    pub executed: Option<PathBuf>,
    /// How many run at once.
    pub jobs: NonZeroUsize,
    /// The longest time for one cell.
    pub cell_timeout: Duration,
    /// The most that one cell may write.
    pub max_output_bytes: u64,
    /// Whether each must show what it declares.
    pub check: bool,
}

/// Hears what happens, from several threads at once. Notebooks are counted in the order in which they were named.
pub trait Observer: Sync {
    /// Something happened to a notebook.
    fn event(&self, notebook: usize, event: &Event);
    /// A notebook is at its end.
    fn finished(&self, notebook: usize, report: &Report);
}

/// Runs every notebook, each in a process and a Jupyter kernel of its own; a failed one does not stop the others.
///
/// After each, and also once `interrupted` is set, nothing that it started is left.
///
/// # Errors
/// The folders cannot be made, or an executed copy would overwrite a notebook; then nothing was run.
pub fn run_notebooks(
    notebooks: &[PathBuf],
    settings: &Settings,
    interrupted: &AtomicBool,
    observer: &dyn Observer,
) -> Result<Vec<Report>> {
    run_with(&Scripts::lay_out()?, notebooks, settings, interrupted, observer)
}

fn run_with(
    scripts: &Scripts,
    notebooks: &[PathBuf],
    settings: &Settings,
    interrupted: &AtomicBool,
    observer: &dyn Observer,
) -> Result<Vec<Report>> {
    let tasks = tasks(notebooks, settings.html.as_deref(), settings.executed.as_deref())?;
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(index) else { return };
            let report = run_one(scripts, task, settings, interrupted, &|event| observer.event(index, event));
            observer.finished(index, &report);
            reports.lock().unwrap_or_else(PoisonError::into_inner).push((index, report));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..settings.jobs.get().min(tasks.len()) {
            scope.spawn(work);
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_by_key(|(index, _)| *index);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

fn run_one(
    scripts: &Scripts,
    task: &Task,
    settings: &Settings,
    interrupted: &AtomicBool,
    tell: &dyn Fn(&Event),
) -> Report {
    let started = Instant::now();
    let mut report = Report::of(task.named.clone());
    if interrupted.load(Ordering::Relaxed) {
        report.failures.push(Failure::of(FailureKind::Interrupted, "it was not begun"));
        return report;
    }
    match job(scripts, task, settings) {
        Ok(job) => run_job(scripts, &job, settings, interrupted, &mut report, tell),
        Err(error) => report.failures.push(Failure::of(FailureKind::Invalid, error.to_string())),
    }
    let written = |file: &Option<PathBuf>| file.clone().filter(|file| file.is_file());
    (report.html, report.executed) = (written(&task.html), written(&task.executed));
    if settings.check && report.passed() {
        let unkept = unkept(&report.shown).into_iter();
        report.failures.extend(unkept.map(|sentence| Failure::of(FailureKind::Check, sentence)));
    }
    report.seconds = started.elapsed().as_secs_f64();
    report
}

fn job(scripts: &Scripts, task: &Task, settings: &Settings) -> Result<Job> {
    // Pages of an earlier run must not pass for this one's.
    for stale in [&task.html, &task.executed].into_iter().flatten() {
        match std::fs::remove_file(stale) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).named("replace", stale)?,
            _ => {}
        }
    }
    let document = Document::read(&task.file)?;
    Ok(Job {
        inject: injected(&document, settings.quick, &settings.values)?,
        cwd: Job::folder_of(&task.file),
        notebook: task.file.clone(),
        kernel: settings.jupyter_kernel.clone(),
        cell_timeout_s: settings.cell_timeout.as_secs_f64(),
        max_output_bytes: settings.max_output_bytes,
        executed: task.executed.clone(),
        html: task.html.clone(),
        plotly_js: scripts.plotly(),
    })
}

fn run_job(
    scripts: &Scripts,
    job: &Job,
    settings: &Settings,
    interrupted: &AtomicBool,
    report: &mut Report,
    tell: &dyn Fn(&Event),
) {
    let text = match serde_json::to_string(job) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("its path cannot be told to Python: {error}");
            return report.failures.push(Failure::of(FailureKind::Invalid, message));
        }
    };
    let mut hear = |event: Event| {
        report.hear(&event);
        tell(&event);
    };
    let (python, script) = (&settings.python.program, scripts.run());
    let Ended { how, left } = drive(python, &script, &job.cwd, &text, job.patience(), interrupted, &mut hear);
    match how {
        Ending::Done => {}
        Ending::Interrupted => report.failures.push(Failure::of(FailureKind::Interrupted, "it was interrupted")),
        // A cell's failure comes first, and explains the rest.
        Ending::Broken(text) => report.failures.push(Failure::of(FailureKind::Runner, text)),
    }
    if !left.is_empty() {
        let message = format!("these processes that it started could not be ended: {left:?}");
        report.failures.push(Failure::of(FailureKind::Runner, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    const NOTEBOOK: &str = r#"{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "let seed: i64 = 3;\nlet quick: bool = false;"}]}"#;

    /// Writes what it was told into the page, then does what the notebook's name says.
    const RUN: &str = r#"
job=$(cat)
field() { printf '%s' "$job" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
echo '{"event":"started","cells":2}'
echo '{"event":"cell","index":0,"cells":2,"line":"let seed"}'
echo '{"event":"cell_done","index":0,"seconds":0.1}'
case $(field notebook) in
    *killed*) kill -9 $$ ;;
    *talks*) echo talk ;;
    *fails*)
        echo '{"event":"failed","kind":"panic","index":1,"source":"f()","message":"it panicked"}'
        echo '{"event":"done","ok":false,"seconds":1,"shown":[]}'; exit 1 ;;
esac
[ "$(field html)" = "$job" ] || printf '%s' "$job" > "$(field html)"
echo '{"event":"done","ok":true,"seconds":1,"shown":[{"cell":0,"declared":["table"],"figures":0,"tables":0,"summaries":0}]}'
"#;

    struct Silent;

    impl Observer for Silent {
        fn event(&self, _: usize, _: &Event) {}
        fn finished(&self, _: usize, _: &Report) {}
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a temporary folder"))
        }

        fn notebook(&self, name: &str) -> PathBuf {
            let file = self.0.path().join(name);
            std::fs::create_dir_all(file.parent().expect("inside")).expect("writable");
            std::fs::write(&file, NOTEBOOK).expect("writable");
            file
        }

        fn settings(&self) -> Settings {
            Settings {
                python: Interpreter { program: "/bin/sh".into() },
                jupyter_kernel: "benchbook".into(),
                quick: false,
                values: Vec::new(),
                html: Some(self.0.path().join("out")),
                executed: None,
                jobs: NonZeroUsize::MIN,
                cell_timeout: Duration::from_secs(60),
                max_output_bytes: 1_000,
                check: false,
            }
        }
    }

    fn run(notebooks: &[PathBuf], settings: &Settings) -> Vec<Report> {
        let scripts = Scripts::stand_in(RUN);
        run_with(&scripts, notebooks, settings, &AtomicBool::new(false), &Silent).expect("they run")
    }

    fn only_failure(report: &Report) -> &Failure {
        assert_eq!(report.failures.len(), 1, "{report:?}");
        &report.failures[0]
    }

    #[test]
    fn a_failed_notebook_does_not_stop_the_others() {
        let folder = Folder::new();
        let names = ["killed.ipynb", "talks.ipynb", "fails.ipynb", "good.ipynb", "absent.ipynb"];
        let mut files: Vec<PathBuf> = names[..4].iter().map(|name| folder.notebook(name)).collect();
        files.push(folder.0.path().join(names[4]));
        let broken = folder.notebook("broken.ipynb");
        std::fs::write(&broken, "{").expect("writable");
        files.push(broken);
        for jobs in [1, 3] {
            let settings = Settings { jobs: NonZeroUsize::new(jobs).expect("not none"), ..folder.settings() };
            let reports = run(&files, &settings);
            assert_eq!(reports.iter().map(|report| report.notebook.clone()).collect::<Vec<_>>(), files);
            assert!(only_failure(&reports[0]).message.contains("killed"));
            assert!(only_failure(&reports[1]).message.contains("no event: talk"));
            let cell = only_failure(&reports[2]);
            assert_eq!((cell.kind, cell.cell, cell.message.as_str()), (FailureKind::Panic, Some(1), "it panicked"));
            assert!(reports[3].passed() && reports[3].html.is_some(), "{:?}", reports[3]);
            assert_eq!((reports[3].cells, reports[3].cells_done), (2, 1));
            assert!(reports[4].failures[0].message.contains("absent.ipynb"));
            assert_eq!(reports[5].failures[0].kind, FailureKind::Invalid);
        }
    }

    #[test]
    fn the_job_holds_parameters_and_limits() {
        let folder = Folder::new();
        let file = folder.notebook("good.ipynb");
        let settings = Settings { quick: true, values: vec![("seed".into(), "5".into())], ..folder.settings() };
        let report = run(std::slice::from_ref(&file), &settings).remove(0);
        let told = std::fs::read_to_string(report.html.expect("written")).expect("text");
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(told["inject"], "let quick: bool = true;\nlet seed: i64 = 5;\n");
        assert_eq!((&told["cell_timeout_s"], &told["max_output_bytes"]), (&60.0.into(), &1_000.into()));
        assert_eq!(told["cwd"], file.canonicalize().expect("there").parent().expect("inside").to_str().expect("UTF-8"));
        let settings = Settings { values: vec![("sed".into(), "5".into())], ..folder.settings() };
        let report = run(&[file], &settings).remove(0);
        assert!(only_failure(&report).message.contains("did you mean `seed`?"));
        assert_eq!(report.html, None, "the earlier page does not pass for this one's");
    }

    #[test]
    fn a_check_asks_for_what_is_declared() {
        let folder = Folder::new();
        let files = [folder.notebook("good.ipynb"), folder.notebook("fails.ipynb")];
        let reports = run(&files, &Settings { check: true, ..folder.settings() });
        assert_eq!(only_failure(&reports[0]).kind, FailureKind::Check);
        assert_eq!(only_failure(&reports[1]).kind, FailureKind::Panic, "what did not run is not checked");
    }

    #[test]
    fn pages_of_two_notebooks_with_one_name_stand_side_by_side() {
        let folder = Folder::new();
        let files = [folder.notebook("a/good.ipynb"), folder.notebook("b/good.ipynb")];
        let pages: Vec<_> =
            run(&files, &folder.settings()).into_iter().map(|report| report.html.expect("one")).collect();
        assert!(pages[0].ends_with("a-good.html") && pages[1].ends_with("b-good.html"), "{pages:?}");
    }

    #[test]
    fn a_notebook_is_never_overwritten() {
        let folder = Folder::new();
        let file = folder.notebook("good.ipynb");
        let settings = Settings { executed: Some(folder.0.path().into()), ..folder.settings() };
        let error =
            run_with(&Scripts::stand_in(RUN), std::slice::from_ref(&file), &settings, &AtomicBool::new(false), &Silent);
        assert!(matches!(error, Err(Error::Overwrites { .. })));
        assert_eq!(std::fs::read_to_string(file).expect("text"), NOTEBOOK);
    }

    #[test]
    fn after_an_interrupt_nothing_more_begins() {
        let folder = Folder::new();
        let files = [folder.notebook("good.ipynb")];
        let reports = run_with(&Scripts::stand_in(RUN), &files, &folder.settings(), &AtomicBool::new(true), &Silent)
            .expect("runs");
        assert_eq!(only_failure(&reports[0]).kind, FailureKind::Interrupted);
    }
}
