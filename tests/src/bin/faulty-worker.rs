//! A worker whose kernels go wrong, for the end-to-end tests; it goes wrong itself where `BENCHBOOK_TEST_WORKER` says how.

use std::process::ExitCode;

use benchbook_core::Registry;
use benchbook_measure::{Host, worker_main};
use benchbook_tests::{HOSTILE, misbehave};

fn main() -> ExitCode {
    if let Ok(way) = std::env::var(HOSTILE) {
        // Nobody listens any more where it fails.
        let _ = misbehave(&way);
        return ExitCode::FAILURE;
    }
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
