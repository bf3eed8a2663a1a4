//! Ring attention: whole and by threads against the reference, and its memory.
//!
//! Processes need a worker program: the end-to-end tests run them.

use benchbook_core::{DType, Figure, Implementation, Params, Setting, Support, Value, Workload};
use benchbook_engines::flex::attention::Whole;
use benchbook_engines::ring::{RingSplit, Workers};
use benchbook_workloads::attention::RingAttention;
use benchbook_workloads::attention::ring::Layout;
use proptest::prelude::*;

use crate::common::{case, wrong};

const THREADS: [RingSplit; 2] = [
    RingSplit { by: Workers::Threads, layout: Layout::Contiguous },
    RingSplit { by: Workers::Threads, layout: Layout::Zigzag },
];

const PROCESSES: RingSplit = RingSplit { by: Workers::Processes, layout: Layout::Zigzag };

fn params([heads, kv_heads, seq, head_dim, workers]: [i64; 5], causal: bool) -> Params {
    let sizes = [("heads", heads), ("kv_heads", kv_heads), ("seq", seq), ("head_dim", head_dim), ("workers", workers)];
    case(&RingAttention, &sizes).with("causal", Value::Bool(causal))
}

fn disagrees(params: &Params) -> Option<String> {
    wrong(&RingAttention, &[&Whole, &THREADS[0], &THREADS[1]], params, 2e-5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn implementations_agree_with_the_reference(
        (kv_heads, group, head_dim) in (1_i64..3, 1_i64..4, 1_i64..40),
        seq in 1_i64..300,
        share in 0.0..1.0_f64,
        causal: bool,
    ) {
        // Up to a worker for every position, but few more often.
        let workers = 1 + (share * share * share * (seq.min(40) - 1) as f64).round() as i64;
        prop_assert_eq!(disagrees(&params([kv_heads * group, kv_heads, seq, head_dim, workers], causal)), None);
    }
}

#[test]
fn long_shards_are_computed_in_runs() {
    for causal in [false, true] {
        assert_eq!(disagrees(&params([1, 1, 3001, 8, 2], causal)), None);
    }
}

/// The only figure of this name.
fn value(figures: &[Figure], name: &str, measured: bool) -> f64 {
    let found: Vec<&Figure> = figures.iter().filter(|figure| figure.name == name).collect();
    assert!(found.len() == 1 && found[0].measured == measured && found[0].unit == "bytes", "{name}: {found:?}");
    found[0].value
}

/// What the workers of this case held, and what the model says that they do.
fn bytes(implementation: &RingSplit, params: &Params) -> [f64; 2] {
    let inputs = RingAttention.inputs(params, 2);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
    let mut subject = implementation.prepare(&setting, params, &inputs).unwrap();
    assert!(subject.figures().is_empty(), "nothing has been measured yet");
    subject.run(2);
    subject.sync().unwrap();
    let modelled = RingAttention.figures(params, &inputs);
    [value(&subject.figures(), "worker_bytes", true), value(&modelled, "worker_bytes_model", false)]
}

#[test]
fn counted_bytes_are_those_of_the_model() {
    for sizes in [[2, 2, 64, 8, 1], [2, 1, 64, 8, 2], [4, 2, 100, 8, 3], [6, 3, 40, 5, 40], [1, 1, 5000, 4, 2]] {
        for (implementation, causal) in [(&THREADS[0], true), (&THREADS[1], true), (&THREADS[0], false)] {
            let [counted, modelled] = bytes(implementation, &params(sizes, causal));
            assert_eq!(counted, modelled, "{} {sizes:?}", implementation.name());
        }
    }
}

#[test]
fn a_worker_holds_the_same_when_sequence_and_workers_grow_together() {
    let held = [2, 3, 4, 8, 16].map(|workers| bytes(&THREADS[0], &params([2, 1, 100 * workers, 8, workers], true))[0]);
    assert_eq!(held, [held[0]; 5]);
}

#[test]
fn half_precision_is_refused() {
    let params = params([1, 1, 8, 4, 2], true);
    for implementation in [&Whole as &dyn Implementation, &THREADS[0], &PROCESSES] {
        assert!(matches!(implementation.supports("flex", DType::Bf16, &params), Support::No(_)));
    }
}
