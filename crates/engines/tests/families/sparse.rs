//! Sparse attention: what each way leaves out, and what it loses against the whole.

use benchbook_core::{DType, Params, Value, Workload};
use benchbook_workloads::attention::SparseAttention;

use crate::common::{SEED, case, registry, setting};

fn sparse(sizes: &[(&str, i64)], sparsity: f64, structure: &str) -> Params {
    case(&SparseAttention, sizes).with("sparsity", Value::Float(sparsity)).with("structure", structure.into())
}

/// Metrics of a method, and its distance from the answer with every score.
fn measured(method: &str, params: &Params) -> (f64, f64, f64) {
    let (registry, posed) = (registry(), SparseAttention.pose(params).unwrap());
    let inputs = posed.inputs(SEED);
    let method = registry.find_implementation("sparse-attention", method).unwrap();
    let mut subject = method.prepare(&setting("flex", DType::F32), params, &inputs).unwrap();
    subject.run(1);
    let distance = posed.reference(&inputs, SEED).distance(&subject.outputs().unwrap());
    let metrics = subject.metrics();
    let of = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().value;
    (of("sparsity_reached"), of("compute_saved"), distance)
}

#[test]
fn what_is_left_out_is_what_was_asked_for() {
    // Eight heads of sixteen blocks of queries: of sixteen key blocks, eight, four or two are kept.
    for (sparsity, blocks) in [(0.5, 8.0), (0.75, 4.0), (0.9, 2.0)] {
        let params = sparse(&[("seq", 1024)], sparsity, "topics");
        for method in ["block-sparse", "learned"] {
            let (reached, saved, _) = measured(method, &params);
            assert_eq!(reached, 1.0 - blocks / 16.0, "{method}");
            assert!(saved < reached && saved > reached - 0.05, "{method}: choosing costs something, {saved}");
        }
        let (reached, ..) = measured("adaptive", &params);
        // Of 2,048 pairs the whole number next above the share is kept.
        assert!((reached - sparsity).abs() <= 1.0 / 2048.0, "{reached}");
    }
}

#[test]
fn a_threshold_comes_near_the_share_where_scores_are_normal() {
    // Of random inputs a row's scores are normal: the share left out is the asked one but for the quantile's approximation,
    // 0.01, and the standard error of the row's own moments, which is below 0.001 for 8 · 1024 rows.
    let (reached, saved, _) = measured("threshold", &sparse(&[("seq", 1024)], 0.75, "random"));
    assert!((reached - 0.75).abs() < 0.011, "{reached}");
    assert_eq!(saved, -64.0 / 1024.0);
}

#[test]
fn nothing_left_out_loses_nothing_and_more_left_out_loses_more() {
    for method in ["threshold", "block-sparse", "learned", "adaptive"] {
        let lost = |sparsity: f64| measured(method, &sparse(&[("seq", 512)], sparsity, "topics")).2;
        if method != "threshold" {
            assert!(lost(0.0) < 1e-6, "{method}");
        }
        assert!(lost(0.5) < lost(0.9), "{method}");
    }
}
