//! The one way to start a run, whoever asks for it.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::message::Description;
use benchbook_core::{Plan, Registry};
use benchbook_journal::{Keep, LocalStore, RunRow};

use super::beside::{Foreign, Joined, Owners};
use super::controller::{RunSettings, RunSummary, run};
use super::expand::{Cell, Expanded, expand};
use super::offer::{Build, Here, Offer, Programs, all_threads, offer_of};
use super::progress::Observer;
use super::row::{command_line, run_row};
use crate::executor::{Offers, Spawn};
use crate::link::InProcess;
use crate::process::{Hello, worker_program};
use crate::references::{References, Shared};
use crate::waiting::Interruption;
use crate::{Result, clock};

/// A run that is asked for: its plan, in which words it was asked for, and how it may be ended.
///
/// Say who measures, and it is [`Ready`].
pub struct Start {
    plan: Plan,
    keep: Keep,
    command: String,
    interrupted: Arc<AtomicBool>,
    budget_start_ns: i64,
    problems: Registry,
    /// Digest of the code of the problems.
    code: String,
    /// Workers of other programs.
    beside: Vec<Foreign>,
}

/// Who measures: what they are, what they offer, and how many threads each variant gets.
pub(super) struct Crew {
    pub hello: Hello,
    pub known: Description,
    pub threads: usize,
    pub spawn: Box<dyn Spawn>,
    pub references: Shared,
}

impl Start {
    /// A run of `plan` that this program was called for; its time budget begins now. What becomes of its journal at the
    /// end, `keep` says.
    pub fn new(plan: Plan, keep: Keep) -> Self {
        Self {
            plan,
            keep,
            command: command_line(),
            interrupted: Arc::default(),
            budget_start_ns: clock::now_ns(),
            problems: Registry::default(),
            code: String::new(),
            beside: Vec::new(),
        }
    }

    /// The problems that this program links: it computes their right answers itself, and keeps between runs what took long,
    /// under the digest `code` of their code. Those of other problems are asked of the worker that owns them.
    #[must_use]
    pub fn problems(self, problems: Registry, code: &str) -> Self {
        Self { problems, code: code.to_owned(), ..self }
    }

    /// Workers of other programs, in any language, that measure what they offer beside those of the worker program.
    #[must_use]
    pub fn beside(self, workers: Vec<Foreign>) -> Self {
        Self { beside: workers, ..self }
    }

    /// The words that stand in `runs.command` where nobody has called a program.
    #[must_use]
    pub fn command(self, words: &str) -> Self {
        Self { command: words.to_owned(), ..self }
    }

    /// A flag that ends the run in order once it is set from outside.
    #[must_use]
    pub fn interrupted(self, flag: &Arc<AtomicBool>) -> Self {
        Self { interrupted: Arc::clone(flag), ..self }
    }

    /// Measured by fresh processes of the worker program.
    ///
    /// # Errors
    /// There is no worker program; what else [`Start::workers_of`] says.
    pub fn workers(self) -> Result<Ready> {
        self.plan.check()?;
        self.workers_of(worker_program()?)
    }

    /// Measured by fresh processes of this program.
    ///
    /// # Errors
    /// A plan that cannot be run here; a program that cannot be started, is no worker, or speaks another version of the
    /// protocol.
    pub fn workers_of(self, program: PathBuf) -> Result<Ready> {
        // For a plan that nobody can run, nobody is started.
        self.plan.check()?;
        let offer = offer_of(program, self.threads(), &self.interrupted)?;
        let offer = offer.beside(&self.beside, self.threads(), &self.interrupted)?;
        self.offered(offer, Vec::new())
    }

