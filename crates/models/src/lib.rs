//! Models: what they are made of, their weights, and what they compute, without burn.
//!
//! A [`Description`] is a file of `datasets/models/`, from the published configuration. It lists the tensors of the model
//! ([`Description::tensors`]), which [`weights`] draws from a seed or reads from files. A [`Decoder`] is a decoder-only model
//! whose weights are packed for this processor, and a [`Session`] a text that it is in the middle of; an [`Encoder`] takes whole
//! texts, an [`AudioEncoder`] what was heard, of which [`mel`] makes a spectrogram, and an [`ImageEncoder`] or a [`ClipEncoder`] what is
//! looked at, whose tokens may stand in a text. A [`technique`] makes another model of one.
//! [`real`] has what `cargo xtask data` has brought, with its [`tokenizer`], and an [`Own`] what somebody has on a disk.

mod catalogue;
pub mod compress;
mod decoder;
mod description;
mod encoder;
mod error;
mod fit;
mod inputs;
pub mod mel;
mod own;
mod packing;
pub mod real;
mod speech;
pub mod store;
pub mod technique;
mod tensors;
pub mod tokenizer;
pub mod weights;

pub use catalogue::{all, asked_for, named};
pub use decoder::{
    Decoder, Exit, Form, Forms, Held, Keeps, MOST_STEP, Plan, Role, Session, Split, built_layers, is_built,
};
pub use description::{Architecture, Audio, Description, Experts, Files, Latent, Text, Tier, Tower, Vision};
pub use encoder::{
    AudioEncoder, AudioRoom, ClipEncoder, ClipRoom, Encoder, EncoderPlan, EncoderRoom, ImageEncoder, ImageRoom, Parts,
    most_varied, pooled, worth_it,
};
pub use error::{Error, Result};
pub use fit::Fit;
pub use inputs::{Names, Part, brought};
pub use own::{Checkpoint, Own};
pub use speech::Speech;
pub use tensors::Tensor;
