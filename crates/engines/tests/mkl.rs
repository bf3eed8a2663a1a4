//! The paths of MKL, each in a process of its own, since it chooses once.
#![cfg(feature = "libtorch")]

use std::process::Command;

use benchbook_core::message::SAME_PATH;
use benchbook_core::{Array, DType, Inputs, Params, Registry, Setting};
use benchbook_engines::{own_process, probe, register, settle};

/// Set in the process that is one test's alone.
const INSIDE: &str = "BENCHBOOK_TEST_MKL";

/// Runs the body of the test called `name` in a fresh process.
fn alone(name: &str, body: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args([name, "--exact", "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Largest error of `torch.mm` on a device, as a share of the largest right answer.
fn error(device: &str) -> f64 {
    let mut registry = Registry::default();
    register(&mut registry);
    let mm = registry.find_implementation("matmul", "torch-mm").unwrap();
    let [m, n, k] = [70, 90, 110];
    let inputs = Inputs::from([("a", Array::normal(vec![m, k], 1, 0)), ("b", Array::normal(vec![k, n], 1, 1))]);
    let (a, b) = (inputs.get("a").to_f64(), inputs.get("b").to_f64());
    let right = |row: usize, column: usize| -> f64 { (0..k).map(|i| a[row * k + i] * b[i * n + column]).sum() };
    let right: Vec<f64> = (0..m * n).map(|place| right(place / n, place % n)).collect();
    let setting = Setting { device: device.into(), dtype: DType::F32, threads: 2, copies: 1 };
    let mut subject = mm.prepare(&setting, &Params::default(), &inputs).unwrap();
    subject.run(1);
    let found = subject.outputs().unwrap().remove(0).to_f64();
    let largest = right.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let off = right.iter().zip(&found).map(|(right, found)| (right - found).abs());
    off.fold(0.0, f64::max) / largest
}

#[test]
fn a_process_of_libtorch_mkl_takes_the_fast_path() {
    alone("a_process_of_libtorch_mkl_takes_the_fast_path", || {
        own_process();
        if let Some(reason) = probe("libtorch-mkl") {
            assert!(reason.starts_with(SAME_PATH) || cfg!(not(target_arch = "x86_64")), "{reason}");
            return;
        }
        let ran = settle("libtorch-mkl").unwrap().unwrap();
        assert!(ran.starts_with("MKL AVX"), "{ran}");
        assert!(error("libtorch-mkl") <= 1e-5);
        assert_eq!(settle("libtorch-mkl").unwrap().unwrap(), ran, "it stays so");
        let refused = settle("libtorch").unwrap_err();
        assert!(refused.contains("a fresh one"), "{refused}");
    });
}

#[test]
fn a_process_of_libtorch_is_as_installed_and_stays_so() {
    alone("a_process_of_libtorch_is_as_installed_and_stays_so", || {
        let shared = probe("libtorch-mkl").expect("a process of several variants is not this one's");
        own_process();
        let same_path = probe("libtorch-mkl").is_some();
        assert_eq!(same_path, shared.starts_with(SAME_PATH) || cfg!(not(target_arch = "x86_64")), "{shared}");
        let ran = settle("libtorch").unwrap().unwrap();
        assert_eq!(ran.contains("MKL generic"), !same_path, "{ran}");
        assert!(error("libtorch") <= 1e-5);
        if !same_path {
            let refused = settle("libtorch-mkl").unwrap_err();
            assert!(refused.contains("a fresh one"), "{refused}");
        }
    });
}

#[test]
fn other_devices_are_no_matter_of_an_engine() {
    assert_eq!((probe("flex"), settle("flex")), (None, Ok(None)));
}
