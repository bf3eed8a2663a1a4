//! Tensors of batches whose size varies: what is asked of an allocator while a model is trained.

use benchbook_core::{
    Answer, Array, Check, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Value, Work,
};

use crate::decoding::Uniform;
use crate::draw::check_numbers;

/// Steps of training that hardly compute: in each, tensors of all layers are made one after another and wait; on the way back, a
/// gradient is made of each, and what nobody needs any more is given back. Of each step the batch has another size, from a seeded trace:
/// no two steps ask for the same memory (Guo et al., *GMLake*, arXiv 2401.08156, section 2, on what that does to allocators).
///
/// Layer l has batch · width · (1 + l mod 3) numbers. Layer 0 repeats the input; a number of the next layer is half of that of the layer
/// before, whose numbers are repeated as often as it takes, and a quarter. The gradient of the last layer is the layer itself, and that
/// of each other half of the gradient after it, repeated, and a quarter of the layer.
///
/// Input: `input` `[1, width]`. Output: `grads` `[steps, width]`, the first numbers of the gradient of layer 0.
pub struct VariableBatches;

benchbook_core::parameters! {
    /// Parameters of [`VariableBatches`].
    pub struct VariableBatchesParams {
        /// rows of a batch at most
        batch: usize = 16, 1..=1 << 12;
        /// numbers of a row
        width: usize = 4096, 1..=1 << 24;
        /// layers after the first
        layers: usize = 8, 1..=128;
        /// steps of a loop
        steps: usize = 16, 1..=1 << 12;
        /// seed of the sizes
        trace: usize = 1, 0..=1 << 30;
    }
}

/// Sizes that layers have, in rows.
const SIZES: usize = 3;

impl VariableBatchesParams {
    /// The batch of each step.
    pub fn batches(&self) -> Vec<usize> {
        let mut uniform = Uniform::new(self.trace as u64);
        (0..self.steps).map(|_| uniform.up_to(self.batch)).collect()
    }

    /// Numbers of a layer in a batch of so many rows.
    pub fn count(&self, batch: usize, layer: usize) -> usize {
        batch * self.width * (1 + layer % SIZES)
    }

    /// Numbers of all tensors at once, at most: on the way back, a layer and two gradients beside all layers before it.
    pub fn most_live(&self) -> usize {
        let most = self.batches().into_iter().max().unwrap_or(0);
        let layers = |until: usize| -> usize { (0..=until).map(|layer| self.count(most, layer)).sum() };
        let back = |layer: usize| layers(layer) + self.count(most, layer + 1) + self.count(most, layer);
        (0..self.layers).map(back).max().unwrap_or(0).max(layers(self.layers))
    }

    /// Numbers of all layers, over all steps.
    fn numbers(&self) -> f64 {
        let of = |batch: usize| (0..=self.layers).map(|layer| self.count(batch, layer) as f64).sum::<f64>();
        self.batches().into_iter().map(of).sum()
    }
}

impl VariableBatches {
    /// The loop of a case, a batch a step.
    pub fn steps(params: &VariableBatchesParams) -> StepsOf {
        let values = vec![("page_faults".to_owned(), "count".to_owned())];
        StepsOf { most: params.steps, tokens: None, values }
    }
}

impl Problem for VariableBatches {
    const NAME: &'static str = "variable-batches";
    const ABOUT: &'static str = "tensors of batches whose size varies, made and given back as training does";
    type Params = VariableBatchesParams;

    fn presets() -> Vec<Preset> {
        let of = |batch: i64, width: i64, steps: i64| {
            let of = Params::default().with("batch", Value::Int(batch)).with("width", Value::Int(width));
            of.with("steps", Value::Int(steps))
        };
        vec![
            Preset { name: "quick", cases: vec![of(16, 4096, 16)] },
            // The last is a chain of tensors of 64 to 192 MiB.
            Preset { name: "default", cases: vec![of(16, 4096, 16), of(64, 16_384, 16), of(1, 1 << 24, 2)] },
        ]
    }

    fn ugly() -> Vec<VariableBatchesParams> {
        let of = |(batch, width, layers, steps, trace)| VariableBatchesParams { batch, width, layers, steps, trace };
        [(1, 1, 1, 1, 0), (5, 17, 4, 7, 1), (9, 1031, 7, 5, 2)].map(of).into()
    }

    fn check(params: &VariableBatchesParams) -> Result<(), (&'static str, String)> {
        let VariableBatchesParams { batch, width, layers, .. } = *params;
        check_numbers("batch", &[batch, width, SIZES * layers])
    }

    fn label(params: &VariableBatchesParams) -> String {
        let VariableBatchesParams { batch, width, layers, steps, trace } = *params;
        format!("b{batch} w{width} l{layers} {steps} steps trace{trace}")
    }

    fn task(params: &VariableBatchesParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &VariableBatchesParams, seed: u64) -> Inputs {
        Inputs::from([("input", Array::normal(vec![1, params.width], seed, 1))])
    }

    fn reference(params: &VariableBatchesParams, inputs: &Inputs, _seed: u64) -> Reference {
        let input: Vec<f64> = inputs.numbers("input").iter().map(|number| f64::from(*number)).collect();
        let halved =
            |from: &[f64], count: usize| -> Vec<f64> { from.iter().cycle().take(count).map(|x| 0.5 * x).collect() };
        // Every layer begins with the same numbers, whatever the batch, and each repeats those of the input.
        let width = params.width;
        let mut layers = vec![input];
        for layer in 0..params.layers {
            layers.push(halved(&layers[layer], width).iter().map(|x| x + 0.25).collect());
        }
        let mut grad = layers[params.layers].clone();
        for layer in layers[..params.layers].iter().rev() {
            grad = halved(&grad, width).iter().zip(layer).map(|(grad, layer)| grad + 0.25 * layer).collect();
        }
        let answer = Answer {
            name: "grads".into(),
            shape: vec![params.steps, width],
            rows: (0..params.steps).collect(),
            values: grad.repeat(params.steps),
            check: Check::Near,
        };
        Reference { answers: vec![answer] }
    }

    /// Two operations for each number of a layer, and three for each of a gradient. What lies between input and output may stay in a
    /// cache.
    fn work(params: &VariableBatchesParams, dtype: DType) -> Work {
        let moved = params.width * (params.steps + 1);
        Work { flops: 5.0 * params.numbers(), bytes: (moved * dtype.bytes()) as f64 }
    }

    fn tolerance(_params: &VariableBatchesParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_batches_of_many_sizes_and_the_most_is_found_by_hand() {
        let params = VariableBatchesParams { batch: 16, steps: 200, ..Default::default() };
        let mut sizes = params.batches();
        sizes.sort_unstable();
        sizes.dedup();
        // One of sixteen sizes is missing with a chance of 16 · (15/16)^200, 4 · 10⁻⁵, and the trace is fixed.
        assert_eq!(sizes, (1..=16).collect::<Vec<usize>>());
        let params = VariableBatchesParams { batch: 1, width: 10, layers: 2, steps: 1, trace: 1 };
        // Layers of 10, 20 and 30 numbers: beside the first two stand the gradients of 30 and 20.
        assert_eq!(params.most_live(), 80);
        assert_eq!(VariableBatches::work(&params, DType::F32).flops, 300.0);
    }
}
