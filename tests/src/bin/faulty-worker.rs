//! A worker whose kernels go wrong, for the end-to-end tests; it goes wrong itself where `BENCHBOOK_TEST_WORKER` says how.

use std::process::ExitCode;

use benchbook_core::Registry;
use benchbook_measure::{Host, worker_main};
use benchbook_tests::{HOSTILE, SPEAKS, STOPS_READING, misbehave, speak, stop_reading};

fn main() -> ExitCode {
    if let [_, word, way, ..] = std::env::args().collect::<Vec<_>>().as_slice()
        && word == SPEAKS
    {
        // As below.
        let _ = speak(way);
        return ExitCode::FAILURE;
    }
    let way = std::env::var(HOSTILE).ok();
    let reads = way.as_deref() != Some(STOPS_READING);
    if let Some(way) = way.filter(|_| reads) {
        // Nobody listens any more where it fails.
        let _ = misbehave(&way);
        return ExitCode::FAILURE;
    }
    worker_main(
        |_| Ok(()),
        move || {
            let mut registry = Registry::default();
            benchbook_tests::register_faulty(&mut registry);
            let probe = |device: &str| (device == "moon").then(|| "no rocket".to_owned());
            let pools: fn() -> Vec<(String, usize)> = if reads { Vec::new } else { stop_reading };
            Host::new(registry, probe, Vec::new(), pools)
        },
    )
}
