//! burn on CPUs, and our own kernels as operations on its tensors: tables of implementations, a file a problem.

pub mod attention;
pub mod blocks;
mod calls;
mod canonical;
mod coded;
pub mod convolution;
mod custom;
pub mod decoding;
pub mod decomposed;
pub mod dynamic;
pub mod encoders;
mod engine;
pub mod experts;
pub mod fused;
pub mod images;
pub mod int4;
pub mod low_rank;
pub mod matmul;
pub mod mixers;
pub mod models;
pub mod multimodal;
pub mod packed;
pub mod pruned;
mod pruning;
pub mod quality;
pub mod roofs;
mod row;
mod searched;
pub mod singular;
pub mod sparse;
mod subject;
pub mod tables;
mod technical;
pub mod techniques;
pub mod tensor;
mod told;
pub mod training;
pub mod transformer;
mod weight_only;
mod weights;

#[cfg(feature = "onnxruntime")]
pub(crate) use calls::failed;
pub use custom::Custom;
pub(crate) use engine::fused_engine;
pub use engine::{CPU_DEVICES, build_facts, burn_engine, open, probe, set_threads};
pub use subject::{NamedInputs, Rows, TensorSubject, prepare};
