//! The blocks that every model is made of: norms and softmax of rows, rows of a table, rotation, and products with what follows
//! them; and the block of a transformer, which is made of these.

mod activation;
mod chain;
mod copy;
mod embedding;
mod finish;
mod gated;
mod linear;
mod mlp;
mod norm;
mod patch;
mod product;
mod rotary;
mod rows;
mod softmax;
mod transformer;
mod write;

pub use activation::{Activation, activate};
pub(crate) use activation::{CUBE as GELU_CUBE, INNER as GELU_INNER};
pub use chain::{Elementwise, Fusion, NormChain, elementwise, norm_chain};
pub use copy::copy;
pub use embedding::{Embedding, embedding};
pub(crate) use finish::{Finish, Place, Spread, Sums};
pub use gated::swiglu;
pub use linear::{Affine, LinearWeights, linear};
pub use mlp::{MlpWeights, mlp};
pub use norm::{Gate, Norm, gated_rms_norm, layer_norm, rms_norm};
pub use patch::{PatchEmbedding, PatchWeights, patch_embedding};
pub(crate) use product::{heads_of, products, rows_of};
pub use rotary::{Rotary, rotary_attention};
pub use softmax::{Softmax, softmax};
pub use transformer::{Between, NormWeights, TransformerBlock, TransformerWeights, transformer_block};
