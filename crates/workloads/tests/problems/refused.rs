//! What no workload takes, with the reason.

use benchbook_core::{Params, Value, Workload};
use benchbook_workloads::attention::{
    Attention, ContextualAttention, LatentAttention, PagedAttention, ProgrammableAttention, ProjectedAttention,
    RingAttention, SparseAttention, WindowAttention,
};
use benchbook_workloads::blocks::{Conv1d, Conv2d, PatchEmbedding, TransformerBlock};
use benchbook_workloads::decoding::{ForcedImage, Generate, MultimodalImage};
use benchbook_workloads::encoding::{AudioEncoder, TextEncoder};
use benchbook_workloads::experts::{CapacityExperts, ExpertRouting, MixtureOfExperts};
use benchbook_workloads::matmul::Matmul;
use benchbook_workloads::mixers::{CausalConv, HybridStack, Retention, SelectiveScan, Ssd};
use benchbook_workloads::roofs;
use benchbook_workloads::singular::RandomisedSvd;
use benchbook_workloads::sparse_matmul::SparseMatmul;
use benchbook_workloads::training::{AdamW, AllocationTrace, Gpt2Training, LlamaTraining, PowerSgd, TopKCompression};

fn int(name: &str, value: i64) -> Params {
    Params::default().with(name, Value::Int(value))
}

fn text(name: &str, value: &str) -> Params {
    Params::default().with(name, Value::Text(value.into()))
}

/// Asks for a case that is impossible; every one of `parts` must stand in the reason.
#[track_caller]
fn refused(workload: &dyn Workload, given: Params, parts: &[&str]) {
    let message = workload.case(given.clone()).unwrap_err().to_string();
    assert!(parts.iter().all(|part| message.contains(part)), "{} {given}: {message}", workload.name());
}

#[test]
fn attention() {
    refused(&Attention, int("heads", 0), &["heads"]);
    refused(&Attention, int("heads", -8), &["-8"]);
    refused(&Attention, int("kv_heads", 3), &["3 does not divide heads 8"]);
    let fewer_keys = int("seq_q", 64).with("seq_kv", Value::Int(32)).with("causal", Value::Bool(true));
    refused(&Attention, fewer_keys, &["64 queries"]);
    refused(&Attention, int("head_dimm", 64), &["did you mean `head_dim`?"]);
    refused(&Attention, Params::default().with("seq_q", Value::Float(1.5)), &["`1.5` is not a whole number"]);
    refused(&Attention, int("seq_q", 1 << 24).with("seq_kv", Value::Int(1 << 24)), &["10^13"]);
    refused(&Attention, int("seq_q", i64::MAX), &["out of range, give 1 to 16777216"]);
}

#[test]
fn real_weights() {
    refused(&Generate, text("weights", "gpt-5"), &["there is no `gpt-5`"]);
    let other = ["smollm2-135m has other sizes", "datasets/models/smollm2-135m.toml"];
    refused(&Generate, text("weights", "smollm2-135m"), &other);
    refused(&TextEncoder, text("weights", "minilm-l6"), &["minilm-l6 has other sizes"]);
    refused(&AudioEncoder, text("weights", "whisper-base"), &["whisper-base has other sizes"]);
    let whisper = [("layers", 6), ("heads", 8), ("width", 512), ("hidden", 2048), ("bins", 80), ("frames", 3000)];
    let of = |frames: i64| {
        let named = whisper
            .into_iter()
            .fold(text("weights", "whisper-base"), |all, (name, size)| all.with(name, Value::Int(size)));
        named.with("frames", Value::Int(frames))
    };
    refused(&AudioEncoder, of(3002), &["other sizes"]);
    // Nobody in this program reads files of models.
    refused(&AudioEncoder, of(3000), &["not here", "this program reads no real weights"]);
}