    /// Measured by fresh processes of a program that was asked before, and variants of one of `builds` by those of its
    /// program.
    ///
    /// # Errors
    /// A plan that cannot be run here, or the worker that was asked is lost.
    pub fn offered(mut self, offer: Offer, builds: Vec<Build>) -> Result<Ready> {
        // The workers that answer questions go before anything is measured.
        let Offer { program, hello, known, mut asked, beside: mut joined } = offer;
        let beside = joined.iter().map(Joined::place).collect();
        let (references, interruption) = (self.references(), Interruption::of(&self.interrupted));
        let (devices, answers) = (known.devices.clone(), Rc::clone(&references));
        let spawn = Box::new(Programs { program, devices, builds, beside, interruption, references: answers });
        let threads = self.threads();
        let mut owners = Owners { program: &mut asked, beside: &mut joined };
        self.ready(&mut owners, Crew { hello, known, threads, spawn, references })
    }

    /// Measured in this process, whose pools have so many threads.
    ///
    /// # Errors
    /// A plan that cannot be run here.
    pub fn here(mut self, here: &InProcess, threads: usize) -> Result<Ready> {
        let mut asked = here.clone();
        let (hello, known) = (Hello::of_this_process(), asked.describe()?);
        let references = self.references();
        let spawn = Box::new(Here { here: here.clone(), references: Rc::clone(&references) });
        self.ready(&mut asked, Crew { hello, known, threads, spawn, references })
    }

    /// Right answers to the problems, which this then has no more.
    fn references(&mut self) -> Shared {
        References::new(std::mem::take(&mut self.problems), &self.code, &self.interrupted).shared()
    }

    /// The row of `runs`, were it measured by these.
    ///
    /// # Errors
    /// A plan that cannot be written as TOML.
    pub fn row(&self, offer: &Offer) -> Result<RunRow> {
        run_row(&self.plan, self.threads(), &offer.hello, &offer.known, &self.command)
    }

    fn threads(&self) -> usize {
        self.plan.threads.unwrap_or_else(all_threads)
    }

    /// Measured by these, one of whom can be asked.
    pub(super) fn ready(self, asked: &mut dyn Offers, crew: Crew) -> Result<Ready> {
        let Self { plan, keep, command, interrupted, budget_start_ns, .. } = self;
        let expanded = expand(&plan, crew.threads, &crew.known, crew.references.borrow().problems(), asked);
        let Expanded { cells, left_out } = expanded?;
        let (notes, budget_start_ns) = (Vec::new(), Some(budget_start_ns));
        Ok(Ready { plan, keep, cells, left_out, notes, crew, command, interrupted, budget_start_ns })
    }
}

/// A plan as it is going to be measured.
pub struct Ready {
    /// The plan, as it will stand in the record.
    pub plan: Plan,
    /// What is measured.
    pub cells: Vec<Cell>,
    /// What the plan asks for beside that, each with its reason: recorded, and the first of it told.
    pub left_out: Vec<String>,
    /// What whoever asks for the run says of it: the kind of an event, and its words. They are recorded before anything is
    /// measured.
    pub notes: Vec<(String, String)>,
    keep: Keep,
    crew: Crew,
    command: String,
    interrupted: Arc<AtomicBool>,
    /// Reading of the clock at which the budget of the next run began.
    budget_start_ns: Option<i64>,
}

impl Ready {
    /// What those who measure offer.
    pub fn known(&self) -> &Description {
        &self.crew.known
    }

    /// The row of `runs`.
    ///
    /// # Errors
    /// A plan that cannot be written as TOML.
    pub fn row(&self) -> Result<RunRow> {
        let Crew { hello, known, threads, .. } = &self.crew;
        run_row(&self.plan, *threads, hello, known, &self.command)
    }

    /// Measures the cells and records them; the time budget of a second run begins with it.
    ///
    /// # Errors
    /// The record cannot be written, or no worker can be started. A kernel that fails is an outcome of its trial; the run
    /// goes on.
    pub fn run(&mut self, store: &LocalStore, observer: &mut dyn Observer) -> Result<RunSummary> {
        let settings = RunSettings {
            store,
            keep: self.keep,
            row: self.row()?,
            known: &self.crew.known,
            interrupted: &self.interrupted,
            budget_start_ns: self.budget_start_ns.take().unwrap_or_else(clock::now_ns),
            left_out: &self.left_out,
            notes: &self.notes,
            now: &clock::now_ns,
        };
        run(&self.plan, &self.cells, settings, self.crew.spawn.as_mut(), observer)
    }
}
