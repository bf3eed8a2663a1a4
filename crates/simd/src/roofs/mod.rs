//! What a processor does at best: multiply-adds in registers alone, and numbers that are only read.

mod fma;
mod isa;
mod read;

pub use fma::{CHAINS, multiply_add};
pub use read::{SUMMED, sums};
