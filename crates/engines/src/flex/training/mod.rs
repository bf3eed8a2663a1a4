//! Training on plain slices: whole models, also by two processes, memory of tensors, steps of an optimizer, operations that become
//! one, and gradients that take fewer bytes.

pub mod adamw;
mod adamw_burn;
mod allocators;
pub(in crate::flex) mod casts;
pub mod chain;
pub mod chain_back;
pub mod compression;
pub mod elsewhere;
mod filed;
pub mod gpt2;
mod heads;
mod keeping;
mod layered;
pub mod llama;
pub mod lora;
mod memories;
pub mod pool;
mod products;
pub mod replayed;
mod rows;
mod steps;
pub mod text;
pub mod together;
mod told;
pub mod varied;
