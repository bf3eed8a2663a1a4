//! The one place that lists the engines and their implementations.

use std::path::{Path, PathBuf};

use benchbook_core::{Problem, Registry, Row};

#[cfg(feature = "candle")]
use crate::candle;
use crate::flex::{
    self, attention, blocks, convolution, decoding, decomposed, dynamic, encoders, experts, forced_image, images,
    low_rank, matmul, mixers, models, multimodal, multimodal_image, packed, patterns, pruned, quality, roofs,
    self_speculative, singular, sparse, tables, techniques, training, transformer,
};
#[cfg(feature = "libtorch")]
use crate::libtorch;
#[cfg(feature = "onnxruntime")]
use crate::onnxruntime;
use crate::ring;

/// Registers every engine's implementations, and the problems that read real weights or text; all other workloads must be registered too,
/// and may have real weights from then on.
pub fn register(registry: &mut Registry) {
    benchbook_workloads::real::read_by(benchbook_models::brought);
    registry.workload(quality::TextQuality).workload(quality::embedding::EmbeddingQuality);
    registry.workload(quality::speech::SpeechQuality);
    registry.workload(training::text::TextTraining);
    add(registry, attention::ROWS);
    add(registry, attention::coded::ROWS);
    add(registry, attention::eight::ROWS);
    add(registry, attention::gradients::ROWS);
    add(registry, attention::paged::ROWS);
    add(registry, attention::program::ROWS);
    add(registry, attention::window::ROWS);
    add(registry, attention::contextual::ROWS);
    add(registry, attention::projected::ROWS);
    add(registry, attention::heads::ROWS);
    registry.implementation(attention::WHOLE);
    add(registry, ring::ROWS);
    add(registry, attention::sparse::ROWS);
    add(registry, matmul::ROWS);
    add(registry, tables::ROWS);
    add(registry, packed::ROWS);
    add(registry, dynamic::ROWS);
    add(registry, pruned::ROWS);
    registry.implementation(low_rank::LOW_RANK);
    add(registry, sparse::ROWS);
    registry.implementation(singular::RANDOMISED);
    add(registry, decoding::GREEDY);
    add(registry, mixers::SCAN);
    add(registry, mixers::CONV);
    add(registry, mixers::SSD);
    add(registry, mixers::RETENTION);
    add(registry, mixers::RWKV4);
    add(registry, mixers::RWKV6);
    add(registry, mixers::RWKV7);
    add(registry, experts::routing::ROWS);
    add(registry, experts::layer::DROPLESS);
    add(registry, experts::layer::CAPACITY);
    add(registry, mixers::HYBRID);
    add(registry, mixers::SCAN_GRADIENTS);
    add(registry, experts::gradients::ROWS);
    registry
        .implementation(roofs::MEMCPY)
        .implementation(roofs::SUMS)
        .implementation(patterns::LINES)
        .implementation(roofs::FMA_CHAINS)
        .implementation(roofs::FMA_AVX2)
        .implementation(roofs::FMA_AVX512)
        .implementation(roofs::POWERS_OF_TWO)
        .implementation(roofs::EIGHTS)
        .implementation(roofs::FOURS)
        .implementation(roofs::TILES)
        .implementation(roofs::TILES_AVX512)
        .implementation(roofs::TILES_PLAIN)
        .implementation(roofs::STREAMED);
    registry.implementation(blocks::LINEAR).implementation(blocks::MLP).implementation(blocks::LAYER_NORM);
    registry.implementation(blocks::RMS_NORM).implementation(blocks::SOFTMAX);
    registry.implementation(blocks::EMBEDDING).implementation(blocks::ROTARY);
    add(registry, convolution::CONV1D);
    add(registry, convolution::CONV2D);
    add(registry, decomposed::ROWS);
    add(registry, convolution::PATCHES);
    add(registry, attention::latent::ROWS);
    add(registry, transformer::ROWS);
    registry
        .implementation(blocks::fused::LINEAR)
        .implementation(blocks::fused::MLP)
        .implementation(blocks::fused::LAYER_NORM)
        .implementation(blocks::fused::RMS_NORM)
        .implementation(blocks::fused::SOFTMAX)
        .implementation(blocks::fused::EMBEDDING)
        .implementation(blocks::fused::ROTARY);
    add(registry, blocks::pruned::ROWS);
    add(registry, models::PREFILL);
    add(registry, models::GENERATE);
    registry.implementation(self_speculative::SELF_SPECULATIVE);
    add(registry, decoding::LOSSY);
    add(registry, decoding::PREFIX);
    add(registry, decoding::SPECULATIVE);
    add(registry, decoding::SAMPLING);
    add(registry, decoding::BATCHED);
    registry.implementation(techniques::PLAIN);
    for technique in techniques::all() {
        registry.implementation(technique);
    }
    registry.implementation(encoders::TEXT).implementation(encoders::AUDIO).implementation(multimodal::HEARING);
    registry.implementation(images::IMAGE);
    add(registry, multimodal_image::ROWS);
    registry.implementation(forced_image::PLAIN);
    for technique in forced_image::all() {
        registry.implementation(technique);
    }
    add(registry, quality::ROWS);
    add(registry, quality::embedding::ROWS);
    for technique in quality::of_text() {
        registry.implementation(technique);
    }
    for technique in quality::of_embeddings() {
        registry.implementation(technique);
    }
    registry.implementation(quality::speech::ENCODER);
    for technique in quality::of_sounds() {
        registry.implementation(technique);
    }
    add(registry, training::adamw::ROWS);
    add(registry, training::chain::ROWS);
    add(registry, training::chain_back::ROWS);
    add(registry, training::compression::TOP_K);
    add(registry, training::compression::INT8);
    add(registry, training::compression::POWER_SGD);
    add(registry, training::gpt2::ROWS);
    add(registry, training::llama::ROWS);
    add(registry, training::text::ROWS);
    add(registry, training::together::ROWS);
    add(registry, training::pool::ROWS);
    add(registry, training::replayed::ROWS);
    add(registry, training::lora::ROWS);
    #[cfg(feature = "candle")]
    registry
        .implementation(candle::MATMUL)
        .implementation(candle::ATTENTION)
        .implementation(candle::FLASH)
        .implementation(candle::LINEAR)
        .implementation(candle::MLP)
        .implementation(candle::LAYER_NORM)
        .implementation(candle::RMS_NORM)
        .implementation(candle::SOFTMAX)
        .implementation(candle::EMBEDDING);
    #[cfg(feature = "onnxruntime")]
    registry
        .implementation(onnxruntime::MATMUL)
        .implementation(onnxruntime::ATTENTION)
        .implementation(onnxruntime::LINEAR)
        .implementation(onnxruntime::MLP)
        .implementation(onnxruntime::LAYER_NORM)
        .implementation(onnxruntime::RMS_NORM)
        .implementation(onnxruntime::SOFTMAX)
        .implementation(onnxruntime::EMBEDDING);
    #[cfg(feature = "libtorch")]
    registry
        .implementation(libtorch::SDPA)
        .implementation(libtorch::SDPA_GRADIENTS)
        .implementation(libtorch::SDPA_PAGED)
        .implementation(libtorch::SDPA_PROGRAM)
        .implementation(libtorch::SDPA_PROJECTED)
        .implementation(libtorch::SDPA_WINDOW)
        .implementation(libtorch::MM)
        .implementation(libtorch::SDPA_BLOCK)
        .implementation(libtorch::blocks::ADDMM)
        .implementation(libtorch::blocks::LINEAR)
        .implementation(libtorch::blocks::MLP)
        .implementation(libtorch::blocks::LAYER_NORM)
        .implementation(libtorch::blocks::RMS_NORM)
        .implementation(libtorch::blocks::SOFTMAX)
        .implementation(libtorch::blocks::EMBEDDING)
        .implementation(libtorch::blocks::ROTARY);
}

