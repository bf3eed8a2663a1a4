//! Measuring for a gate: into which store, until when, and by the plan of a recorded run, which is described only.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::Plan;
use benchbook_measure::Offer;
use benchbook_measure::run::{Ready, RunSummary, Start};
use benchbook_query::Session;
use benchbook_record::{LocalStore, RunRow, Store, environment_difference};
use benchbook_report::gate::Report;

use super::answers::sequential;
use super::plan::limit;
use crate::args::GateArgs;
use crate::commands::run::start;
use crate::error::Failure;
use crate::progress::Bar;

/// Where runs of a gate go, and what ends them.
pub struct Bench<'a> {
    pub store: &'a LocalStore,
    pub interrupted: &'a Arc<AtomicBool>,
}

impl Bench<'_> {
    /// A run of this plan, tagged as a gate's.
    pub fn start(&self, plan: &Plan) -> Start {
        start(Plan { tags: vec!["gate".into()], ..plan.clone() }).interrupted(self.interrupted)
    }

    /// Measures what is ready; an interrupt is a failure, since half a gate judges nothing.
    pub fn measure(&self, ready: &mut Ready) -> Result<RunSummary, Failure> {
        let mut bar = Bar::new();
        let summary = ready.run(self.store, &mut bar);
        bar.clear();
        let summary = summary?;
        if summary.interrupted {
            return Err(Failure::say(format!("interrupted: what was measured stands in run {}", summary.run_id)));
        }
        Ok(summary)
    }
}

/// Compares a recorded run with the candidate, measured now. Nothing is measured a second time: beside the same old
/// baseline that would confirm whatever has changed since, and no such comparison judges.
pub fn against_run(
    bench: &Bench<'_>,
    candidate: Offer,
    store: &str,
    arguments: &GateArgs,
    recorded: &RunRow,
    report: &mut Report,
) -> Result<(), Failure> {
    let text = recorded.plan.as_deref().ok_or_else(|| Failure::say("the recorded run has no plan to measure again"))?;
    let mut plan = Plan::from_record(text)?;
    limit(&mut plan, arguments);
    report.sequential = true;
    report.warnings.push(format!(
        "the baseline is run {}, recorded earlier: unpaired, sequential. Drift since then counts as a difference, so that this \
         gate fails nobody",
        recorded.run_id
    ));
    let start = bench.start(&plan);
    let differences = environment_difference(recorded, &start.row(&candidate)?);
    if !differences.is_empty() {
        let list: Vec<String> = differences.iter().map(ToString::to_string).collect();
        report.not_comparable = Some(format!("the environments differ in {}", list.join(", ")));
        return Ok(());
    }
    let mut ready = start.offered(candidate, Vec::new())?;
    report.warnings.append(&mut ready.left_out);
    let measured = bench.measure(&mut ready)?;
    let session = Session::open(&Store::open(store)?)?;
    report.comparisons = sequential(&session, &recorded.run_id, &measured.run_id)?;
    Ok(())
}
