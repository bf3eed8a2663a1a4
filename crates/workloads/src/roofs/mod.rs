//! What a machine gives at best: the roofs that other kernels are measured by.

mod copy;
mod fma;
mod read;

pub use copy::Copy;
pub use fma::{CHAINS, FACTOR, Fma, STEPS, TERM};
pub use read::{Read, SUMMED};
