//! How long a plan takes, as far as the plan itself tells.

use benchbook_core::{Plan, SamplingSpec, counted};

use super::expand::Cell;
use super::pace::about;
use super::schedule::MIN_BLOCKS;

/// How long the cells of a plan take at least, and at most where it has a budget, in a sentence.
///
/// Warm-ups and samples are counted in full. Processes, inputs and checks are not, nor is a call that takes longer than
/// a sample has to: only measuring tells.
pub fn forecast(plan: &Plan, cells: &[Cell]) -> String {
    let SamplingSpec { blocks, min_sample_ns, warmup_ns, .. } = plan.sampling;
    let variants: usize = cells.iter().map(|cell| cell.variants.len()).sum();
    let trials = |replicates: u32| variants.saturating_mul(replicates as usize);
    let least =
        |replicates: u32| about(trials(replicates) as f64 * (warmup_ns as f64 + blocks as f64 * min_sample_ns as f64));
    let first = plan.first_replicates();
    let count = counted(trials(first), "trial");
    let mut words = match plan.half_width {
        None => format!("takes at least {} for {count}", least(first)),
        Some(_) => format!(
            "takes at least {} for the {count} of the pilot, and {} where that leads to {} replicates",
            least(first),
            least(plan.most_replicates),
            plan.most_replicates
        ),
    };
    words += ", beside starting processes, checks, and calls longer than a sample";
    if let Some(seconds) = plan.time_s {
        let budget = about(1e9 * seconds);
        words += &format!("; the budget ends it after about {budget}, but for {MIN_BLOCKS} blocks of each case begun");
    }
    words
}

#[cfg(test)]
mod tests {
    use benchbook_core::{Case, DType, Params, Variant};

    use super::*;

    #[test]
    fn a_plan_says_how_long_it_takes() {
        let variant = |name: &str| Variant {
            implementation: name.into(),
            device: "flex".into(),
            dtype: DType::F32,
            threads: 1,
            build: None,
        };
        let case = Case { workload: "w".into(), name: "c".into(), params: Params::default() };
        let cells = vec![Cell { case, variants: vec![variant("a"), variant("b")] }; 3];
        // A hundred samples of 1 ms after 200 ms: 0.3 s for each of thirty.
        let plan = Plan::standard("w");
        let words = forecast(&plan, &cells);
        assert!(words.starts_with("takes at least 9 s for 30 trials,") && !words.contains("budget"), "{words}");
        let words = forecast(&plan.clone().half_width(0.005), &cells);
        assert!(
            words.contains("14 s for the 48 trials of the pilot, and 3 min 0 s where that leads to 100"),
            "{words}"
        );
        let words = forecast(&plan.time_s(90.0), &cells);
        assert!(words.contains("ends it after about 1 min 30 s, but for 5 blocks"), "{words}");
    }
}
