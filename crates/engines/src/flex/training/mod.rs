//! Training on plain slices: steps of an optimizer, operations that become one, and gradients that take fewer bytes.

pub mod adamw;
pub mod chain;
pub mod compression;
