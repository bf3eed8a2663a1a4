//! The one place that lists the engines.

use benchbook_core::Registry;

/// Registers every engine's implementations; their workloads must be registered too.
pub fn register(registry: &mut Registry) {
    #[cfg(feature = "libtorch")]
    registry
        .implementation(crate::libtorch::SDPA)
        .implementation(crate::libtorch::SDPA_GRADIENTS)
        .implementation(crate::libtorch::SDPA_PAGED)
        .implementation(crate::libtorch::SDPA_PROGRAM)
        .implementation(crate::libtorch::SDPA_PROJECTED)
        .implementation(crate::libtorch::SDPA_WINDOW)
        .implementation(crate::libtorch::MM);
    #[cfg(not(feature = "libtorch"))]
    let _ = registry;
}

/// Gives every engine's thread pool this many threads.
pub fn set_threads(threads: usize) {
    #[cfg(feature = "libtorch")]
    crate::libtorch::set_threads(threads);
    #[cfg(not(feature = "libtorch"))]
    let _ = threads;
}

/// The thread pools of the engines and their sizes now.
pub fn thread_pools() -> Vec<(String, usize)> {
    #[cfg(feature = "libtorch")]
    return crate::libtorch::thread_pools();
    #[cfg(not(feature = "libtorch"))]
    Vec::new()
}

/// Versions of the engines in this build.
pub fn build_facts() -> Vec<(String, String)> {
    #[cfg(feature = "libtorch")]
    return vec![("libtorch".into(), crate::libtorch::VERSION.into())];
    #[cfg(not(feature = "libtorch"))]
    Vec::new()
}
