//! A run from its first row to its last.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use benchbook_core::message::Description;
use benchbook_core::{Case, Plan, Variant, counted};
use benchbook_record::{Level, LocalStore, RunRow};

use super::budget::Budget;
use super::disturbed::Disturbed;
use super::ended::Ended;
use super::expand::Cell;
use super::observer::{Observer, Progress};
use super::order::Order;
use super::pilot::Pilot;
use super::recorder::Recorder;
use super::stages::{Stage, measure_stage, pilot_share, second_stage};
use super::stop::StopReason;
use crate::disturbance::Moment;
use crate::executor::Spawn;
use crate::{Result, clock, threads};

/// Of what is left out, as much is told; a sweep may leave out thousands, and all stand in the record.
const MOST_TOLD: usize = 10;

/// What a run needs beside its plan.
pub struct RunSettings<'a> {
    /// Where to write.
    pub store: &'a LocalStore,
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

/// What the parts of a run share.
pub(super) struct Shared<'a> {
    pub plan: &'a Plan,
    pub recorder: Recorder,
    pub observer: &'a mut dyn Observer,
    pub order: Order,
    pub budget: Budget,
    pub disturbed: Disturbed,
    pub out_of_time: u64,
    pub trials: i64,
    known: &'a Description,
    interrupted: &'a AtomicBool,
    given_up: Vec<(Case, Variant)>,
    pub cut_short: bool,
    blocks: i64,
}

impl Shared<'_> {
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    pub fn next_block(&mut self) -> i64 {
        self.blocks += 1;
        self.blocks - 1
    }

    /// Whether a replicate belongs to a pilot.
    pub fn is_pilot(&self, replicate: u32) -> bool {
        self.plan.half_width.is_some() && replicate < self.plan.first_replicates()
    }

    /// Whether a variant is not even set up on a case, and why: it has hung there before, or the time was used up when the
    /// group began.
    pub fn skip(&mut self, case: &Case, variant: &Variant, group_started_ns: i64) -> Option<StopReason> {
        if self.given_up.iter().any(|(of, hung)| of == case && hung == variant) {
            return Some(StopReason::HungBefore);
        }
        if self.budget.is_used_up(group_started_ns) {
            self.out_of_time += 1;
            return Some(StopReason::NotBegun { pilot: self.budget.is_part() });
        }
        None
    }

    /// Does not try a variant on a case again in this run: each try would cost the whole timeout.
    pub fn give_up(&mut self, case: &Case, variant: &Variant) {
        self.given_up.push((case.clone(), variant.clone()));
    }

    /// The engine that a variant of a workload runs on, and its version.
    pub fn engine(&self, workload: &str, variant: &Variant) -> Option<(String, String)> {
        let known = &self.known.implementations;
        let found = known.iter().find(|i| i.workload == workload && i.name == variant.implementation)?;
        let device = found.devices.iter().position(|device| *device == variant.device)?;
        found.engines.get(device).cloned()
    }

    pub fn note(&mut self, trial: Option<i64>, level: Level, kind: &str, text: &str) -> Result<()> {
        self.observer.progress(Progress::Note(text));
        self.recorder.event(trial, level, kind, text)
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
    let recorder = Recorder::create(settings.store, &settings.row, plan.sampling.keep_disturbed)?;
    let run_id = recorder.run_id().to_owned();
    let first = plan.first_replicates();
    let groups = cells.len() * first as usize;
    let trials = cells.iter().map(|cell| cell.variants.len()).sum::<usize>() * first as usize;
    observer.progress(Progress::Started { run_id: &run_id, groups, trials });
    let mut shared = Shared {
        plan,
        recorder,
        observer,
        order: Order::new(plan.seed),
        budget: Budget::new(settings.budget_start_ns, plan.time_s, pilot_share(plan)),
        disturbed: Disturbed::default(),
        out_of_time: 0,
        trials: 0,
        known: settings.known,
        interrupted: settings.interrupted,
        given_up: Vec::new(),
        cut_short: false,
        blocks: 0,
    };
    let watched = match Moment::now().sources().as_slice() {
        [] => "this system tells nothing of what disturbs a sample: none is marked".to_owned(),
        sources => format!("samples are marked that these show to be disturbed: {}", sources.join(", ")),
    };
    shared.recorder.event(None, Level::Info, "watched", &watched)?;
    for device in settings.known.devices.iter().filter(|device| device.unavailable.is_some()) {
        let reason = device.unavailable.as_deref().unwrap_or_default();
        shared.recorder.event(None, Level::Info, "device_unavailable", &format!("{}: {reason}", device.name))?;
    }
    for (place, text) in settings.left_out.iter().enumerate() {
        shared.recorder.event(None, Level::Warning, "left_out", text)?;
        if place < MOST_TOLD {
            shared.observer.progress(Progress::Note(text));
        }
    }
    if let Some(more) = settings.left_out.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        shared.observer.progress(Progress::Note(&format!("{more} more are left out: see `events`")));
    }
    let withheld = threads::withheld();
    if !withheld.is_empty() {
        let text = format!("workers do not get {}: each has as many threads as its variant says", withheld.join(", "));
        shared.note(None, Level::Warning, "variables_withheld", &text)?;
    }
    let mut stage = Stage::first(plan, cells.len());
    let mut pilots: Vec<Pilot> = cells.iter().map(|_| Pilot::default()).collect();
    let mut complete = measure_stage(&mut shared, spawn, cells, &mut stage, &mut pilots)?;
    if let (true, Some(half_width)) = (complete, plan.half_width) {
        shared.budget = Budget::new(settings.budget_start_ns, plan.time_s, 1.0);
        stage.cells = second_stage(&mut shared, cells, &pilots, half_width)?;
        stage.from = first;
        shared.observer.progress(Progress::Planned { groups: stage.done + stage.left() });
        complete = measure_stage(&mut shared, spawn, cells, &mut stage, &mut pilots)?;
    }
    // An interrupt that came after the last group has ended nothing.
    let interrupted = !complete || shared.cut_short;
    end(shared, run_id, interrupted)
}

fn end(mut shared: Shared<'_>, run_id: String, interrupted: bool) -> Result<RunSummary> {
    if shared.out_of_time > 0 {
        let text = shared.budget.spent(clock::now_ns(), shared.out_of_time);
        shared.note(None, Level::Warning, "budget_exhausted", &text)?;
    }
    let disturbed = [
        ("disturbed", shared.disturbed.words(shared.recorder.samples())),
        ("not_at_rest", shared.disturbed.restless_words()),
    ];
    for (kind, text) in disturbed {
        if let Some(text) = text {
            shared.note(None, Level::Warning, kind, &text)?;
        }
    }
    let reason = if interrupted { StopReason::Interrupted } else { StopReason::Complete };
    shared.recorder.outcome(None, &reason, None)?;
    let (trials, blocks, samples) = (shared.trials, shared.blocks, shared.recorder.samples());
    let (ended, out_of_time) = (shared.recorder.ended(), shared.out_of_time);
    let folder = shared.recorder.finish()?;
    Ok(RunSummary { run_id, folder, trials, ended, blocks, samples, out_of_time, interrupted })
}
