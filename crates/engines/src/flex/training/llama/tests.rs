//! Gradients beside those of the problem, and of one way to keep activations beside another.

use benchbook_core::Problem;
use benchbook_workloads::training::{LLAMA_TENSORS, Tensors, llama_loss_and_gradients};

use super::*;
use crate::flex::training::steps::{Places, Trained};

fn params([layers, heads, kv_heads, head_dim, width, hidden, batch, seq]: [usize; 8]) -> LlamaTrainingParams {
    LlamaTrainingParams {
        layers,
        heads,
        kv_heads,
        head_dim,
        width,
        hidden,
        vocabulary: 61,
        batch,
        seq,
        steps: 1,
        rotary_base: 30,
        ..LlamaTrainingParams::default()
    }
}

/// The loss of the first batch, and its gradients, twice: nothing of the first pass is left in the second.
fn gradients(params: &LlamaTrainingParams, inputs: &Inputs, keeping: Keeping) -> (f64, Vec<f32>) {
    let mut model = Model::new(params, Layout::of(params).weights(inputs), keeping, Scaling::None).unwrap();
    let ids = inputs.get("ids").of::<i32>();
    let loss = model.loss(ids).unwrap();
    let first = model.grads().to_vec();
    assert_eq!(model.loss(ids), Ok(loss));
    assert_eq!(model.grads(), first);
    (loss, first)
}

#[test]
fn gradients_are_those_of_the_problem_tensor_by_tensor() {
    for sizes in [[1, 1, 1, 2, 4, 3, 1, 1], [3, 6, 2, 10, 33, 17, 2, 5], [2, 4, 4, 16, 64, 100, 3, 20]] {
        let params = params(sizes);
        let inputs = LlamaTraining::inputs(&params, 7);
        let (loss, grads) = gradients(&params, &inputs, Keeping::All);
        let weights = Tensors::of(&inputs, &LLAMA_TENSORS);
        let (right, wanted) = llama_loss_and_gradients(&params, &weights, inputs.get("ids").of());
        assert!((loss - right).abs() < 1e-5 * right, "{loss} for {right}");
        for (name, part) in LLAMA_TENSORS.into_iter().zip(Layout::of(&params).tensors()) {
            let wanted = wanted.get(name);
            let most = wanted.iter().fold(0.0_f64, |most, grad| most.max(grad.abs()));
            let off = grads[part].iter().zip(wanted);
            let off = off.map(|(found, wanted)| (f64::from(*found) - wanted).abs()).fold(0.0, f64::max);
            assert!(off <= 1e-4 * most.max(1e-3), "{name} of {sizes:?}: off by {off} of {most}");
        }
    }
}

#[test]
fn what_is_computed_again_has_the_same_bits() {
    for layers in [1, 2, 3, 5] {
        let params = params([layers, 4, 2, 8, 32, 24, 2, 9]);
        let inputs = LlamaTraining::inputs(&params, 8);
        let kept = gradients(&params, &inputs, Keeping::All);
        for keeping in [Keeping::Every(1), Keeping::Every(2), Keeping::Every(7), Keeping::Products] {
            assert!(gradients(&params, &inputs, keeping) == kept, "{keeping:?} of {layers} layers");
        }
    }
}

#[test]
fn less_waits_for_the_pass_back() {
    let params = params([12, 4, 2, 16, 64, 96, 2, 16]);
    let inputs = LlamaTraining::inputs(&params, 9);
    let bytes = |keeping| {
        Model::new(&params, Layout::of(&params).weights(&inputs), keeping, Scaling::None).unwrap().kept_bytes()
    };
    let [all, each, products] = [Keeping::All, Keeping::Every(1), Keeping::Products].map(bytes);
    // A position has 64 numbers before and in the middle, as many queries, 32 keys and values each, and gate and up; then two norms, what
    // attention makes, with a sum for each head, and in a row, and what SwiGLU makes.
    let (heavy, light) = (3 * 64 + 2 * 32 + 2 * 96, 4 * 64 + 4 + 96);
    let tokens = 4 * 32;
    assert_eq!(all, tokens * 12 * (heavy + light));
    assert_eq!(each, tokens * (12 * 64 + heavy + light));
    assert_eq!(products, tokens * (12 * heavy + light));
}
