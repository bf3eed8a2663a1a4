//! A worker whose kernels go wrong, for the end-to-end tests.

use std::process::ExitCode;

use benchbook_core::Registry;
use benchbook_measure::{Host, worker_main};

fn main() -> ExitCode {
    worker_main(
        |_| Ok(()),
        || {
            let mut registry = Registry::default();
            benchbook_tests::register_faulty(&mut registry);
            let probe = |device: &str| (device == "moon").then(|| "no rocket".to_owned());
            Host::new(registry, probe, Vec::new(), Vec::new)
        },
    )
}