#[test]
fn relatives_of_attention() {
    refused(&ContextualAttention, int("positions", 0), &["0 is out of range, give 1 to 1048576"]);
    refused(&ContextualAttention, int("kv_heads", 3), &["does not divide"]);
    refused(&LatentAttention, int("seq_q", 600).with("seq_kv", Value::Int(512)), &["600 new positions", "512 in all"]);
    refused(&LatentAttention, int("rotary_dim", 63), &["rotary_dim", "odd"]);
    let wide = int("heads", 4096).with("head_dim", Value::Int(4096)).with("kv_rank", Value::Int(8192));
    refused(&LatentAttention, wide, &["heads", "[8192, 16777216]", "over 10^11 numbers"]);
    refused(&PagedAttention, int("block_size", 5000), &["more than context"]);
    let many = int("batch", 1 << 16).with("context", Value::Int(1 << 16)).with("head_dim", Value::Int(1));
    refused(&PagedAttention, many.clone().with("heads", Value::Int(4)), &["10^10"]);
    let blocks = many.with("heads", Value::Int(1)).with("block_size", Value::Int(1));
    refused(&PagedAttention, blocks, &["block_size", "10^9 blocks"]);
    refused(&PagedAttention, int("kv_heads", 3), &["does not divide"]);
    refused(&PagedAttention, int("batch", 0), &["out of range"]);
    refused(&ProgrammableAttention, text("program", "alibbi"), &["alibbi", "did you mean `alibi`?"]);
    refused(&ProgrammableAttention, int("seq", 0), &["out of range"]);
    refused(&ProjectedAttention, int("seq", 0), &["out of range"]);
    refused(&ProjectedAttention, int("kv_heads", 3), &["does not divide"]);
    refused(&ProjectedAttention, int("head_dim", 5000), &["heads × head_dim is 40000"]);
    refused(&RingAttention, int("workers", 0), &["out of range"]);
    refused(&RingAttention, int("workers", 9).with("seq", Value::Int(8)), &["give 1 to 8"]);
    refused(&RingAttention, int("workers", 257), &["give 1 to 256"]);
    refused(&RingAttention, int("kv_heads", 3), &["does not divide"]);
    refused(&RingAttention, int("seq", 1 << 24), &["10^13"]);
    for (share, part) in [(1.0, "give 0 to below 1"), (f64::NAN, "NaN")] {
        refused(&SparseAttention, Params::default().with("sparsity", Value::Float(share)), &[part]);
    }
    refused(&SparseAttention, text("structure", "topic"), &["did you mean `topics`?"]);
    refused(&SparseAttention, text("structure", "x"), &["there is no `x`, give one of topics, random"]);
    refused(&SparseAttention, int("seq", 0), &["out of range"]);
    refused(&WindowAttention, int("head_dim", 7), &["odd"]);
}

#[test]
fn texts_about_images() {
    refused(&MultimodalImage, int("before", 16), &["16 tokens before the image leave none of 16"]);
    refused(&MultimodalImage, int("deep", 3), &["3 deep layers of the tower", "the text's 2"]);
    // The tower's parameters have names of their own here.
    refused(&MultimodalImage, int("image_heads", 3), &["image_heads", "3 heads of a multiple of four"]);
    refused(&MultimodalImage, int("columns", 7), &["columns", "7 is odd"]);
    refused(&MultimodalImage, int("head_dim", 7), &["7 is odd: numbers are rotated in pairs"]);
    refused(&MultimodalImage, int("kv_heads", 3), &["does not divide"]);
    refused(&ForcedImage, int("before", 16), &["16 tokens before the image leave none of 16"]);
    refused(&ForcedImage, int("image_layers", 3), &["image_layers", "3 layers are no part of 2"]);
    refused(&ForcedImage, int("columns", 7), &["columns", "7 is odd"]);
    refused(&ForcedImage, text("model", "a b"), &["letters, digits"]);
}

