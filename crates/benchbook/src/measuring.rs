//! Runs: in fresh worker processes, or in this one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::Plan;
use benchbook_measure::run::{Observer, RunSettings, Silent, describe, expand, run, run_row};
use benchbook_measure::{Executor, Hello, ProcessWorker, clock, worker_program};

use crate::display::Lines;
use crate::{Lab, Result, Run, notebook};

impl Lab {
    /// Measures a plan in fresh worker processes, with replicates: its verdicts may gate.
    ///
    /// The workers have the library's kernels; one of yours needs a worker program of yours
    /// ([`worker_main`](crate::worker_main), named in `BENCHBOOK_WORKER`), or [`Lab::run_here`].
    ///
    /// # Errors
    /// A plan that cannot be run here, a worker that cannot be started, or a store that cannot be written.
    pub fn run(&self, plan: &Plan) -> Result<Run> {
        let mut observer = observer();
        let budget_start_ns = clock::now_ns();
        plan.check()?;
        let threads = plan.threads.unwrap_or_else(all_threads);
        let program = worker_program()?;
        let never = Arc::new(AtomicBool::new(false));
        let start = || ProcessWorker::spawn(&program, threads, Arc::clone(&never));
        let mut asked = start()?;
        let known = describe(&mut asked)?;
        let cells = expand(plan, threads, &known, &mut asked)?;
        let row = run_row(plan, threads, asked.hello(), &known, "notebook")?;
        // The worker that answered questions goes before anything is measured.
        drop(asked);
        let settings = RunSettings { store: &self.store, row, known: &known, interrupted: &never, budget_start_ns };
        let mut spawn =
            |threads| Ok(Box::new(ProcessWorker::spawn(&program, threads, Arc::clone(&never))?) as Box<dyn Executor>);
        Ok(Run::new(run(plan, &cells, settings, &mut spawn, observer.as_mut())?))
    }

    /// Measures a plan in this process, kernels of yours included: its verdicts hold *within one process* only.
    ///
    /// # Errors
    /// A plan that cannot be run here, or a store that cannot be written.
    pub fn run_here(&self, plan: &Plan) -> Result<Run> {
        let mut observer = observer();
        let budget_start_ns = clock::now_ns();
        plan.check()?;
        let threads = plan.threads.unwrap_or_else(rayon::current_num_threads);
        benchbook_kernels::set_threads(threads).map_err(benchbook_core::Error::Plan)?;
        benchbook_engines::set_threads(threads);
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
        Ok(Run::new(run(&plan, &cells, settings, &mut spawn, observer.as_mut())?))
    }
}

/// Lines in a notebook, nothing in a program.
fn observer() -> Box<dyn Observer> {
    if notebook::live() { Box::new(Lines::default()) } else { Box::new(Silent) }
}

/// Threads when nobody names a number: every core this process may use.
fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
