//! Gradients: the reference against PyTorch and finite differences.

use benchbook_core::{HostArray, Inputs, Params, Value, Workload};
use benchbook_workloads::attention::{Attention, AttentionGradients};

const SIZES: [&str; 6] = ["batch", "heads", "kv_heads", "seq_q", "seq_kv", "head_dim"];

fn params(sizes: [i64; 6], causal: bool) -> Params {
    let sized =
        SIZES.into_iter().zip(sizes).fold(Params::default(), |all, (name, size)| all.with(name, Value::Int(size)));
    AttentionGradients.case(sized.with("causal", Value::Bool(causal))).unwrap().params
}

fn numbers(json: &serde_json::Value) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn the_reference_agrees_with_pytorch() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../../fixtures/gradients.json")).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let size = |name: &str| case["params"][name].as_i64().unwrap();
        let params = params(SIZES.map(size), case["params"]["causal"] == true);
        let mut inputs = AttentionGradients.inputs(&params, 0);
        for (name, array) in &mut inputs.0 {
            array.data = numbers(&case[*name]).into_iter().map(|value| value as f32).collect();
        }
        let reference = AttentionGradients.reference(&params, &inputs, 0);
        let expected: Vec<f64> =
            ["query_grad", "key_grad", "value_grad"].iter().flat_map(|name| numbers(&case[*name])).collect();
        assert_eq!(reference.values.len(), expected.len());
        for (got, want) in reference.values.iter().zip(expected) {
            // Both are float64 sums of a few dozen terms of order one.
            assert!((got - want).abs() < 1e-12, "{params}: {got} against {want}");
        }
    }
}

/// Σ result · grad, by the forward reference.
fn loss(params: &Params, inputs: &Inputs) -> f64 {
    let forward = params.clone().with("masked", Value::Bool(false));
    let out = Attention.reference(&forward, inputs, 0);
    assert_eq!(out.rows.len() * params.size("head_dim"), inputs.get("grad").data.len());
    out.values.iter().zip(&inputs.get("grad").data).map(|(out, grad)| out * f64::from(*grad)).sum()
}

#[test]
fn the_reference_agrees_with_finite_differences() {
    for causal in [false, true] {
        let params = params([2, 4, 2, 3, 5, 3], causal);
        let inputs = AttentionGradients.inputs(&params, 11);
        let reference = AttentionGradients.reference(&params, &inputs, 11);
        let mut at = 0;
        for name in ["query", "key", "value"] {
            for index in 0..inputs.get(name).data.len() {
                let moved = |step: f32| {
                    let mut inputs = inputs.clone();
                    let number = &mut inputs.0.get_mut(name).unwrap().data[index];
                    *number += step;
                    // As stored: the step itself is rounded.
                    (f64::from(*number), loss(&params, &inputs))
                };
                let ((high, above), (low, below)) = (moved(1e-3), moved(-1e-3));
                let slope = (above - below) / (high - low);
                // The third derivative, of order ten here, times the square of the step.
                assert!(
                    (slope - reference.values[at]).abs() < 1e-5,
                    "{name} {index}: {slope} for {}",
                    reference.values[at]
                );
                at += 1;
            }
        }
        assert_eq!(at, reference.values.len());
    }
}

#[test]
fn a_large_case_is_checked_by_whole_heads() {
    let params = params([1, 8, 4, 1024, 1024, 64], true);
    let inputs = AttentionGradients.inputs(&params, 3);
    let reference = AttentionGradients.reference(&params, &inputs, 3);
    let whole = 8 * 1024 + 2 * 4 * 1024;
    assert_eq!(reference.shape, [whole, 64]);
    assert!(reference.rows.len() < whole && reference.rows.len().is_multiple_of(1024), "{} rows", reference.rows.len());
    assert!(reference.rows.windows(2).all(|pair| pair[0] < pair[1]), "rows ascend");
    let wrong = HostArray::new(vec![whole, 64], vec![1.0; whole * 64]);
    assert!(reference.compare(&wrong).max_scaled_error > 0.1);
}
