//! Runs: in fresh worker processes, or in this one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::{Plan, Variant};
use benchbook_measure::run::{
    Expanded, Observer, RunSettings, Silent, describe, expand, keeps_disturbed, run, run_row,
};
use benchbook_measure::{Executor, Hello, Offer, all_threads, clock, offer, spawner};

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
        let plan = &as_asked(plan);
        plan.check()?;
        let threads = plan.threads.unwrap_or_else(all_threads);
        let never = Arc::new(AtomicBool::new(false));
        let Offer { program, hello, known, mut asked } = offer(threads, &never)?;
        let Expanded { cells, left_out } = expand(plan, threads, &known, &mut asked)?;
        let row = run_row(plan, threads, &hello, &known, "notebook")?;
        // The worker that answered questions goes before anything is measured.
        drop(asked);
        let settings = RunSettings {
            store: &self.store,
            row,
            known: &known,
            interrupted: &never,
            budget_start_ns,
            left_out: &left_out,
        };
        let mut spawn = spawner(program, Arc::clone(&never));
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
        benchbook_engines::set_threads(threads).map_err(benchbook_core::Error::Plan)?;
        // One process is one replicate, however many are asked for.
        let plan = Plan { replicates: 1, half_width: None, ..as_asked(plan) };
        let mut here = self.here.clone();
        let known = describe(&mut here)?;
        let Expanded { cells, left_out } = expand(&plan, threads, &known, &mut here)?;
        let hello = Hello::of_this_process();
        let row = run_row(&plan, threads, &hello, &known, "in process")?;
        let never = AtomicBool::new(false);
        let settings = RunSettings {
            store: &self.store,
            row,
            known: &known,
            interrupted: &never,
            budget_start_ns,
            left_out: &left_out,
        };
        let mut spawn = |_: &Variant| Ok(Box::new(self.here.clone()) as Box<dyn Executor>);
        Ok(Run::new(run(&plan, &cells, settings, &mut spawn, observer.as_mut())?))
    }
}

/// The plan, its disturbed samples kept where `BENCHBOOK_KEEP_DISTURBED` says so, as the program does.
fn as_asked(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.sampling.keep_disturbed |= keeps_disturbed();
    plan
}

/// Lines in a notebook, nothing in a program.
fn observer() -> Box<dyn Observer> {
    if notebook::live() { Box::new(Lines::default()) } else { Box::new(Silent) }
}
