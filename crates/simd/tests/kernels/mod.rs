//! Every kernel against plain loops in `f64`, and calls that it must refuse; compiled into the crate, see the end of `lib.rs`.

mod backward;
mod bf16;
mod blocks;
mod chain;
mod coded;
mod compression;
mod contextual;
mod convolution;
mod decoded;
mod dynamic;
mod expert_gradients;
mod experts;
mod int4;
mod latent;
mod mixers;
mod patch;
mod projected;
mod right;
mod sparse;
mod table;
mod training;
mod transformer;
mod ugly;