#[test]
fn mixtures_of_experts() {
    refused(&ExpertRouting, int("chosen", 65), &["65 of 64 experts cannot be chosen, give 64 at most"]);
    refused(&ExpertRouting, int("chosen", 0), &["0 is out of range, give 1 to 4096"]);
    let many = int("tokens", 1 << 20).with("experts", Value::Int(128));
    refused(&ExpertRouting, many, &["134217728", "give 67108864 at most"]);
    refused(&MixtureOfExperts, int("chosen", 17), &["17 of 16 experts"]);
    let wide = int("width", 1 << 16).with("hidden", Value::Int(1 << 16));
    refused(&MixtureOfExperts, wide, &["2.1e11 numbers", "10^10"]);
    refused(&MixtureOfExperts, text("scoring", "softmx"), &["did you mean `softmax`?"]);
    let twice = text("scoring", "topk-softmax").with("renormalised", Value::Bool(true));
    refused(&MixtureOfExperts, twice, &["add up to 1 already"]);
    refused(&CapacityExperts, Params::default().with("capacity", Value::Float(-1.0)), &["give 0 to below 1000000"]);
    refused(&CapacityExperts, text("priority", "score"), &["there is no `score`", "give one of position, logit"]);
}

#[test]
fn convolutions() {
    refused(&Conv1d, int("groups", 3), &["groups", "3 does not divide 80 and 384"]);
    refused(&Conv1d, int("length", 4).with("kernel_size", Value::Int(7)), &["window of 7", "into 6"]);
    let far = int("width", 8).with("dilation", Value::Int(5));
    refused(&Conv2d, far, &["kernel_size", "window of 11", "into 10"]);
    refused(&Conv2d, int("stride", 0), &["out of range"]);
    refused(&PatchEmbedding, int("width", 225), &["16 does not divide an image of 224 × 225"]);
    let many = int("batch", 1 << 20);
    refused(&Conv1d, many.clone().with("length", Value::Int(1 << 24)), &["batch", "over 10^11 numbers"]);
    let given = int("batch", 1 << 18).with("out_channels", Value::Int(1 << 16));
    refused(&Conv2d, given, &["batch", "65536", "over 10^11 numbers"]);
    let wide = int("in_channels", 1 << 16).with("out_channels", Value::Int(1 << 16));
    refused(&Conv1d, wide.with("kernel_size", Value::Int(64)), &["out_channels", "4194304", "over 10^11 numbers"]);
    refused(&PatchEmbedding, many, &["batch", "over 10^11 numbers"]);
    let long = int("embed_dim", 1 << 15).with("in_channels", Value::Int(1 << 12));
    let long = long.with("height", Value::Int(1024)).with("width", Value::Int(1024));
    refused(&PatchEmbedding, long.with("patch_size", Value::Int(1024)), &["embed_dim", "over 10^11 numbers"]);
}

#[test]
fn transformer_blocks() {
    refused(&TransformerBlock, text("architecture", "gpt2"), &["did you mean `gpt-2`?"]);
    refused(&TransformerBlock, int("kv_heads", 5), &["5 does not divide heads 12"]);
    refused(&TransformerBlock, int("kv_heads", 4), &["gpt-2 has as many key heads as query heads, 12, not 4"]);
    refused(&TransformerBlock, int("width", 700), &["parts of the width: 12 × 64, not 700"]);
    let odd = text("architecture", "qwen3").with("head_dim", Value::Int(33));
    refused(&TransformerBlock, odd, &["head_dim", "33 is odd"]);
    let wide = text("architecture", "llama").with("heads", Value::Int(1024)).with("width", Value::Int(64));
    refused(&TransformerBlock, wide, &["heads × head_dim is 65536, give 32768 at most"]);
}

