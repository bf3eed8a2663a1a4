//! Ring attention: long shards, and its memory.
//!
//! Processes need a worker program: the end-to-end tests run them.

use benchbook_core::{DType, Metric, Params, Setting, Value, Workload};
use benchbook_workloads::attention::RingAttention;

use crate::common::{case, registry};
use crate::conformance::all_right;

fn params([heads, kv_heads, seq, head_dim, workers]: [i64; 5], causal: bool) -> Params {
    let sizes = [("heads", heads), ("kv_heads", kv_heads), ("seq", seq), ("head_dim", head_dim), ("workers", workers)];
    case(&RingAttention, &sizes).with("causal", Value::Bool(causal))
}

#[test]
fn long_shards_are_computed_in_runs() {
    all_right(&RingAttention, &[false, true].map(|causal| params([1, 1, 3001, 8, 2], causal)));
}

/// The only metric of this name.
fn value(metrics: &[Metric], name: &str, measured: bool) -> f64 {
    let found: Vec<&Metric> = metrics.iter().filter(|metric| metric.name == name).collect();
    assert!(found.len() == 1 && found[0].measured == measured && found[0].unit == "bytes", "{name}: {found:?}");
    found[0].value
}

/// What the workers of this case held, and what the model says that they do.
fn bytes(implementation: &str, params: &Params) -> [f64; 2] {
    let (registry, posed) = (registry(), RingAttention.pose(params).unwrap());
    let inputs = posed.inputs(2);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
    let ring = registry.find_implementation("ring-attention", implementation).unwrap();
    let mut subject = ring.prepare(&setting, params, &inputs).unwrap();
    assert!(subject.metrics().is_empty(), "nothing has been measured yet");
    subject.run(2);
    subject.sync().unwrap();
    let modelled = posed.metrics(&inputs);
    [value(&subject.metrics(), "worker_bytes", true), value(&modelled, "worker_bytes_model", false)]
}

#[test]
fn counted_bytes_are_those_of_the_model() {
    for sizes in [[2, 2, 64, 8, 1], [2, 1, 64, 8, 2], [4, 2, 100, 8, 3], [6, 3, 40, 5, 40], [1, 1, 5000, 4, 2]] {
        for (name, causal) in [("ring-threads", true), ("zigzag-threads", true), ("ring-threads", false)] {
            let [counted, modelled] = bytes(name, &params(sizes, causal));
            assert_eq!(counted, modelled, "{name} {sizes:?}");
        }
    }
}

#[test]
fn a_worker_holds_the_same_when_sequence_and_workers_grow_together() {
    let params = |workers: i64| params([2, 1, 100 * workers, 8, workers], true);
    let held = [2, 3, 4, 8, 16].map(|workers| bytes("ring-threads", &params(workers))[0]);
    assert_eq!(held, [held[0]; 5]);
}
