//! Training: whole models a batch a step, what they ask of memory, steps of an optimizer, chains of operations that fusion makes one,
//! gradients that take fewer bytes, and adapters of low rank.

mod adamw;
mod attention;
mod batches;
mod chain;
mod chain_back;
mod compression;
mod eight;
mod gpt2;
mod llama;
mod lora;
mod slopes;
mod trace;

pub use adamw::{AdamW, AdamWParams, BETAS, DECAY, EPSILON, RATE};
pub use batches::{VariableBatches, VariableBatchesParams};
pub use chain::{NormChain, NormChainParams};
pub use chain_back::{NormChainGradients, NormChainGradientsParams};
pub use compression::{
    Int8Compression, Int8CompressionParams, PowerSgd, PowerSgdParams, TopKCompression, TopKCompressionParams,
};
pub use eight::EightBits;
pub use gpt2::{Gpt2Training, Gpt2TrainingParams, TENSORS, loss_and_gradients};
pub use llama::{LLAMA_TENSORS, LlamaTraining, LlamaTrainingParams, llama_loss_and_gradients};
pub use lora::{LoraStep, LoraStepParams};
pub use slopes::Tensors;
pub use trace::{AllocationTrace, AllocationTraceParams, Event, steps_of_record};
