//! A run under way: its parts, none of which knows of another, and its stages: the replicates that are asked for, then
//! those that a wanted half-width takes.

use benchbook_core::{Plan, baseline_of};
use benchbook_journal::Level;

use super::budget::Budget;
use super::expand::Cell;
use super::group::{Place, Workers, measure_group};
use super::pilot::{Pilot, comparisons};
use super::progress::{Progress, about};
use super::recorder::Recorder;
use super::schedule::Schedule;
use super::stop::{GivenUp, Interrupt};
use crate::Result;
use crate::clock::Now;
use crate::executor::{Executor, Spawn};

/// What the stages, groups and trials of a run work with.
pub struct Running<'a> {
    /// What is asked for.
    pub plan: &'a Plan,
    /// What is written, and told.
    pub recorder: Recorder<'a>,
    /// In which order, and by which numbers.
    pub schedule: Schedule,
    /// How much time there is.
    pub budget: Budget,
    /// What is not tried again.
    pub given_up: GivenUp,
    /// Whether it is to end.
    pub interrupt: Interrupt<'a>,
    /// Who starts the workers.
    pub spawn: &'a mut dyn Spawn,
    /// Workers that end while those that follow start.
    pub let_go: Vec<Box<dyn Executor>>,
    /// What time it is.
    pub now: Now<'a>,
}

impl Running<'_> {
    /// The reading of the clock.
    pub fn now_ns(&self) -> i64 {
        (self.now)()
    }
}

/// Share of the time budget that a pilot may take; without a wanted half-width it is the whole run.
pub fn pilot_share(plan: &Plan) -> f64 {
    if plan.half_width.is_some() { 0.4 } else { 1.0 }
}

/// Replicates of a cell, and the blocks of each.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// Number of the replicate after the last.
    replicates: u32,
    blocks: u64,
}

/// Replicates to measure, from one number on.
pub struct Stage {
    /// Number of the first replicate.
    pub from: u32,
    /// Groups measured so far in the run.
    pub done: usize,
    /// By cell.
    pub cells: Vec<Share>,
}

impl Stage {
    /// The first stage, with the plan's numbers for each of `cells`.
    pub fn first(plan: &Plan, cells: usize) -> Self {
        let share = Share { replicates: plan.first_replicates(), blocks: plan.sampling.blocks };
        Self { from: 0, done: 0, cells: vec![share; cells] }
    }

    /// Groups of this stage from replicate `from` on.
    fn left_from(&self, from: u32) -> usize {
        self.cells.iter().map(|share| share.replicates.saturating_sub(from) as usize).sum()
    }

    /// Groups of this stage.
    pub fn left(&self) -> usize {
        self.left_from(self.from)
    }
}

/// Measures the replicates of a stage; whether none was left out for an interrupt.
///
/// In each replicate the cells come in a random order of their own, so that no case is always the first or last.
pub fn measure_stage(run: &mut Running<'_>, cells: &[Cell], stage: &mut Stage, pilots: &mut [Pilot]) -> Result<bool> {
    let last = stage.cells.iter().map(|share| share.replicates).max().unwrap_or(0);
    for replicate in stage.from..last {
        let mut workers = Workers::new();
        let mut groups_left = stage.left_from(replicate);
        for index in run.schedule.shuffled(cells.len()) {
            let share = stage.cells[index];
            if replicate >= share.replicates {
                continue;
            }
            if run.interrupt.cuts() {
                return Ok(false);
            }
            let first_trial = run.schedule.first_trial(index, replicate);
            let place = Place { group: stage.done, groups_left, replicate, blocks: share.blocks, first_trial };
            let measured = measure_group(run, &mut workers, &cells[index], &place)?;
            pilots[index].push(measured);
            stage.done += 1;
            groups_left -= 1;
            run.recorder.progress(Progress::GroupDone { done: stage.done });
        }
        run.let_go.extend(workers.into_values().map(|mut worker| {
            worker.let_go();
            worker
        }));
    }
    Ok(true)
}

/// Fixes, once, how many replicates each cell gets for the half-width that is wanted.
pub fn second_stage(run: &mut Running<'_>, cells: &[Cell], pilots: &[Pilot], half_width: f64) -> Result<Vec<Share>> {
    let plan = run.plan;
    let first = plan.first_replicates();
    let left_ns = run.budget.left_ns(run.now_ns()).map(|left| left as f64 / cells.len().max(1) as f64);
    let variants = cells.iter().flat_map(|cell| &cell.variants);
    let baseline = baseline_of(variants.map(|variant| variant.implementation.as_str()));
    let mut shares = Vec::with_capacity(cells.len());
    let mut rest_ns = 0.0;
    for (cell, pilot) in cells.iter().zip(pilots) {
        let name = format!("{} {}", cell.case.workload, cell.case.name);
        let none = Share { replicates: first, blocks: plan.sampling.blocks };
        shares.push(match pilot.plan(plan, half_width, left_ns, &comparisons(&cell.variants, baseline)) {
            Ok(planned) => {
                let replicates = u32::try_from(planned.replicates).unwrap_or(u32::MAX).max(first);
                rest_ns += (planned.cost_ns - pilot.spent_ns()).max(0.0);
                let expected = 100.0 * planned.half_width.exp_m1();
                let text = format!(
                    "{name}: {replicates} replicates of {} blocks, expected half-width {expected:.2} %",
                    planned.blocks
                );
                run.recorder.event(None, Level::Info, "planned", &text)?;
                if !planned.reached {
                    let text =
                        format!("{text}, wanted {:.2} %: more time or replicates are needed", 100.0 * half_width);
                    run.recorder.note(None, Level::Warning, "budget_exhausted", &text)?;
                }
                Share { replicates, blocks: planned.blocks as u64 }
            }
            Err(reason) => {
                let text = format!("{name}: no second stage, {reason}");
                run.recorder.note(None, Level::Warning, "not_planned", &text)?;
                none
            }
        });
    }
    let more: usize = shares.iter().map(|share| (share.replicates - first) as usize).sum();
    if more > 0 {
        let text = format!("the pilot is over: {more} more cases and replicates take about {}", about(rest_ns));
        run.recorder.progress(Progress::Note(&text));
    }
    Ok(shares)
}
