//! Matrix multiplication, attention, mixers in linear time, mixtures of experts, convolutions and the blocks around them on CPUs,
//! written for their registers and caches.
//!
//! Plain slices in, plain slices out: nothing here knows burn, a clock, or a file. One source serves AVX-512, AVX2 and
//! any other CPU; which one runs is found out at run time ([`Isa::detect`]).

mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bits;
mod blocks;
mod cache;
mod convolution;
mod error;
mod experts;
mod isa;
mod math;
mod matmul;
mod memory;
mod mixers;
mod portable;
mod roofs;
mod sparse;
mod team;
mod tools;
mod training;
mod vector;

pub use attention::{
    Attend, Cache, CodedCache, CodedKeys, Contextual, Forward, Gradients, Heads, LatentAttention, LatentMatrices,
    LatentSizes, LatentWeights, Paged, Place, Projected, Projections, ScoreMod, Weights, WithBlockMask, attention,
    attention_backward, attention_with_score_mod, attention_with_sums, contextual_attention, decode, decode_coded,
    hadamard, latent_attention, projected_attention,
};
pub use blocks::{
    Activation, Affine, Between, Elementwise, Embedding, Fusion, Gate, LinearWeights, MlpWeights, Norm, NormChain,
    NormWeights, PatchEmbedding, PatchWeights, Rotary, Softmax, TransformerBlock, TransformerWeights, activate, copy,
    elementwise, embedding, gated_rms_norm, layer_norm, linear, mlp, norm_chain, patch_embedding, rms_norm,
    rotary_attention, softmax, swiglu, transformer_block,
};
pub use convolution::{Convolution, ConvolutionWeights, convolution};
pub use error::{Error, Result};
pub use experts::{
    Capacity, Dispatch, ExpertWeights, Experts, MixtureBackward, MixtureGradients, Priority, Routed, Router, Scoring,
    auxiliary_loss, mixture, mixture_backward, route, route_backward,
};
pub use isa::Isa;
pub use matmul::{
    ByteDot, Code, CodedWeights, Int4Weights, IntegerWeights, PackedWeights, Product, Scales, TableWeights, Tiles,
    decode_table, matmul, matmul_dynamic, matmul_int4, matmul_int4_loop, matmul_kept, matmul_low_rank, matmul_packed,
    matmul_table, matmul_table_loop, matmul_with,
};
pub use memory::Element;
pub use mixers::{
    CHUNK, CausalConv, ConvSize, Retention, RetentionSize, Rwkv4, Rwkv6, Rwkv7, RwkvSize, ScanGradients, ScanSize,
    SelectiveScan, Ssd, SsdSize, Turns, causal_conv, normalised_retention, retention, rwkv4, rwkv6, rwkv7,
    selective_scan, selective_scan_backward, ssd,
};
pub use roofs::{
    BYTE_PRODUCTS, BYTE_SUMS, CHAINS, SUMMED, TILE_PRODUCTS, TILE_SUMS, TileDot, TileFormat, byte_dots, multiply_add,
    powers, sums, tile_dots,
};
pub use sparse::{
    BitmapWeights, BlockWeights, CsrWeights, Pruned, TwoFourWeights, matmul_bitmap, matmul_blocks, matmul_csr,
    matmul_two_four,
};
pub use training::{
    AdamWStep, ChainBackward, CodedMoments, Feedback, Float8, NormBackward, PowerSgd, TopKRoom, adamw, adamw_coded,
    chain_backward, chain_backward_in_passes, column_sums, compress_int8, cross_entropy, gelu, gelu_backward, largest,
    layer_norm_backward, power_sgd, rms_norm_backward, round_float8, swiglu_backward, top_k, transpose,
};

// These tests name the crate as its users do, and are compiled into it, where there is one form more: `Isa::Wide`.
#[cfg(test)]
extern crate self as benchbook_simd;
#[cfg(test)]
#[path = "../tests/kernels/common.rs"]
mod common;
#[cfg(test)]
#[path = "../tests/kernels/mod.rs"]
mod kernels;
