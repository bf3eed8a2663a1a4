//! Attention: the reference against PyTorch.

use benchbook_core::{Array, Inputs, Problem};
use benchbook_workloads::attention::{Attention, AttentionParams};

use crate::numbers;

fn params(json: &serde_json::Value) -> AttentionParams {
    let size = |name: &str| json[name].as_u64().unwrap() as usize;
    let flag = |name: &str| json[name].as_bool().unwrap();
    AttentionParams {
        batch: size("batch"),
        heads: size("heads"),
        kv_heads: size("kv_heads"),
        seq_q: size("seq_q"),
        seq_kv: size("seq_kv"),
        head_dim: size("head_dim"),
        causal: flag("causal"),
        masked: flag("masked"),
    }
}

/// Inputs of the shapes that the problem gives, with the numbers of the fixture.
fn inputs(params: &AttentionParams, json: &serde_json::Value) -> Inputs {
    let mut inputs = Attention::inputs(params, 0);
    for name in ["query", "key", "value"] {
        inputs.get_mut(name).unwrap().write(0, &numbers(&json[name], |number| number as f32));
    }
    if params.masked {
        let shape = inputs.get("mask").shape().to_vec();
        inputs.insert("mask", Array::flags(shape, numbers(&json["mask"], |number| number != 0.0)));
    }
    inputs
}

#[test]
fn the_reference_agrees_with_pytorch() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../../fixtures/attention.json")).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let params = params(&case["params"]);
        let reference = Attention::reference(&params, &inputs(&params, case), 0);
        let expected = numbers(&case["output"], |number| number);
        assert_eq!(reference.answers[0].values.len(), expected.len());
        for (got, want) in reference.answers[0].values.iter().zip(expected) {
            // Both are float64 sums of at most nine terms of order one.
            assert!((got - want).abs() < 1e-13, "{params:?}: {got} against {want}");
        }
    }
}
