//! What training adds to the kernels of models: steps of optimizers, and gradients that take fewer bytes.

mod adamw;
mod coded;
mod int8;
mod power;
mod top_k;

pub use adamw::{AdamWStep, adamw};
pub use coded::{CodedMoments, adamw_coded};
pub use int8::compress_int8;
pub use power::{PowerSgd, power_sgd};
pub use top_k::{Feedback, TopKRoom, top_k};
