//! What a machine gives at best: the roofs that other kernels are measured by.

mod copy;
mod fma;
mod read;

pub use copy::{Copy, CopyParams};
pub use fma::{CHAINS, FACTOR, Fma, FmaParams, STEPS, TERM};
pub use read::{Read, ReadParams, SUMMED};
