//! What training adds to the kernels of models: what lies between products on the way back, steps of optimizers, gradients that take
//! fewer bytes, and numbers as floats of eight bits have them.

mod adamw;
mod backward;
mod chain;
mod coded;
mod float8;
mod gated;
mod int8;
mod power;
mod top_k;
mod turned;

pub use adamw::{AdamWStep, adamw};
pub use backward::{NormBackward, cross_entropy, gelu, gelu_backward, layer_norm_backward, rms_norm_backward};
pub use chain::{ChainBackward, chain_backward, chain_backward_in_passes};
pub use coded::{CodedMoments, adamw_coded};
pub use float8::{Float8, largest, round_float8};
pub use gated::swiglu_backward;
pub use int8::compress_int8;
pub use power::{PowerSgd, power_sgd};
pub use top_k::{Feedback, TopKRoom, top_k};
pub use turned::{column_sums, transpose};
