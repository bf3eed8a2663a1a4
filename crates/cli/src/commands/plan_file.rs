//! A plan file where workloads may be named too, for the commands that measure.

use std::path::Path;

use benchbook_core::{Plan, SamplingSpec};
use benchbook_record::read_text;

use crate::error::Failure;

/// The plan in a file, or nothing where all of `targets` are names of workloads.
///
/// `of_workloads` are the options that a plan file has in itself, and whether each was given.
pub fn plan_file(targets: &[String], of_workloads: &[(&str, bool)]) -> Result<Option<Plan>, Failure> {
    let is_plan = |target: &&String| Path::new(target).extension().is_some_and(|extension| extension == "toml");
    let Some(file) = targets.iter().find(is_plan) else { return Ok(None) };
    if targets.len() > 1 {
        return Err(Failure::say("give one plan file, or names of workloads"));
    }
    if let Some((option, _)) = of_workloads.iter().find(|(_, given)| *given) {
        return Err(Failure::say(format!("{option} belongs to workloads; a plan file has its own")));
    }
    let text = read_text(Path::new(file)).map_err(|error| Failure::while_doing(file, error))?;
    Plan::from_toml(&text).map(Some).map_err(|error| Failure::while_doing(file, error))
}

/// Few blocks of short samples; what a plan says of disturbances and of answers that take long stays.
pub fn quicken(sampling: &mut SamplingSpec) {
    let SamplingSpec { blocks, min_sample_ns, warmup_ns, .. } = SamplingSpec::quick();
    sampling.blocks = blocks;
    sampling.min_sample_ns = min_sample_ns;
    sampling.warmup_ns = warmup_ns;
}