/// Adds the rows of a table.
fn add<P: Problem, const N: usize>(registry: &mut Registry, rows: [Row<P>; N]) {
    for row in rows {
        registry.implementation(row);
    }
}

/// Gives every engine's thread pool this many threads.
///
/// # Errors
/// A pool has already been started with another number.
pub fn set_threads(threads: usize) -> Result<(), String> {
    #[cfg(feature = "libtorch")]
    libtorch::set_threads(threads);
    flex::set_threads(threads)
}

/// Says that this process serves one variant alone, as a worker does.
pub fn own_process() {
    #[cfg(feature = "libtorch")]
    libtorch::own_process();
}

/// Why no engine can serve `device` in this process; nothing where one can.
pub fn probe(device: &str) -> Option<String> {
    #[cfg(feature = "onnxruntime")]
    if device == onnxruntime::DEVICE {
        return onnxruntime::probe();
    }
    let why = flex::probe(device);
    #[cfg(feature = "libtorch")]
    let why = why.or_else(|| libtorch::probe(device));
    why
}

/// Makes this process one of `device` before any kernel runs on it, and names the instructions that the engine behind it
/// takes.
///
/// # Errors
/// The device cannot be used here, or the process is another's already.
pub fn settle(device: &str) -> Result<Option<String>, String> {
    #[cfg(feature = "libtorch")]
    return libtorch::settle(device);
    #[cfg(not(feature = "libtorch"))]
    {
        let _ = device;
        Ok(None)
    }
}

/// The folder of shared libraries that a process of `device` is to find before all others, so that it loads no engine of
/// other devices: made below another where it is not there yet.
pub fn libraries(device: &str, below: &Path) -> Option<PathBuf> {
    #[cfg(feature = "libtorch")]
    return libtorch::libraries(device, below);
    #[cfg(not(feature = "libtorch"))]
    {
        let _ = (device, below);
        None
    }
}

/// The thread pools of the engines and their sizes now.
pub fn thread_pools() -> Vec<(String, usize)> {
    #[cfg(feature = "libtorch")]
    return libtorch::thread_pools();
    #[cfg(not(feature = "libtorch"))]
    Vec::new()
}

/// Compile-time facts of the engines that change their speed.
pub fn build_facts() -> Vec<(String, String)> {
    #[cfg(feature = "libtorch")]
    let libtorch: Option<(String, String)> = Some(("libtorch".into(), libtorch::VERSION.into()));
    #[cfg(not(feature = "libtorch"))]
    let libtorch = None;
    flex::build_facts().into_iter().chain(libtorch).collect()
}
