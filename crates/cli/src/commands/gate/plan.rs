//! What a gate measures, as far as possible before anything is built.

use benchbook_core::message::Description;
use benchbook_core::{CaseSpec, Plan};

use crate::args::GateArgs;
use crate::commands::plan_file::{plan_file, quicken};
use crate::error::Failure;

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
