//! Multiply-adds in registers alone: what arithmetic can reach at best.

mod call;
mod isa;

pub use call::{CHAINS, multiply_add};
