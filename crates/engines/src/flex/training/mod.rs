//! Training on plain slices: steps of an optimizer.

pub mod adamw;
