//! Training on plain slices: steps of an optimizer, and operations that become one.

pub mod adamw;
pub mod chain;
