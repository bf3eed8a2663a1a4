//! burn's devices by name, and what runs behind them: engines, versions, threads.

use benchbook_core::{Result, unknown};
use benchbook_simd::{ByteDot, Isa};
use burn::tensor::Device;

/// Names of the devices that kernels here can be asked for, present on this machine or not.
///
/// The last two are one to burn: the process decides which of its paths MKL takes.
pub const CPU_DEVICES: [&str; 3] = ["flex", "libtorch", "libtorch-mkl"];

/// The device called `name`.
///
/// # Errors
/// An unknown name, or a device that this build or this machine does not have.
pub fn open(name: &str) -> Result<Device> {
    match name {
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "libtorch")]
        "libtorch" | "libtorch-mkl" =>
        {
            #[expect(deprecated, reason = "burn-tch 0.22.1 is its last release and is pinned")]
            Ok(Device::libtorch())
        }
        #[cfg(not(feature = "libtorch"))]
        "libtorch" | "libtorch-mkl" => Err(benchbook_core::Error::Implementation {
            implementation: "burn".into(),
            device: name.into(),
            reason: "this build has no libtorch, run `cargo xtask setup` without --minimal".into(),
        }),
        other => Err(unknown("device", other, CPU_DEVICES)),
    }
}

/// Why the device cannot be used here, or nothing when it can.
pub fn probe(name: &str) -> Option<String> {
    open(name).err().map(|error| error.to_string())
}

/// The engine behind one of burn's devices and its version; behind it the instructions of its products, where it chooses
/// them as our own kernels do (gemm-common 0.19, `init_gemm_fn`).
pub fn burn_engine(device: &str) -> (String, String) {
    match device {
        "flex" if cfg!(target_arch = "x86_64") => {
            ("burn-flex".to_owned(), format!("{} gemm {}", env!("BURN_FLEX_VERSION"), Isa::detect().name()))
        }
        "flex" => ("burn-flex".to_owned(), env!("BURN_FLEX_VERSION").to_owned()),
        _ => ("burn-tch".to_owned(), env!("BURN_TCH_VERSION").to_owned()),
    }
}

/// Engine and version of the hand-written kernels: the instruction set is what makes them fast.
pub(crate) fn fused_engine() -> (String, String) {
    engine_on(Isa::detect().name())
}

/// The same of products in whole numbers.
pub(crate) fn integer_engine() -> (String, String) {
    engine_on(ByteDot::detect().name())
}

/// The same of a plain loop, which the compiler makes of what every processor has.
pub(crate) fn plain_engine() -> (String, String) {
    engine_on(Isa::Portable.name())
}

/// The same of a kernel for certain instructions, which this processor may lack.
pub(crate) fn engine_by(instructions: &str, present: bool) -> (String, String) {
    if present { engine_on(instructions) } else { engine_on(&format!("{instructions} absent")) }
}

fn engine_on(instructions: &str) -> (String, String) {
    ("benchbook-simd".to_owned(), format!("{} {instructions}", env!("CARGO_PKG_VERSION")))
}

/// Gives rayon's global pool, on which flex computes, this many threads.
///
/// # Errors
/// The pool has already been started with another number.
pub fn set_threads(threads: usize) -> Result<(), String> {
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        Ok(()) => Ok(()),
        Err(_) if rayon::current_num_threads() == threads => Ok(()),
        Err(_) => Err(format!(
            "rayon's pool already runs {} threads, not {threads}: use a fresh process",
            rayon::current_num_threads()
        )),
    }
}

/// Compile-time facts of these kernels that change their speed.
pub fn build_facts() -> Vec<(String, String)> {
    vec![
        ("burn".into(), env!("BURN_VERSION").into()),
        ("gemm".into(), concat!(env!("GEMM_VERSION"), ", x86-v4").into()),
    ]
}
