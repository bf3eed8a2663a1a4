//! The one place that lists the problems.

use benchbook_core::Registry;

use crate::decoding::{self, Generate, GreedyDecoding, Prefill};
use crate::encoding::{AudioEncoder, ImageEncoder, TextEncoder};
use crate::matmul::Matmul;
use crate::singular::RandomisedSvd;
use crate::sparse_matmul::SparseMatmul;
use crate::{attention, blocks, experts, mixers, roofs, training};

/// A registry of every workload, and of nothing else.
pub fn problems() -> Registry {
    let mut problems = Registry::default();
    register(&mut problems);
    problems
}

/// Registers every workload.
pub fn register(registry: &mut Registry) {
    registry
        .workload(attention::Attention)
        .workload(attention::AttentionGradients)
        .workload(attention::PagedAttention)
        .workload(attention::ProgrammableAttention)
        .workload(attention::WindowAttention)
        .workload(attention::ContextualAttention)
        .workload(attention::ProjectedAttention)
        .workload(attention::RingAttention)
        .workload(attention::SparseAttention)
        .workload(Matmul)
        .workload(SparseMatmul)
        .workload(roofs::Copy)
        .workload(roofs::Read)
        .workload(roofs::ReadPattern)
        .workload(roofs::Fma)
        .workload(roofs::Exp2)
        .workload(roofs::Int8Dot)
        .workload(roofs::TileDot)
        .workload(GreedyDecoding)
        .workload(blocks::Linear)
        .workload(blocks::Mlp)
        .workload(blocks::LayerNorm)
        .workload(blocks::RmsNorm)
        .workload(blocks::Softmax)
        .workload(blocks::Embedding)
        .workload(blocks::Rotary)
        .workload(mixers::SelectiveScan)
        .workload(mixers::CausalConv)
        .workload(mixers::Ssd)
        .workload(mixers::Retention)
        .workload(mixers::Rwkv4)
        .workload(mixers::Rwkv6)
        .workload(mixers::Rwkv7)
        .workload(experts::ExpertRouting)
        .workload(experts::MixtureOfExperts)
        .workload(experts::CapacityExperts)
        .workload(blocks::Conv1d)
        .workload(blocks::Conv2d)
        .workload(blocks::PatchEmbedding)
        .workload(attention::LatentAttention)
        .workload(blocks::TransformerBlock)
        .workload(mixers::HybridStack)
        .workload(mixers::SelectiveScanGradients)
        .workload(experts::MixtureOfExpertsGradients)
        .workload(Prefill)
        .workload(Generate)
        .workload(decoding::LossyDecoding)
        .workload(decoding::PrefixDecoding)
        .workload(decoding::SpeculativeDecoding)
        .workload(decoding::SpeculativeSampling)
        .workload(decoding::BatchedDecoding)
        .workload(decoding::ForcedDecoding)
        .workload(TextEncoder)
        .workload(AudioEncoder)
        .workload(ImageEncoder)
        .workload(decoding::Multimodal)
        .workload(decoding::MultimodalImage)
        .workload(decoding::ForcedImage)
        .workload(training::AdamW)
        .workload(training::NormChain)
        .workload(training::NormChainGradients)
        .workload(training::TopKCompression)
        .workload(training::Int8Compression)
        .workload(training::PowerSgd)
        .workload(training::Gpt2Training)
        .workload(training::LlamaTraining)
        .workload(training::VariableBatches)
        .workload(training::AllocationTrace)
        .workload(training::LoraStep)
        .workload(RandomisedSvd);
}
