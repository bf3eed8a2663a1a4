//! The one place that lists the implementations.

use benchbook_core::Registry;
use benchbook_workloads::attention::ring::Layout;

use crate::attention::ring::{RingSplit, Workers};
use crate::{arithmetic, attention, matmul, memory};

/// Registers every implementation on burn; their workloads must be registered too.
pub fn register(registry: &mut Registry) {
    registry
        .implementation(attention::Naive)
        .implementation(attention::BurnAttention)
        .implementation(attention::Fused)
        .implementation(attention::gradients::Autodiff)
        .implementation(attention::gradients::FusedGradients)
        .implementation(attention::paged::Gathered)
        .implementation(attention::paged::Paged)
        .implementation(attention::program::Composed)
        .implementation(attention::program::Closures)
        .implementation(attention::window::ComposedWindow)
        .implementation(attention::window::FusedWindow)
        .implementation(attention::contextual::ComposedContextual)
        .implementation(attention::contextual::FusedContextual)
        .implementation(attention::projected::Chain)
        .implementation(attention::projected::FusedProjected)
        .implementation(attention::ring::Whole)
        .implementation(RingSplit { by: Workers::Threads, layout: Layout::Contiguous })
        .implementation(RingSplit { by: Workers::Threads, layout: Layout::Zigzag })
        .implementation(RingSplit { by: Workers::Processes, layout: Layout::Contiguous })
        .implementation(RingSplit { by: Workers::Processes, layout: Layout::Zigzag })
        .implementation(attention::sparse::Method::Dense)
        .implementation(attention::sparse::Method::Threshold)
        .implementation(attention::sparse::Method::BlockSparse)
        .implementation(attention::sparse::Method::Learned)
        .implementation(attention::sparse::Method::Adaptive)
        .implementation(matmul::Burn)
        .implementation(matmul::Tiled)
        .implementation(memory::Chunks)
        .implementation(memory::Sums)
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
