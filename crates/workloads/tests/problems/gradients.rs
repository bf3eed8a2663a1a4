//! Gradients: the reference against PyTorch and finite differences.

use benchbook_core::{Array, Inputs, Problem};
use benchbook_workloads::attention::{Attention, AttentionGradients, AttentionGradientsParams};

use crate::numbers;

fn params([batch, heads, kv_heads, seq_q, seq_kv, head_dim]: [usize; 6], causal: bool) -> AttentionGradientsParams {
    AttentionGradientsParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim, causal }
}

#[test]
fn the_reference_agrees_with_pytorch() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../../fixtures/gradients.json")).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let size = |name: &str| case["params"][name].as_u64().unwrap() as usize;
        let sizes = ["batch", "heads", "kv_heads", "seq_q", "seq_kv", "head_dim"].map(size);
        let params = params(sizes, case["params"]["causal"] == true);
        let mut inputs = AttentionGradients::inputs(&params, 0);
        for name in ["query", "key", "value", "grad"] {
            inputs.get_mut(name).unwrap().write(0, &numbers(&case[name], |number| number as f32));
        }
        let reference = AttentionGradients::reference(&params, &inputs, 0);
        assert_eq!(reference.answers.len(), 3);
        for answer in reference.answers {
            let expected = numbers(&case[&*answer.name], |number| number);
            assert_eq!(answer.values.len(), expected.len());
            for (got, want) in answer.values.iter().zip(expected) {
                // Both are float64 sums of a few dozen terms of order one.
                assert!((got - want).abs() < 1e-12, "{params:?} {}: {got} against {want}", answer.name);
            }
        }
    }
}

/// Σ result · grad, by the forward reference.
fn loss(params: &AttentionGradientsParams, inputs: &Inputs) -> f64 {
    let out = Attention::reference(&params.forward(), inputs, 0).answers.remove(0);
    let grad = inputs.numbers("grad");
    assert_eq!(out.values.len(), grad.len());
    out.values.iter().zip(grad).map(|(out, grad)| out * f64::from(*grad)).sum()
}

#[test]
fn the_reference_agrees_with_finite_differences() {
    for causal in [false, true] {
        let params = params([2, 4, 2, 3, 5, 3], causal);
        let inputs = AttentionGradients::inputs(&params, 11);
        let answers = AttentionGradients::reference(&params, &inputs, 11).answers;
        assert_eq!(answers.len(), 3);
        for (name, answer) in ["query", "key", "value"].into_iter().zip(answers) {
            assert_eq!((&*answer.name, answer.shape.as_slice()), (&*format!("{name}_grad"), inputs.get(name).shape()));
            assert_eq!(answer.values.len(), inputs.get(name).len());
            for (index, right) in answer.values.iter().enumerate() {
                let moved = |step: f32| {
                    let mut inputs = inputs.clone();
                    let number = &mut inputs.get_mut(name).unwrap().of_mut::<f32>()[index];
                    *number += step;
                    // As stored: the step itself is rounded.
                    (f64::from(*number), loss(&params, &inputs))
                };
                let ((high, above), (low, below)) = (moved(1e-3), moved(-1e-3));
                let slope = (above - below) / (high - low);
                // The third derivative, of order ten here, times the square of the step.
                assert!((slope - right).abs() < 1e-5, "{name} {index}: {slope} for {right}");
            }
        }
    }
}

#[test]
fn a_large_case_is_checked_by_whole_heads() {
    let params = params([1, 8, 4, 1024, 1024, 64], true);
    let inputs = AttentionGradients::inputs(&params, 3);
    let reference = AttentionGradients::reference(&params, &inputs, 3);
    for answer in &reference.answers {
        let whole = answer.shape[1] * 1024;
        assert_eq!((&answer.shape[2..], answer.shape[0]), (&[1024, 64][..], 1));
        assert!(answer.rows.len() < whole && answer.rows.len().is_multiple_of(1024), "{} rows", answer.rows.len());
        assert!(answer.rows.windows(2).all(|pair| pair[0] < pair[1]), "rows ascend");
    }
    let wrong = |heads: usize| Array::new(vec![1, heads, 1024, 64], &vec![1.0_f32; heads * 1024 * 64]);
    let compared = reference.compare(&[wrong(8), wrong(4), wrong(4)]);
    assert!(compared.len() == 3 && compared.iter().all(|one| one.max_scaled_error > 0.1));
}
