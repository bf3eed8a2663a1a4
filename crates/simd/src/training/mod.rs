//! What training adds to the kernels of models: steps of optimizers.

mod adamw;
mod coded;

pub use adamw::{AdamWStep, adamw};
pub use coded::{CodedMoments, adamw_coded};
