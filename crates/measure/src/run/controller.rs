//! A run from its first row to its last.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use benchbook_core::message::Description;
use benchbook_core::{Plan, counted};
use benchbook_journal::{Keep, Level, LocalStore, RunRow};

use super::budget::Budget;
use super::ended::Ended;
use super::expand::Cell;
use super::pilot::Pilot;
use super::progress::{Observer, Progress};
use super::recorder::Recorder;
use super::schedule::Schedule;
use super::stages::{Running, Stage, measure_stage, pilot_share, second_stage};
use super::stop::{GivenUp, Interrupt, StopReason};
use crate::clock::Now;
use crate::disturbance::Moment;
use crate::energy;
use crate::executor::Spawn;
use crate::link::Caller;
use crate::{Result, worker_env};

/// Of what is left out, as much is told; a sweep may leave out thousands, and all stand in the record.
const MOST_TOLD: usize = 10;

/// What a run needs beside its plan.
pub struct RunSettings<'a> {
    /// Where to write.
    pub store: &'a LocalStore,
    /// What becomes of the journal at the end.
    pub keep: Keep,
    /// The machine and the command, as they will stand in `runs`.
    pub row: RunRow,
    /// What the workers offer.
    pub known: &'a Description,
    /// Set from outside to end the run in order.
    pub interrupted: &'a AtomicBool,
    /// Reading of the clock at which the time budget began.
    pub budget_start_ns: i64,
    /// What the plan asks for and the cells do not have, each with its reason.
    pub left_out: &'a [String],
    /// What whoever asked for the run says of it: the kind of an event, and its words.
    pub notes: &'a [(String, String)],
    /// The clock to go by.
    pub now: Now<'a>,
}

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Id of the run.
    pub run_id: String,
    /// The run's folder.
    pub folder: PathBuf,
    /// Trials begun.
    pub trials: i64,
    /// Blocks completed.
    pub blocks: i64,
    /// Samples recorded.
    pub samples: u64,
    /// How they ended, each once.
    pub ended: Ended,
    /// Trials that the time budget cut short.
    pub out_of_time: u64,
    /// Whether it was ended from outside.
    pub interrupted: bool,
}

impl RunSummary {
    /// Whether no trial has a result that may be used: such a run has not done what it was asked.
    pub fn measured_nothing(&self) -> bool {
        self.ended.ok == 0
    }
}

impl fmt::Display for RunSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run_id, trials, ended, blocks, samples, out_of_time, interrupted, .. } = self;
        let how = match (*interrupted, self.measured_nothing()) {
            (true, _) => "interrupted",
            (false, true) => "measured nothing",
            (false, false) => "complete",
        };
        let trials = counted(usize::try_from(*trials).unwrap_or(0), "trial");
        write!(f, "run {run_id} {how}: {trials} ({ended}), {samples} samples in {blocks} blocks")?;
        if *out_of_time > 0 {
            write!(f, ", {out_of_time} cut short or not begun for lack of time")?;
        }
        Ok(())
    }
}

