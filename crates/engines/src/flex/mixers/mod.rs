//! Mixers in linear time: as tensor operations, and hand-written.

mod conv;
mod hybrid;
mod retention;
mod rwkv;
mod scan;
mod ssd;

use benchbook_core::{Inputs, Knob, Support};
use benchbook_simd::CHUNK;
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use crate::flex::calls::{named, numbers};
use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::Target;

pub use conv::ROWS as CONV;
pub use hybrid::ROWS as HYBRID;
pub use retention::ROWS as RETENTION;
pub use rwkv::{ROWS_OF_4 as RWKV4, ROWS_OF_6 as RWKV6, ROWS_OF_7 as RWKV7};
pub use scan::{ROWS as SCAN, ROWS_BACK as SCAN_GRADIENTS};
pub use ssd::ROWS as SSD;

/// Steps of a chunk of what is hand-written.
const CHUNKS: [Knob; 1] = [Knob {
    name: "chunk",
    about: "steps of a chunk: within it as attention, from one to the next through the state",
    values: &[8, 16, 24, 32, 48, 64, 96, 128, 192, 256],
    usual: CHUNK as i64,
}];

/// Steps of a sequence at most, where each is several calls of the engine.
const MOST_STEPS: usize = 1 << 14;

/// Scores of all heads in memory at most.
const MOST_SCORES: usize = 1 << 27;

/// Keeps a loop over steps from sequences that would take it long.
fn few_steps(seq: usize) -> Support {
    if seq <= MOST_STEPS {
        return Support::Yes;
    }
    Support::No(format!("{seq} steps of several calls each take too long, {MOST_STEPS} are the most"))
}

/// Keeps a table of all scores from sequences that would fill memory with it.
fn few_scores([batch, heads, seq]: [usize; 3]) -> Support {
    let scores = batch * heads * seq * seq;
    if scores <= MOST_SCORES {
        return Support::Yes;
    }
    Support::No(format!("{scores} scores take too much memory, {MOST_SCORES} are the most"))
}

/// Inputs as tensors of one rank: an array of fewer axes has axes of length 1 before them.
struct Tensors<const D: usize, const N: usize> {
    names: [&'static str; N],
    all: [Tensor<D>; N],
}

impl<const D: usize, const N: usize> Tensors<D, N> {
    fn upload(on: &Target, inputs: &Inputs, names: [&'static str; N]) -> Self {
        let all = names.map(|name| {
            let (array, mut shape) = (inputs.get(name), [1; D]);
            shape[D - array.shape().len()..].copy_from_slice(array.shape());
            on.upload_as(array, shape)
        });
        Self { names, all }
    }
}

impl<const D: usize, const N: usize> NamedInputs for Tensors<D, N> {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        find(&self.names, &mut self.all, name)
    }
}

/// Step `step` of a tensor whose steps are its second axis.
fn step<const D: usize>(tensor: &Tensor<D>, step: usize) -> Tensor<D> {
    tensor.clone().narrow(1, step, 1)
}

/// ln(1 + e^x), without a threshold.
fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone().clamp_min(0.0) + x.abs().neg().exp().log1p()
}

/// x / (1 + e^−x).
fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone() * sigmoid(x)
}
