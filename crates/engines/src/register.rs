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

/// Says that this process serves one variant alone, as a worker does.
pub fn own_process() {
    #[cfg(feature = "libtorch")]
    crate::libtorch::own_process();
}

/// Why an engine cannot serve `device` in this process; nothing where it can, or where the device is no engine's.
pub fn probe(device: &str) -> Option<String> {
    #[cfg(feature = "libtorch")]
    return crate::libtorch::probe(device);
    #[cfg(not(feature = "libtorch"))]
    {
        let _ = device;
        None
    }
}

/// Makes this process one of `device` before any kernel runs on it, and names the instructions that the engine behind it
/// takes.
///
/// # Errors
/// The device cannot be used here, or the process is another's already.
pub fn settle(device: &str) -> Result<Option<String>, String> {
    #[cfg(feature = "libtorch")]
    return crate::libtorch::settle(device);
    #[cfg(not(feature = "libtorch"))]
    {
        let _ = device;
        Ok(None)
    }
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
