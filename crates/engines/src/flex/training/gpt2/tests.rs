//! Gradients beside those of the problem, and of one way to keep activations beside another.

use benchbook_core::{DType, Problem};
use benchbook_workloads::training::{TENSORS, Tensors, loss_and_gradients};

use super::*;
use crate::flex::training::steps::{Trained, squares};

fn params([layers, heads, width, vocabulary, batch, seq]: [usize; 6]) -> Gpt2TrainingParams {
    Gpt2TrainingParams { layers, heads, width, vocabulary, batch, seq, steps: 1, ..Gpt2TrainingParams::default() }
}

/// The loss of the first batch, and its gradients, twice: nothing of the first pass is left in the second.
fn gradients(params: &Gpt2TrainingParams, inputs: &Inputs, keeping: Keeping, scaling: Scaling) -> (f64, Vec<f32>) {
    let mut model = Model::new(params, Layout::of(params).weights(inputs), keeping, scaling);
    let ids = inputs.get("ids").of::<i32>();
    let loss = model.loss(ids).unwrap();
    let first = model.grads.clone();
    model.casts.begin();
    assert_eq!(model.loss(ids), Ok(loss));
    assert_eq!(model.grads, first);
    (loss, first)
}

#[test]
fn gradients_are_those_of_the_problem_tensor_by_tensor() {
    for sizes in [[1, 1, 4, 5, 1, 1], [3, 3, 33, 17, 2, 5], [2, 4, 64, 61, 3, 20]] {
        let params = params(sizes);
        let inputs = Gpt2Training::inputs(&params, 7);
        let (loss, grads) = gradients(&params, &inputs, Keeping::All, Scaling::None);
        let (right, wanted) = loss_and_gradients(&params, &Tensors::of(&inputs, &TENSORS), inputs.get("ids").of());
        assert!((loss - right).abs() < 1e-5 * right, "{loss} for {right}");
        for (tensor, name) in TENSORS.into_iter().enumerate() {
            let wanted = wanted.get(name);
            let most = wanted.iter().fold(0.0_f64, |most, grad| most.max(grad.abs()));
            let off = grads[Layout::of(&params).tensor(tensor)].iter().zip(wanted);
            let off = off.map(|(found, wanted)| (f64::from(*found) - wanted).abs()).fold(0.0, f64::max);
            // Of a sequence of one, attention gives its value whatever queries and keys are, so that their gradients are 0.
            assert!(off <= 1e-4 * most.max(1e-3), "{name} of {sizes:?}: off by {off} of {most}");
        }
    }
}

#[test]
fn what_is_computed_again_has_the_same_bits() {
    for layers in [1, 2, 3, 5] {
        let params = params([layers, 2, 32, 61, 2, 9]);
        let inputs = Gpt2Training::inputs(&params, 8);
        let kept = gradients(&params, &inputs, Keeping::All, Scaling::None);
        for keeping in [Keeping::Every(1), Keeping::Every(2), Keeping::Every(7), Keeping::Products] {
            assert!(gradients(&params, &inputs, keeping, Scaling::None) == kept, "{keeping:?} of {layers} layers");
        }
    }
}

#[test]
fn less_waits_for_the_pass_back() {
    let params = params([12, 4, 64, 61, 2, 16]);
    let inputs = Gpt2Training::inputs(&params, 9);
    let bytes =
        |keeping| Model::new(&params, Layout::of(&params).weights(&inputs), keeping, Scaling::None).kept_bytes();
    let [all, each, second, products] =
        [Keeping::All, Keeping::Every(1), Keeping::Every(2), Keeping::Products].map(bytes);
    // A position has 64 numbers, and a number for each of its four heads: 17, or one and the seventeen of one or two layers.
    let (tokens, widths) = (4 * 32, |count: usize| count * 64);
    assert_eq!(all, tokens * 12 * (widths(17) + 4));
    assert_eq!(each, tokens * (widths(12) + widths(17) + 4));
    assert_eq!(second, tokens * (widths(6) + 2 * (widths(17) + 4)));
    assert_eq!(products, tokens * (12 * (widths(10) + 4) + widths(7)));
}

#[test]
fn eight_bits_change_gradients_by_what_rounding_takes() {
    let params = params([2, 4, 64, 61, 4, 32]);
    let inputs = Gpt2Training::inputs(&params, 10);
    let (loss, grads) = gradients(&params, &inputs, Keeping::All, Scaling::None);
    let (rounded, others) = gradients(&params, &inputs, Keeping::All, Scaling::Dynamic);
    let off: f64 = grads.iter().zip(&others).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let share = (off / squares(&grads)).sqrt();
    // A factor is off by 2⁻⁵ of itself in the root of the mean square, a gradient by 2⁻⁴, and there are a few of them in a chain.
    assert!((0.001..0.3).contains(&share), "{share}");
    assert!(loss != rounded && (loss - rounded).abs() < 0.02 * loss, "{loss} and {rounded}");
}

#[test]
fn a_loss_that_is_no_number_ends_the_loop_with_its_step() {
    let params = Gpt2TrainingParams { rate: 1e29, steps: 4, ..params([1, 1, 8, 7, 1, 3]) };
    let inputs = Gpt2Training::inputs(&params, 11);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
    let way = (Keeping::All, Scaling::None);
    let mut subject = Gpt2Training::prepare("kept", &setting, &params, &inputs, way).unwrap();
    let looped = subject.looped().unwrap();
    looped.begin();
    let mut values = [0.0; 4];
    assert!(
        looped.step(&mut values).unwrap().more && values[0].is_finite(),
        "the first loss is that of the weights as they are"
    );
    let said = (0..3).find_map(|_| looped.step(&mut values).err()).unwrap().to_string();
    assert!(said.contains("kept on flex: diverged: the loss of step 2 of 4 is "), "{said}");
    subject.run(1);
    assert!(subject.sync().unwrap_err().to_string().contains("diverged"), "a call tells it too");
}
