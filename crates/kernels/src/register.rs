//! The one place that lists what there is.

use benchbook_core::Registry;

use crate::attention::ring::{Layout, RingSplit, Workers};
use crate::{arithmetic, attention, matmul, memory};

/// Registers every workload and every implementation on burn.
pub fn register(registry: &mut Registry) {
    registry
        .workload(attention::Attention)
        .implementation(attention::Naive)
        .implementation(attention::BurnAttention)
        .implementation(attention::Fused)
        .workload(attention::gradients::AttentionGradients)
        .implementation(attention::gradients::Autodiff)
        .implementation(attention::gradients::FusedGradients)
        .workload(attention::paged::PagedAttention)
        .implementation(attention::paged::Gathered)
        .implementation(attention::paged::Paged)
        .workload(attention::program::ProgrammableAttention)
        .implementation(attention::program::Composed)
        .implementation(attention::program::Closures)
        .workload(attention::window::WindowAttention)
        .implementation(attention::window::ComposedWindow)
        .implementation(attention::window::FusedWindow)
        .workload(attention::contextual::ContextualAttention)
        .implementation(attention::contextual::ComposedContextual)
        .implementation(attention::contextual::FusedContextual)
        .workload(attention::projected::ProjectedAttention)
        .implementation(attention::projected::Chain)
        .implementation(attention::projected::FusedProjected)
        .workload(attention::ring::RingAttention)
        .implementation(attention::ring::Whole)
        .implementation(RingSplit { by: Workers::Threads, layout: Layout::Contiguous })
        .implementation(RingSplit { by: Workers::Threads, layout: Layout::Zigzag })
        .implementation(RingSplit { by: Workers::Processes, layout: Layout::Contiguous })
        .implementation(RingSplit { by: Workers::Processes, layout: Layout::Zigzag })
        .workload(attention::sparse::SparseAttention)
        .implementation(attention::sparse::Method::Dense)
        .implementation(attention::sparse::Method::Threshold)
        .implementation(attention::sparse::Method::BlockSparse)
        .implementation(attention::sparse::Method::Learned)
        .implementation(attention::sparse::Method::Adaptive)
        .workload(matmul::Matmul)
        .implementation(matmul::Burn)
        .implementation(matmul::Tiled)
        .workload(memory::Copy)
        .implementation(memory::Chunks)
        .workload(memory::Read)
        .implementation(memory::Sums)
        .workload(arithmetic::Fma)
        .implementation(arithmetic::Chains);
}

/// Gives rayon's global pool, on which flex computes, this many threads.
///
/// # Errors
/// The pool has already been started with another number.
pub fn set_threads(threads: usize) -> Result<(), String> {
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        Ok(()) => Ok(()),
        Err(_) if rayon::current_num_threads() == threads => Ok(()),
        Err(_) => Err(format!(
            "rayon's pool already runs {} threads, not {threads}: use a fresh process",
            rayon::current_num_threads()
        )),
    }
}

/// Compile-time facts of these kernels that change their speed.
pub fn build_facts() -> Vec<(String, String)> {
    vec![("burn".into(), "0.22.1".into()), ("gemm".into(), "0.19, x86-v4".into())]
}
