//! Attention: the reference against PyTorch.

use benchbook_core::{HostArray, Inputs, Params, Value, Workload};
use benchbook_workloads::attention::Attention;

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