/// Measures every cell in every replicate and records it.
///
/// # Errors
/// The record cannot be written, or no worker can be started. A kernel that fails is an outcome of
/// its trial; the run goes on.
pub fn run(
    plan: &Plan,
    cells: &[Cell],
    settings: RunSettings<'_>,
    spawn: &mut dyn Spawn,
    observer: &mut dyn Observer,
) -> Result<RunSummary> {
    let RunSettings { store, keep, row, known, interrupted, budget_start_ns, left_out, notes, now } = settings;
    let recorder = Recorder::create(store, &row, plan.sampling.keep_disturbed, known, observer, now)?;
    let mut run = Running {
        plan,
        recorder,
        schedule: Schedule::new(plan, cells),
        budget: Budget::new(budget_start_ns, plan.time_s, pilot_share(plan)),
        given_up: GivenUp::default(),
        interrupt: Interrupt::new(interrupted),
        spawn,
        let_go: Vec::new(),
        now,
    };
    let first = plan.first_replicates();
    let groups = cells.len() * first as usize;
    let trials = cells.iter().map(|cell| cell.variants.len()).sum::<usize>() * first as usize;
    run.recorder.started(groups, trials);
    begin(&mut run.recorder, known, left_out)?;
    for (kind, text) in notes {
        run.recorder.event(None, Level::Info, kind, text)?;
    }
    let mut stage = Stage::first(plan, cells.len());
    let mut pilots: Vec<Pilot> = cells.iter().map(|_| Pilot::default()).collect();
    let mut complete = measure_stage(&mut run, cells, &mut stage, &mut pilots)?;
    if let (true, Some(half_width)) = (complete, plan.half_width) {
        run.budget.allow_all();
        stage.cells = second_stage(&mut run, cells, &pilots, half_width)?;
        stage.from = first;
        run.recorder.progress(Progress::Planned { groups: stage.done + stage.left() });
        complete = measure_stage(&mut run, cells, &mut stage, &mut pilots)?;
    }
    let interrupted = !complete || run.interrupt.has_cut();
    end(run, interrupted, keep)
}

/// Records and tells what is known before anything is measured.
fn begin(recorder: &mut Recorder<'_>, known: &Description, left_out: &[String]) -> Result<()> {
    let watched = match Moment::now(Caller::this_thread()).sources().as_slice() {
        [] => "this system tells nothing of what disturbs a sample: none is marked".to_owned(),
        sources => format!("samples are marked that these show to be disturbed: {}", sources.join(", ")),
    };
    recorder.event(None, Level::Info, "watched", &watched)?;
    recorder.event(None, Level::Info, "energy", &energy::words(&energy::Counters::below("/")))?;
    for device in known.devices.iter().filter(|device| device.unavailable.is_some()) {
        let reason = device.unavailable.as_deref().unwrap_or_default();
        recorder.event(None, Level::Info, "device_unavailable", &format!("{}: {reason}", device.name))?;
    }
    for (place, text) in left_out.iter().enumerate() {
        recorder.event(None, Level::Warning, "left_out", text)?;
        if place < MOST_TOLD {
            recorder.progress(Progress::Note(text));
        }
    }
    if let Some(more) = left_out.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        recorder.progress(Progress::Note(&format!("{more} more are left out: see `events`")));
    }
    let withheld = worker_env::withheld();
    if withheld.is_empty() {
        return Ok(());
    }
    let text = format!("workers do not get {}: each has as many threads as its variant says", withheld.join(", "));
    recorder.note(None, Level::Warning, "variables_withheld", &text)
}

/// Records and tells what has come of it all, and closes the record.
fn end(run: Running<'_>, interrupted: bool, keep: Keep) -> Result<RunSummary> {
    let now_ns = run.now_ns();
    let Running { mut recorder, schedule, budget, .. } = run;
    let told = [
        ("budget_exhausted", budget.spent(now_ns)),
        ("disturbed", recorder.disturbed.words(recorder.samples())),
        ("not_at_rest", recorder.disturbed.restless_words()),
        ("more_threads", recorder.disturbed.crowded_words()),
    ];
    for (kind, text) in told {
        if let Some(text) = text {
            recorder.note(None, Level::Warning, kind, &text)?;
        }
    }
    let reason = if interrupted { StopReason::Interrupted } else { StopReason::Complete };
    recorder.outcome(None, &reason, None)?;
    let (run_id, trials, samples, ended) =
        (recorder.run_id().to_owned(), recorder.trials(), recorder.samples(), recorder.ended());
    let (blocks, out_of_time) = (schedule.blocks(), budget.short());
    let folder = recorder.finish(keep)?;
    Ok(RunSummary { run_id, folder, trials, ended, blocks, samples, out_of_time, interrupted })
}