#[test]
fn mixers_in_linear_time() {
    refused(&SelectiveScan, int("seq", 0), &["0 is out of range"]);
    refused(&SelectiveScan, int("state", 257), &["257 is out of range, give 1 to 256"]);
    refused(&SelectiveScan, int("seq", 1 << 24).with("channels", Value::Int(1 << 20)), &["over 10^11 numbers"]);
    refused(&CausalConv, int("width", 1), &["1 is out of range, give 2 to 256"]);
    refused(&Ssd, int("groups", 5), &["5 groups do not divide 24 heads"]);
    refused(&Ssd, int("state", 0), &["0 is out of range, give 1 to 256"]);
    refused(&Retention, int("key_dim", 7), &["7 is odd"]);
    refused(&Retention, text("form", "normal"), &["normalised"]);
    refused(&HybridStack, text("pattern", "MXA"), &["`X` is no layer, give letters of AEFMRSUVW"]);
    refused(&HybridStack, text("pattern", ""), &["0 layers are none or too many"]);
    refused(&HybridStack, text("pattern", &"M".repeat(65)), &["65 layers", "give 1 to 64"]);
    refused(&HybridStack, int("heads", 1024), &["heads × head_dim is 65536"]);
    refused(&HybridStack, int("experts", 0), &["experts", "0 is out of range, give 1 to 4096"]);
    refused(&HybridStack, int("chosen", 0), &["chosen", "0 is out of range, give 1 to 4096"]);
    refused(&HybridStack, int("chosen", 9), &["chosen", "9 of 8 experts cannot be chosen, give 8 at most"]);
    let wide = text("pattern", "ME").with("experts", Value::Int(4096)).with("head_dim", Value::Int(2048));
    refused(&HybridStack, wide, &["experts", "over 10^11 numbers"]);
}

#[test]
fn training() {
    refused(&AdamW, int("steps", 0), &["0 is out of range"]);
    refused(&AdamW, int("rows", 1 << 20).with("width", Value::Int(1 << 17)), &["rows", "over 10^11 numbers"]);
    refused(&TopKCompression, int("per_mille", 0), &["give 1 to 1000"]);
    refused(&TopKCompression, int("rows", 1 << 20).with("width", Value::Int(1 << 13)), &["places beyond 2³²"]);
    refused(&PowerSgd, int("rows", 3), &["3 × 1024 has no rank 4, give 3 at most"]);
    refused(&Gpt2Training, int("batch", 0), &["0 is out of range"]);
    refused(&Gpt2Training, int("seq", 0), &["0 is out of range"]);
    refused(&Gpt2Training, int("heads", 5), &["5 heads do not divide a width of 64"]);
    refused(&AllocationTrace, text("origin", "record"), &["did you mean `recorded`?"]);
    refused(&LlamaTraining, int("batch", 0), &["0 is out of range"]);
    refused(&LlamaTraining, int("kv_heads", 3), &["3 does not divide heads 4"]);
    refused(&LlamaTraining, int("head_dim", 3), &["3 is odd: numbers are rotated in pairs"]);
}

#[test]
fn products_and_roofs() {
    for value in [0, -1, i64::MAX] {
        refused(&Matmul, int("k", value), &["k", &value.to_string()]);
    }
    // Others follow it: the error names what was given.
    refused(&Matmul, text("m", "wide"), &["parameter `m`"]);
    refused(&Matmul, int("m", 0), &["parameter `m`"]);
    refused(&SparseMatmul, int("zero_percent", 101), &["101 is out of range, give 0 to 100"]);
    refused(&SparseMatmul, text("structure", "block"), &["did you mean `blocks`?"]);
    refused(&RandomisedSvd, int("rank", 0), &["0 is out of range, give 1 to 512"]);
    refused(&RandomisedSvd, int("width", 31), &["rank", "1024 × 31 has no rank 32, give 31 at most"]);
    refused(&roofs::Copy, int("mib", 0), &["out of range"]);
    refused(&roofs::Read, int("kib", 65), &["65 is no multiple of 64"]);
    refused(&roofs::ReadPattern, int("kib", 65), &["65 is no multiple of 64"]);
    refused(&roofs::ReadPattern, int("stride", 1 << 20), &["1048576 is not below the 1048576 lines"]);
    refused(&roofs::Fma, int("tasks", 0), &["out of range"]);
    refused(&roofs::Int8Dot, int("tasks", 0), &["0 is out of range, give 1 to 65536"]);
    refused(&roofs::TileDot, text("format", "f32"), &["there is no `f32`"]);
}
