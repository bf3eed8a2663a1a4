//! The stages of a run: the replicates that are asked for, then those that a wanted half-width takes.

use benchbook_core::{Plan, baseline_of};
use benchbook_record::Level;

use super::controller::Shared;
use super::expand::Cell;
use super::group::{Place, Workers, measure_group};
use super::observer::Progress;
use super::pace::about;
use super::pilot::{Pilot, comparisons};
use crate::executor::Spawn;
use crate::{Result, clock};

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
pub fn measure_stage(
    shared: &mut Shared<'_>,
    spawn: &mut dyn Spawn,
    cells: &[Cell],
    stage: &mut Stage,
    pilots: &mut [Pilot],
) -> Result<bool> {
    let first_trials = first_trials(shared.plan, cells);
    let last = stage.cells.iter().map(|share| share.replicates).max().unwrap_or(0);
    for replicate in stage.from..last {
        let mut workers = Workers::new();
        let mut groups_left = stage.left_from(replicate);
        for index in shared.order.next(cells.len()) {
            let share = stage.cells[index];
            if replicate >= share.replicates {
                continue;
            }
            if shared.interrupted() {
                return Ok(false);
            }
            let cell = &cells[index];
            let first_trial = first_trials[index] + i64::from(replicate) * cell.variants.len() as i64;
            let place = Place { group: stage.done, groups_left, replicate, blocks: share.blocks, first_trial };
            let measured = measure_group(shared, &mut workers, spawn, cell, &place)?;
            pilots[index].push(measured);
            stage.done += 1;
            groups_left -= 1;
            shared.observer.progress(Progress::GroupDone { done: stage.done });
        }
    }
    Ok(true)
}

/// Number of the first trial of each cell. Trials are numbered as the plan lists them, by case, then by replicate, then
/// by variant, whatever the order in which they are measured: who sorts by them shows the order of the plan.
fn first_trials(plan: &Plan, cells: &[Cell]) -> Vec<i64> {
    let most = if plan.half_width.is_some() { plan.most_replicates } else { 0 };
    let replicates = i64::from(most.max(plan.first_replicates()));
    let mut next = 0;
    let first = |cell: &Cell| {
        let first = next;
        next += replicates * cell.variants.len() as i64;
        first
    };
    cells.iter().map(first).collect()
}

/// Fixes, once, how many replicates each cell gets for the half-width that is wanted.
pub fn second_stage(shared: &mut Shared<'_>, cells: &[Cell], pilots: &[Pilot], half_width: f64) -> Result<Vec<Share>> {
    let first = shared.plan.first_replicates();
    let left_ns = shared.budget.left_ns(clock::now_ns()).map(|left| left as f64 / cells.len().max(1) as f64);
    let variants = cells.iter().flat_map(|cell| &cell.variants);
    let baseline = baseline_of(variants.map(|variant| variant.implementation.as_str()));
    let mut shares = Vec::with_capacity(cells.len());
    let mut rest_ns = 0.0;
    for (cell, pilot) in cells.iter().zip(pilots) {
        let name = format!("{} {}", cell.case.workload, cell.case.name);
        let none = Share { replicates: first, blocks: shared.plan.sampling.blocks };
        shares.push(match pilot.plan(shared.plan, half_width, left_ns, &comparisons(&cell.variants, baseline)) {
            Ok(planned) => {
                let replicates = u32::try_from(planned.replicates).unwrap_or(u32::MAX).max(first);
                rest_ns += (planned.cost_ns - pilot.spent_ns()).max(0.0);
                let expected = 100.0 * planned.half_width.exp_m1();
                let text = format!(
                    "{name}: {replicates} replicates of {} blocks, expected half-width {expected:.2} %",
                    planned.blocks
                );
                shared.recorder.event(None, Level::Info, "planned", &text)?;
                if !planned.reached {
                    let text =
                        format!("{text}, wanted {:.2} %: more time or replicates are needed", 100.0 * half_width);
                    shared.note(None, Level::Warning, "budget_exhausted", &text)?;
                }
                Share { replicates, blocks: planned.blocks as u64 }
            }
            Err(reason) => {
                shared.note(None, Level::Warning, "not_planned", &format!("{name}: no second stage, {reason}"))?;
                none
            }
        });
    }
    let more: usize = shares.iter().map(|share| (share.replicates - first) as usize).sum();
    if more > 0 {
        let text = format!("the pilot is over: {more} more cases and replicates take about {}", about(rest_ns));
        shared.observer.progress(Progress::Note(&text));
    }
    Ok(shares)
}
