//! `benchbook-worker`: kernels and engines behind the worker protocol.
//!
//! It is started by `benchbook`, speaks in frames on stdin and stdout, and writes to no store. `benchbook-worker record-allocations` tells
//! what our own training takes of memory and gives back, as `datasets/allocations.csv` has it.

mod recording;

use std::ffi::OsStr;
use std::process::ExitCode;

use benchbook_measure::core::Registry;
use benchbook_measure::{CountingAllocator, Host, worker_main};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    if let Some(code) = benchbook_engines::member_main() {
        return code;
    }
    if std::env::args_os().nth(1).as_deref() == Some(OsStr::new(recording::WORD)) {
        return recording::main();
    }
    benchbook_engines::own_process();
    worker_main(benchbook_engines::set_threads, host)
}

fn host() -> Host {
    let mut registry = Registry::default();
    benchbook_workloads::register(&mut registry);
    benchbook_engines::register(&mut registry);
    let facts = benchbook_engines::build_facts();
    Host::new(registry, benchbook_engines::probe, facts, benchbook_engines::thread_pools)
        .with_settle(benchbook_engines::settle)
        .with_libraries(benchbook_engines::libraries)
}
