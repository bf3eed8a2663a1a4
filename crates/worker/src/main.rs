//! `benchbook-worker`: kernels and engines behind the worker protocol.
//!
//! It is started by `benchbook`, speaks Arrow IPC on stdin and stdout, and writes to no store.

use std::process::ExitCode;

use benchbook_measure::core::Registry;
use benchbook_measure::{CountingAllocator, Host, worker_main};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    if let Some(code) = benchbook_kernels::attention::ring::member_main() {
        return code;
    }
    benchbook_engines::own_process();
    worker_main(set_threads, host)
}

fn set_threads(threads: usize) -> Result<(), String> {
    benchbook_engines::set_threads(threads);
    benchbook_kernels::set_threads(threads)
}

fn host() -> Host {
    let mut registry = Registry::default();
    benchbook_workloads::register(&mut registry);
    benchbook_kernels::register(&mut registry);
    benchbook_engines::register(&mut registry);
    let facts = [benchbook_kernels::build_facts(), benchbook_engines::build_facts()].concat();
    Host::new(registry, probe, facts, benchbook_engines::thread_pools).with_settle(benchbook_engines::settle)
}

/// Why a device cannot be used here.
fn probe(device: &str) -> Option<String> {
    benchbook_kernels::probe(device).or_else(|| benchbook_engines::probe(device))
}
