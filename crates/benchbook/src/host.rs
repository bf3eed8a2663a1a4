//! The library's kernels and engines, and a worker of them.

use std::process::ExitCode;

use benchbook_core::Registry;
use benchbook_measure::Host;

/// The library's kernels and engines, with whatever `extend` adds.
pub fn host(extend: impl FnOnce(&mut Registry)) -> Host {
    let mut registry = Registry::default();
    benchbook_kernels::register(&mut registry);
    benchbook_engines::register(&mut registry);
    extend(&mut registry);
    let facts = [benchbook_kernels::build_facts(), benchbook_engines::build_facts()].concat();
    Host::new(registry, benchbook_kernels::probe, facts, benchbook_engines::thread_pools)
}

/// The `main` of a worker program with kernels of your own beside the library's.
///
/// Point `BENCHBOOK_WORKER` at the program, and `benchbook run` measures them in fresh processes.
pub fn worker_main(extend: impl FnOnce(&mut Registry)) -> ExitCode {
    if let Some(code) = benchbook_kernels::attention::ring::member_main() {
        return code;
    }
    let set_threads = |threads| {
        benchbook_engines::set_threads(threads);
        benchbook_kernels::set_threads(threads)
    };
    benchbook_measure::worker_main(set_threads, || host(extend))
}
