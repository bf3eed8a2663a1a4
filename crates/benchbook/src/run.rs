//! Runs, in fresh worker processes or in this one, and what is told of one.

use std::fmt;

use benchbook_core::{Opaque, Plan};
use benchbook_measure::run::{Observer, RunSummary, Silent, Start, keeps_disturbed};
use benchbook_record::to_parquet;
use benchbook_report::escaped;

use crate::display::{Bar, Bundle, Lines, Show};
use crate::{Lab, Result, notebook};

impl Lab {
    /// Measures a plan in fresh worker processes, with replicates: its verdicts may gate.
    ///
    /// The workers have the library's kernels; one of yours needs a worker program of yours
    /// ([`worker_main`](crate::worker_main), named in `BENCHBOOK_WORKER`), or [`Lab::run_here`]. Workers of other programs
    /// ([`Lab::worker`]) stand beside them.
    ///
    /// # Errors
    /// A plan that cannot be run here, a worker that cannot be started, or a store that cannot be written.
    pub fn run(&self, plan: &Plan) -> Result<Run> {
        let mut observer = observer();
        let mut ready = start(as_asked(plan)).beside(self.0.beside.clone()).command("notebook").workers()?;
        Ok(Run::new(ready.run(&self.0.asked.store, observer.as_mut())?))
    }

    /// Measures a plan in this process, kernels of yours included: its verdicts hold *within one process* only.
    ///
    /// # Errors
    /// A plan that cannot be run here, or a store that cannot be written.
    pub fn run_here(&self, plan: &Plan) -> Result<Run> {
        let mut observer = observer();
        // One process is one replicate, however many are asked for.
        let start = start(Plan { replicates: 1, half_width: None, ..as_asked(plan) }).command("in process");
        plan.check()?;
        let threads = plan.threads.unwrap_or_else(rayon::current_num_threads);
        benchbook_engines::set_threads(threads).map_err(benchbook_core::Error::Plan)?;
        let mut ready = start.here(&self.0.here, threads)?;
        Ok(Run::new(ready.run(&self.0.asked.store, observer.as_mut())?))
    }
}

/// A run whose right answers this process computes, for the library's own problems; an interrupt of the cell ends it in
/// order, and what was measured stays.
pub(crate) fn start(plan: Plan) -> Start {
    let start =
        Start::new(plan, to_parquet).problems(benchbook_workloads::problems(), benchbook_workloads::CODE_DIGEST);
    start.interrupted(notebook::interrupted())
}

/// The plan, its disturbed samples kept where `BENCHBOOK_KEEP_DISTURBED` says so, as the program does.
pub(crate) fn as_asked(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.sampling.keep_disturbed |= keeps_disturbed();
    plan
}

/// A bar or lines in a notebook, nothing in a program.
pub(crate) fn observer() -> Box<dyn Observer> {
    match (notebook::is_ours(), notebook::live()) {
        (true, _) => Box::new(Bar::new()),
        (false, true) => Box::new(Lines::default()),
        (false, false) => Box::new(Silent),
    }
}

/// A run that has ended; it names itself wherever a run is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run(Opaque<RunSummary>);

impl Run {
    pub(crate) fn new(summary: RunSummary) -> Self {
        Self(summary.into())
    }

    /// The run's id, a UUIDv7.
    pub fn id(&self) -> &str {
        &self.0.run_id
    }

    /// How it went, in numbers.
    pub fn summary(&self) -> &RunSummary {
        &self.0
    }
}

impl AsRef<str> for Run {
    fn as_ref(&self) -> &str {
        self.id()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Show for Run {
    fn bundle(&self) -> Bundle {
        let text = format!("{self}\nrecorded in {}", self.0.folder.display());
        Bundle {
            html: format!("<div class=\"benchbook-summary\"><p>{}</p></div>\n", escaped(&text)),
            text,
            ..Bundle::default()
        }
    }
}
