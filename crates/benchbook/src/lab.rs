//! A store to measure into and to ask.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use benchbook_core::{Plan, Registry};
use benchbook_measure::run::{Observer, RunSettings, RunSummary, describe, expand, run, run_row};
use benchbook_measure::{Executor, Hello, InProcess, clock};
use benchbook_query::{Answer, Session};
use benchbook_record::LocalStore;

use crate::{Result, host};

/// A store, and the kernels of this process.
pub struct Lab {
    store: LocalStore,
    here: InProcess,
}

impl Lab {
    /// Opens a store, making it where there is none.
    ///
    /// # Errors
    /// The folder holds something else, or cannot be written.
    pub fn open(store: impl AsRef<Path>) -> Result<Self> {
        Self::with(store, |_| ())
    }

    /// As [`Lab::open`], with workloads and implementations of your own.
    ///
    /// # Errors
    /// As [`Lab::open`].
    pub fn with(store: impl AsRef<Path>, extend: impl FnOnce(&mut Registry)) -> Result<Self> {
        Ok(Self { store: LocalStore::create_or_open(store)?, here: InProcess::new(host(extend)) })
    }

    /// Measures a plan in this process: its verdicts hold *within one process* only.
    ///
    /// # Errors
    /// A plan that cannot be run here, or a store that cannot be written.
    pub fn run(&self, plan: &Plan, observer: &mut dyn Observer) -> Result<RunSummary> {
        let threads = plan.threads.unwrap_or_else(rayon::current_num_threads);
        benchbook_kernels::set_threads(threads).map_err(benchbook_core::Error::Plan)?;
        benchbook_engines::set_threads(threads);
        let budget_start_ns = clock::now_ns();
        // One process is one replicate, however many are asked for.
        let plan = Plan { replicates: 1, ..plan.clone() };
        let mut here = self.here.clone();
        let known = describe(&mut here)?;
        let cells = expand(&plan, threads, &known, &mut here)?;
        let hello = Hello::of_this_process();
        let row = run_row(&plan, threads, &hello, &known, "in process")?;
        let never = AtomicBool::new(false);
        let settings = RunSettings { store: &self.store, row, known: &known, interrupted: &never, budget_start_ns };
        let mut spawn = |_| Ok(Box::new(self.here.clone()) as Box<dyn Executor>);
        Ok(run(&plan, &cells, settings, &mut spawn, observer)?)
    }

    /// Answers a statement over everything recorded so far.
    ///
    /// # Errors
    /// A statement that cannot be planned or run, with its position and the nearest known name.
    pub fn sql(&self, statement: &str) -> Result<Answer> {
        Ok(self.session()?.sql(statement)?)
    }

    /// Answers a named query.
    ///
    /// # Errors
    /// An unknown query or parameter, with the nearest known name.
    pub fn query(&self, name: &str, params: &[(&str, &str)]) -> Result<Answer> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Ok(self.session()?.named(name, &params.iter().map(pair).collect::<BTreeMap<_, _>>())?)
    }

    fn session(&self) -> Result<Session> {
        Ok(Session::open(&self.store.reader()?)?)
    }
}
