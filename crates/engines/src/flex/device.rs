//! burn's devices by name.

use benchbook_core::{Result, unknown};
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
