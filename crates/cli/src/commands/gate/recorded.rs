//! A gate whose baseline is a recorded run: the candidate is measured now, by the same plan.

use benchbook_core::{Plan, Variant};
use benchbook_gate::{Comparison, Report, Second, flagged};
use benchbook_measure::Executor;
use benchbook_measure::record::{RunRow, Store, environment_difference};
use benchbook_measure::run::{Cell, expand};
use benchbook_query::Session;

use super::answers::sequential;
use super::measured::Bench;
use crate::error::Failure;

/// Compares a recorded run with the candidate, measured now; flagged cases are measured once more.
pub fn against_run(
    bench: &mut Bench<'_>,
    asked: &mut dyn Executor,
    store: &str,
    recorded: &RunRow,
    report: &mut Report,
) -> Result<(), Failure> {
    let text = recorded.plan.as_deref().ok_or_else(|| Failure::say("the recorded run has no plan to measure again"))?;
    let plan = Plan::from_toml(text)?;
    bench.threads = plan.threads.unwrap_or(bench.threads);
    report.sequential = true;
    report.warnings.push(format!(
        "the baseline is run {}, recorded earlier: unpaired, sequential. Drift since then counts as a difference",
        recorded.run_id
    ));
    let differences = environment_difference(recorded, &bench.row(&plan)?);
    if !differences.is_empty() {
        let list: Vec<String> = differences.iter().map(ToString::to_string).collect();
        report.not_comparable = Some(format!("the environments differ in {}", list.join(", ")));
        return Ok(());
    }
    let cells = expand(&plan, bench.threads, &bench.known, asked)?;
    let first = bench.measure(&Plan { tags: vec!["gate".into()], ..plan.clone() }, &cells)?;
    let session = Session::open(&Store::open(store)?)?;
    report.comparisons = sequential(&session, &recorded.run_id, &first.run_id)?;
    let chosen = flagged(&report.comparisons);
    if chosen.is_empty() {
        return Ok(());
    }
    let cells = only(&cells, chosen.iter().filter_map(|index| report.comparisons.get(*index)));
    let again = Plan { seed: plan.seed.wrapping_add(1), tags: vec!["gate-again".into()], ..plan };
    let second = bench.measure(&again, &cells)?;
    let session = Session::open(&Store::open(store)?)?;
    let seconds = sequential(&session, &recorded.run_id, &second.run_id)?;
    confirm(&mut report.comparisons, &chosen, &seconds);
    Ok(())
}

/// The cells and variants of some comparisons.
fn only<'a>(cells: &[Cell], chosen: impl Iterator<Item = &'a Comparison>) -> Vec<Cell> {
    let chosen: Vec<&Comparison> = chosen.collect();
    let of = |cell: &Cell| -> Cell {
        let label = super::sides::case_label(cell);
        let wanted = |variant: &Variant| {
            chosen.iter().any(|one| one.case == label && variant.to_string().starts_with(&one.variant))
        };
        Cell {
            case: cell.case.clone(),
            variants: cell.variants.iter().filter(|variant| wanted(variant)).cloned().collect(),
        }
    };
    cells.iter().map(of).filter(|cell| !cell.variants.is_empty()).collect()
}

/// Puts second estimates beside the first ones that asked for them.
pub fn confirm(comparisons: &mut [Comparison], chosen: &[usize], seconds: &[Comparison]) {
    for index in chosen {
        let Some(one) = comparisons.get_mut(*index) else { continue };
        let found = seconds.iter().find(|second| second.case == one.case && second.variant == one.variant);
        one.second = match found {
            Some(second) => Second::Measured(second.first.clone()),
            None => Second::Failed("fresh processes gave no valid pair".into()),
        };
    }
}
