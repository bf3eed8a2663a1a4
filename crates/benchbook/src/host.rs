//! The library's kernels and engines, and a worker of them.

use std::process::ExitCode;

use benchbook_core::Registry;
use benchbook_measure::Host;

/// The library's kernels and engines, with whatever `extend` adds.
pub fn host(extend: impl FnOnce(&mut Registry)) -> Host {
    let mut registry = Registry::default();
    benchbook_workloads::register(&mut registry);
    benchbook_engines::register(&mut registry);
    extend(&mut registry);
    let facts = benchbook_engines::build_facts();
    Host::new(registry, benchbook_engines::probe, facts, benchbook_engines::thread_pools)
        .with_settle(benchbook_engines::settle)
}

/// The `main` of a worker program with kernels of your own beside the library's.
///
/// Point `BENCHBOOK_WORKER` at the program, and `benchbook run` measures them in fresh processes.
pub fn worker_main(extend: impl FnOnce(&mut Registry)) -> ExitCode {
    if let Some(code) = benchbook_engines::ring::member_main() {
        return code;
    }
    benchbook_engines::own_process();
    let spared = || host(extend).with_libraries(benchbook_engines::libraries);
    benchbook_measure::worker_main(benchbook_engines::set_threads, spared)
}

#[cfg(test)]
mod tests {
    use benchbook_measure::{InProcess, Offers};

    use super::*;

    #[test]
    fn what_needs_a_process_of_its_own_is_not_here() {
        let known = InProcess::new(host(|_| ())).describe().expect("it answers");
        let why = |name: &str| known.devices.iter().find(|device| device.name == name).expect(name).unavailable.clone();
        assert_eq!(why("flex"), None);
        assert!(why("libtorch-mkl").is_some(), "its path is chosen once in a process");
    }
}
