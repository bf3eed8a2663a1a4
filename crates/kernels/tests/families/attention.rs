//! The reference against PyTorch, and the implementations against the reference.

use benchbook_core::{DType, HostArray, Implementation, Inputs, Params, Support, Value, Workload};
use benchbook_kernels::attention::{Attention, BurnAttention, Fused, Naive};
use proptest::prelude::*;

use crate::common::{error, wrong};

const NAMES: [(&str, bool); 3] = [("query", true), ("key", false), ("value", false)];

fn params(json: &serde_json::Value) -> Params {
    let pairs = json.as_object().unwrap().iter().map(|(name, value)| {
        let value = value.as_bool().map_or_else(|| Value::Int(value.as_i64().unwrap()), Value::Bool);
        (name.clone(), value)
    });
    Params(pairs.collect())
}

fn floats(json: &serde_json::Value) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn inputs(params: &Params, json: &serde_json::Value) -> Inputs {
    let array = |name: &str, shape: Vec<usize>| {
        HostArray::new(shape, floats(&json[name]).into_iter().map(|value| value as f32).collect())
    };
    let [batch, heads, kv_heads, seq_q, seq_kv, head_dim] =
        ["batch", "heads", "kv_heads", "seq_q", "seq_kv", "head_dim"].map(|name| params.size(name));
    let mut inputs = Inputs::default();
    for (name, is_query) in NAMES {
        let shape =
            if is_query { vec![batch, heads, seq_q, head_dim] } else { vec![batch, kv_heads, seq_kv, head_dim] };
        inputs.0.insert(name, array(name, shape));
    }
    if params.flag("masked") {
        inputs.0.insert("mask", array("mask", vec![batch, 1, seq_q, seq_kv]));
    }
    inputs
}

#[test]
fn the_reference_agrees_with_pytorch() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../../fixtures/attention.json")).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let params = Attention.case(params(&case["params"])).unwrap().params;
        let reference = Attention.reference(&params, &inputs(&params, case), 0);
        let expected = floats(&case["output"]);
        assert_eq!(reference.values.len(), expected.len());
        for (got, want) in reference.values.iter().zip(expected) {
            // Both are float64 sums of at most nine terms of order one.
            assert!((got - want).abs() < 1e-13, "{params}: {got} against {want}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn implementations_agree_with_the_reference(
        (batch, kv_heads, group) in (1_i64..3, 1_i64..4, 1_i64..4),
        (seq_q, more) in (1_i64..70, 0_i64..70),
        head_dim in 1_i64..40,
        causal: bool,
        masked: bool,
    ) {
        let sizes = [("batch", batch), ("heads", kv_heads * group), ("kv_heads", kv_heads),
            ("seq_q", seq_q), ("seq_kv", seq_q + more), ("head_dim", head_dim)];
        let mut params = Params::default().with("causal", Value::Bool(causal)).with("masked", Value::Bool(masked));
        for (name, value) in sizes {
            params = params.with(name, Value::Int(value));
        }
        prop_assert_eq!(wrong(&Attention, &[&Naive, &BurnAttention, &Fused], &params, 1e-5), None);
    }
}

#[test]
fn lower_precision_stays_within_a_percent() {
    for implementation in [&Naive as &dyn Implementation, &BurnAttention, &Fused] {
        for dtype in [DType::F16, DType::Bf16] {
            if let Support::No(why) = implementation.supports("flex", dtype, &Params::default()) {
                assert!(implementation.name() == "fused" && dtype == DType::F16, "{why}");
                continue;
            }
            let error =
                error(&Attention, implementation, "flex", dtype, &Params::default().with("seq_q", Value::Int(64)));
            assert!(error > 1e-6 && error <= 1e-2, "{} in {dtype}: {error}", implementation.name());
        }
    }
}

#[test]
fn impossible_parameters_are_refused_with_the_numbers_in_the_message() {
    let int = |name: &str, value: i64| Params::default().with(name, Value::Int(value));
    for (params, part) in [
        (int("heads", 0), "heads"),
        (int("heads", -8), "-8"),
        (int("kv_heads", 3), "3 does not divide heads 8"),
        (int("seq_q", 64).with("seq_kv", Value::Int(32)).with("causal", Value::Bool(true)), "64 queries"),
        (int("head_dimm", 64), "head_dim"),
        (Params::default().with("seq_q", Value::Float(1.5)), "`1.5` is not a whole number"),
        (int("seq_q", 1 << 24).with("seq_kv", Value::Int(1 << 24)), "10^13"),
        (int("seq_q", i64::MAX), "not a size"),
    ] {
        let message = Attention.case(params.clone()).unwrap_err().to_string();
        assert!(message.contains(part), "{params}: {message}");
    }
}
