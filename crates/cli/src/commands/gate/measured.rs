//! Measuring two builds against each other in one run.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::message::Description;
use benchbook_core::{Plan, Variant};
use benchbook_measure::record::{LocalStore, RunRow};
use benchbook_measure::run::{Cell, RunSettings, RunSummary, command_line, run, run_row};
use benchbook_measure::{Executor, Hello, ProcessWorker, clock};

use crate::error::Failure;
use crate::progress::Bar;

/// Who measures: the store, the candidate's offer, and a program for each label.
pub struct Bench<'a> {
    pub store: &'a LocalStore,
    /// What the candidate says of its build.
    pub hello: Hello,
    /// What the candidate offers.
    pub known: Description,
    /// The candidate's worker, for variants without a label.
    pub program: PathBuf,
    /// Labels of builds and their workers.
    pub programs: Vec<(String, PathBuf)>,
    pub threads: usize,
    pub interrupted: Arc<AtomicBool>,
}

impl Bench<'_> {
    /// The row of a run of this plan here.
    pub fn row(&self, plan: &Plan) -> Result<RunRow, Failure> {
        Ok(run_row(plan, self.threads, &self.hello, &self.known, &command_line())?)
    }

    /// Measures cells as the plan says; an interrupt is a failure, since half a gate judges nothing.
    pub fn measure(&self, plan: &Plan, cells: &[Cell]) -> Result<RunSummary, Failure> {
        let settings = RunSettings {
            store: self.store,
            row: self.row(plan)?,
            known: &self.known,
            interrupted: &self.interrupted,
            budget_start_ns: clock::now_ns(),
            // They stand in the report.
            left_out: &[],
        };
        let mut spawn = |variant: &Variant| -> benchbook_measure::Result<Box<dyn Executor>> {
            let of_build = |(label, _): &&(String, PathBuf)| Some(label) == variant.build.as_ref();
            let program = self.programs.iter().find(of_build).map_or(&self.program, |(_, program)| program);
            Ok(Box::new(ProcessWorker::spawn(program, variant.threads, Arc::clone(&self.interrupted))?))
        };
        let mut bar = Bar::new();
        let summary = run(plan, cells, settings, &mut spawn, &mut bar);
        bar.clear();
        let summary = summary?;
        if summary.interrupted {
            return Err(Failure::say(format!("interrupted: what was measured stands in run {}", summary.run_id)));
        }
        Ok(summary)
    }
}
