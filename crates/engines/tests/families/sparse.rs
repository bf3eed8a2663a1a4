//! Sparse attention: each way against its own definition, and what it loses against the whole.

use benchbook_core::{DType, Implementation, Params, Setting, Value, Workload};
use benchbook_engines::flex::attention::sparse::Method;
use benchbook_workloads::attention::SparseAttention;
use proptest::prelude::*;

use crate::common::wrong;

fn sparse(sizes: &[(&str, i64)], sparsity: f64, structure: &str) -> Params {
    let sized = sizes.iter().fold(Params::default(), |all, (name, size)| all.with(name, Value::Int(*size)));
    let params = sized.with("sparsity", Value::Float(sparsity)).with("structure", Value::Text(structure.into()));
    SparseAttention.case(params).unwrap().params
}

/// Figures of a method, and its distance from the answer with every score.
fn measured(method: Method, params: &Params) -> (f64, f64, f64) {
    let inputs = SparseAttention.inputs(params, 9);
    let exact = SparseAttention.reference(params, &inputs, 9);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
    let mut subject = method.prepare(&setting, params, &inputs).unwrap();
    subject.run(1);
    let distance = exact.distance(&subject.output().unwrap());
    let figures = subject.figures();
    let of = |name: &str| figures.iter().find(|figure| figure.name == name).unwrap().value;
    (of("sparsity_reached"), of("compute_saved"), distance)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn every_way_is_what_it_says(
        (batch, heads, seq, head_dim) in (1_i64..3, 1_i64..3, 1_i64..300, 1_i64..20),
        sparsity in 0.0..0.99_f64,
        structure in prop::sample::select(vec!["topics", "random"]),
    ) {
        let sizes = [("batch", batch), ("heads", heads), ("seq", seq), ("head_dim", head_dim)];
        let params = sparse(&sizes, sparsity, structure);
        let all = Method::ALL.each_ref().map(|method| method as &dyn Implementation);
        prop_assert_eq!(wrong(&SparseAttention, &all, &params, 2e-5), None);
    }
}

#[test]
fn what_is_left_out_is_what_was_asked_for() {
    // Eight heads of sixteen blocks of queries: of sixteen key blocks, eight, four or two are kept.
    for (sparsity, blocks) in [(0.5, 8.0), (0.75, 4.0), (0.9, 2.0)] {
        let params = sparse(&[("seq", 1024)], sparsity, "topics");
        for method in [Method::BlockSparse, Method::Learned] {
            let (reached, saved, _) = measured(method, &params);
            assert_eq!(reached, 1.0 - blocks / 16.0, "{method:?}");
            assert!(saved < reached && saved > reached - 0.05, "{method:?}: choosing costs something, {saved}");
        }
        let (reached, ..) = measured(Method::Adaptive, &params);
        // Of 2,048 pairs the whole number next above the share is kept.
        assert!((reached - sparsity).abs() <= 1.0 / 2048.0, "{reached}");
    }
}

#[test]
fn a_threshold_comes_near_the_share_where_scores_are_normal() {
    // Of random inputs a row's scores are normal: the share left out is the asked one but for the quantile's approximation,
    // 0.01, and the standard error of the row's own moments, which is below 0.001 for 8 · 1024 rows.
    let (reached, saved, _) = measured(Method::Threshold, &sparse(&[("seq", 1024)], 0.75, "random"));
    assert!((reached - 0.75).abs() < 0.011, "{reached}");
    assert_eq!(saved, -64.0 / 1024.0);
}

#[test]
fn nothing_left_out_loses_nothing_and_more_left_out_loses_more() {
    for method in [Method::Threshold, Method::BlockSparse, Method::Learned, Method::Adaptive] {
        let lost = |sparsity: f64| measured(method, &sparse(&[("seq", 512)], sparsity, "topics")).2;
        if method != Method::Threshold {
            assert!(lost(0.0) < 1e-6, "{method:?}");
        }
        assert!(lost(0.5) < lost(0.9), "{method:?}");
    }
}
