//! What has to be run for a claim.

use super::entry::{Entry, MEASURED, TIME};

/// Fresh processes of every variant, where they can differ.
const REPLICATES: u32 = 8;

/// Samples of a trial, where an entry does not say how many.
const BLOCKS: u32 = 12;

/// Budget of a claim's run: most end long before. Compilers compile in each process anew.
const SECONDS: u32 = 300;
const SECONDS_OF_PYTHON: u32 = 1800;

/// The plan of an entry: one run with both sides, in one case where their parameters are the same.
pub fn plan(entry: &Entry) -> String {
    let Entry { workload, candidate, baselines, params, against, devices, .. } = entry;
    let replicates = if entry.provenance == MEASURED { REPLICATES } else { 1 };
    let usual = if entry.python { SECONDS_OF_PYTHON } else { SECONDS };
    let (seconds, blocks) = (entry.seconds.unwrap_or(usual), entry.blocks.unwrap_or(BLOCKS));
    let dtypes = if entry.dtypes.is_empty() { String::new() } else { format!("dtypes = {:?}\n", entry.dtypes) };
    let ours = vec![candidate.clone()];
    let cases = match (baselines.is_empty(), against.is_empty()) {
        (true, _) => vec![(params.clone(), ours)],
        (false, true) => vec![(params.clone(), [ours, baselines.clone()].concat())],
        (false, false) => vec![(params.clone(), ours), (entry.baseline_params(), baselines.clone())],
    };
    let mut text = format!(
        "suite = \"claims\"\nreplicates = {replicates}\ntime_s = {seconds}\ndevices = {devices:?}\n{dtypes}\n\
         [sampling]\nblocks = {blocks}\nmin_sample_ns = 5000000\nwarmup_ns = 100000000\n"
    );
    // Such as memory: whoever else had the processors does not change it.
    if entry.metric != TIME {
        text += "keep_disturbed = true\n";
    }
    for (params, implementations) in cases {
        let params: Vec<String> = params.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        text += &format!(
            "\n[[cases]]\nworkload = {workload:?}\nimplementations = {implementations:?}\nparams = {{ {} }}\n",
            params.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Values, entries};
    use super::*;

    fn entry() -> Entry {
        Entry {
            workload: "w".into(),
            params: Values::from([("n".into(), "8".into()), ("t".into(), "\"x\"".into())]),
            candidate: "ours".into(),
            baselines: vec!["theirs".into()],
            metric: TIME.into(),
            provenance: MEASURED.into(),
            devices: vec!["flex".into()],
            ..Entry::default()
        }
    }

    #[test]
    fn one_case_holds_both_sides() {
        let plan = plan(&entry());
        let case = "implementations = [\"ours\", \"theirs\"]\nparams = { n = 8, t = \"x\" }\n";
        assert!(plan.ends_with(case) && plan.contains("replicates = 8\n"), "{plan}");
        assert!(plan.contains("devices = [\"flex\"]"), "{plan}");
        assert!(!plan.contains("keep_disturbed"), "{plan}");
        let counted = super::plan(&Entry { metric: "worker_bytes".into(), ..entry() });
        assert!(
            counted.contains("[sampling]\n") && counted.contains("keep_disturbed = true\n\n[[cases]]"),
            "{counted}"
        );
        let modelled = super::plan(&Entry { provenance: "modelled".into(), ..entry() });
        assert!(modelled.contains("replicates = 1\n"), "{modelled}");
        assert!(
            plan.contains("time_s = 300\n") && plan.contains("blocks = 12\n") && !plan.contains("dtypes"),
            "{plan}"
        );
        let dtypes = ["f32".to_owned(), "f8e4m3".to_owned()].into();
        let long = super::plan(&Entry { dtypes, blocks: Some(1), seconds: Some(9), ..entry() });
        assert!(long.contains("dtypes = [\"f32\", \"f8e4m3\"]\n\n[sampling]\nblocks = 1\n"), "{long}");
        assert!(long.contains("time_s = 9\n"), "{long}");
    }

    #[test]
    fn a_claim_of_long_loops_has_the_time_for_all_of_its_processes() -> Result<(), String> {
        let entries = entries()?;
        for (claim, seconds) in [("memory-pool-large", 1200), ("fp8-loss-1k", 1800), ("fp8-loss-10k", 10_800)] {
            let entry = entries.iter().find(|entry| entry.claim == claim).ok_or(claim)?;
            assert!(super::plan(entry).contains(&format!("time_s = {seconds}\n")), "{claim}");
        }
        Ok(())
    }

    #[test]
    fn other_parameters_are_another_case_of_the_same_run() {
        let two = plan(&Entry { against: Values::from([("n".into(), "1".into())]), ..entry() });
        assert_eq!(two.matches("[[cases]]").count(), 2);
        assert!(two.contains("[\"ours\"]\nparams = { n = 8") && two.contains("[\"theirs\"]\nparams = { n = 1"));
        let alone = plan(&Entry { baselines: Vec::new(), ..entry() });
        assert!(alone.contains("implementations = [\"ours\"]\n"), "{alone}");
    }
}
