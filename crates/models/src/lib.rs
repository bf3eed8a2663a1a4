//! Models: what they are made of, their weights, and what they compute, without burn.
//!
//! A [`Description`] is a file of `datasets/models/`, from the published configuration. It lists the tensors of the model
//! ([`Description::tensors`]), which [`weights`] draws from a seed or reads from files.

mod catalogue;
mod description;
mod error;
mod tensors;
pub mod weights;

pub use catalogue::{all, named};
pub use description::{Architecture, Audio, Description, Experts, Latent, Text, Tier, Tower, Vision};
pub use error::{Error, Result};
pub use tensors::Tensor;
