//! Equal programs against each other: the run behind a calibration.

use benchbook_core::{CaseSpec, Plan, SamplingSpec, Value};
use benchbook_query::{CALIBRATION, CALIBRATION_GROUP};

/// Blocks of each replicate.
const BLOCKS: u64 = 20;
/// A sample is one call: the number of steps alone decides how long it lasts.
const LEAST_SAMPLE_NS: u64 = 1;
const WARMUP_NS: u64 = 20_000_000;
/// What a replicate of the three lengths takes, about, in seconds.
const REPLICATE_S: f64 = 0.8;

/// A plan that measures equal programs for about `seconds`, in samples of about 0.1, 1 and 10 ms: replicates for
/// whole verdicts.
pub fn plan(seconds: f64, seed: u64) -> Plan {
    let groups = (seconds / REPLICATE_S / CALIBRATION_GROUP as f64).floor().clamp(2.0, 2_000.0);
    let case = CaseSpec {
        workload: "known-steps".into(),
        preset: Some("default".into()),
        params: [("extra".to_owned(), benchbook_core::Axis(vec![Value::Float(0.0)]))].into(),
        implementations: Vec::new(),
    };
    Plan {
        seed,
        replicates: groups as u32 * CALIBRATION_GROUP as u32,
        threads: Some(1),
        // A loaded machine takes longer for each replicate; a bound all the same.
        time_s: Some(3.0 * seconds.max(10.0)),
        sampling: SamplingSpec {
            blocks: BLOCKS,
            min_sample_ns: LEAST_SAMPLE_NS,
            warmup_ns: WARMUP_NS,
            ..SamplingSpec::default()
        },
        ..Plan::of(CALIBRATION, vec![case])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicates_come_in_whole_verdicts_and_never_too_few() {
        for (seconds, replicates) in [(0.0, 10), (60.0, 75), (1e12, 10_000)] {
            let plan = plan(seconds, 1);
            assert_eq!(plan.replicates, replicates);
            assert!(plan.check().is_ok(), "{:?}", plan.check());
        }
    }
}
