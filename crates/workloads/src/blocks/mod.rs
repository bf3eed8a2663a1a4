//! The blocks that every model is made of, each alone: products with what follows them, norms, softmax, tables, rotation,
//! convolutions; and the block of a transformer, which is made of them.

mod activation;
mod convolution;
mod embedding;
mod linear;
mod mlp;
mod norm;
mod patch;
mod rotary;
mod softmax;
mod transformer;

pub use activation::Activation;
pub(crate) use activation::exact_gelu;
pub use convolution::{Conv1d, Conv1dParams, Conv2d, Conv2dParams};
pub use embedding::{Embedding, EmbeddingParams};
pub use linear::{Linear, LinearParams};
pub use mlp::{Mlp, MlpParams};
pub use norm::{EPSILON, LayerNorm, LayerNormParams, RmsNorm, RmsNormParams, layer_normed_by, rms_normed_by};
pub(crate) use norm::{layer_normed, rms_normed};
pub use patch::{PatchEmbedding, PatchEmbeddingParams};
pub use rotary::{Rotary, RotaryParams};
pub use softmax::{Softmax, SoftmaxParams};
pub use transformer::{Architecture, TransformerBlock, TransformerBlockParams};

/// Numbers of an input, in `f64`.
fn numbers(of: &[f32]) -> Vec<f64> {
    of.iter().map(|number| f64::from(*number)).collect()
}
