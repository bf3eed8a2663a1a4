//! What a gate measures, as far as possible before anything is built, and its measuring: into which store, until when, and
//! by the plan of a recorded run, which is described only.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::message::Description;
use benchbook_core::{CaseSpec, Plan};
use benchbook_measure::Offer;
use benchbook_measure::run::{Ready, RunSummary, Start};
use benchbook_query::Session;
use benchbook_record::{LocalStore, RunRow, Store, environment_difference};
use benchbook_report::gate::Report;

use super::answers::sequential;
use crate::args::GateArgs;
use crate::commands::run::{plan_file, quicken, start};
use crate::error::Failure;
use crate::progress::Bar;

/// The wanted half-width of each ratio: half the practical margin.
const HALF_WIDTH: f64 = 0.005;
/// Replicates of a quick gate at most, and of a pilot.
const REPLICATES: u32 = 8;

/// What is asked for: a plan file or the named workloads. Without a suite it has no cases, see [`complete`].
pub fn plan(arguments: &GateArgs) -> Result<Plan, Failure> {
    let own = [("--implementation", !arguments.implementations.is_empty())];
    let mut plan = match plan_file(&arguments.suite, &own)? {
        Some(plan) => plan,
        None => {
            let cases = arguments.suite.iter().map(|workload| case(workload, arguments)).collect();
            Plan { replicates: REPLICATES, half_width: Some(HALF_WIDTH), ..Plan::of("gate", cases) }
        }
    };
    if arguments.quick {
        quicken(&mut plan.sampling);
        (plan.replicates, plan.half_width) = (plan.replicates.min(REPLICATES), None);
    }
    if !arguments.device.is_empty() {
        plan.devices.clone_from(&arguments.device);
    }
    plan.threads = arguments.threads.or(plan.threads);
    plan.seed = arguments.seed.unwrap_or(plan.seed);
    limit(&mut plan, arguments);
    if !arguments.suite.is_empty() {
        plan.check()?;
    }
    Ok(plan)
}

/// Fills a plan without cases with every workload of the candidate.
pub fn complete(plan: &mut Plan, arguments: &GateArgs, known: &Description) -> Result<(), Failure> {
    if plan.cases.is_empty() {
        plan.cases = known.workloads.iter().map(|workload| case(&workload.name, arguments)).collect();
    }
    Ok(plan.check()?)
}

/// What may be asked beside the plan of a recorded run too: a budget, and the use of disturbed samples.
pub fn limit(plan: &mut Plan, arguments: &GateArgs) {
    plan.time_s = arguments.time.map(|time| time.as_secs_f64()).or(plan.time_s);
    plan.sampling.keep_disturbed |= arguments.keep_disturbed;
}

/// Refuses what would change the plan of a recorded run, by which the candidate is measured.
pub fn refuse_other_than(run_id: &str, arguments: &GateArgs) -> Result<(), Failure> {
    let options = [
        ("--suite", !arguments.suite.is_empty()),
        ("--quick", arguments.quick),
        ("--implementation", !arguments.implementations.is_empty()),
        ("--device", !arguments.device.is_empty()),
        ("--threads", arguments.threads.is_some()),
        ("--seed", arguments.seed.is_some()),
    ];
    let given: Vec<&str> = options.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    if given.is_empty() {
        return Ok(());
    }
    let given = given.join(", ");
    Err(Failure::say(format!("the baseline is run {run_id}, whose own plan is measured again: leave out {given}")))
}

fn case(workload: &str, arguments: &GateArgs) -> CaseSpec {
    let preset = if arguments.quick { "quick" } else { "default" };
    CaseSpec {
        workload: workload.to_owned(),
        preset: Some(preset.to_owned()),
        params: [].into(),
        implementations: arguments.implementations.clone(),
    }
}

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
