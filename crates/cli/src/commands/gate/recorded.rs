//! A gate whose baseline is a recorded run: the candidate is measured now, by the same plan, and described.

use benchbook_core::Plan;
use benchbook_measure::Offer;
use benchbook_query::Session;
use benchbook_record::{RunRow, Store, environment_difference};
use benchbook_report::gate::Report;

use super::answers::sequential;
use super::measured::Bench;
use super::plan::limit;
use crate::args::GateArgs;
use crate::error::Failure;

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
