//! Which libtorch.

/// The version that torch-sys is made for, as its build script has checked, and that `environment.yml` pins.
pub const VERSION: &str = env!("LIBTORCH_VERSION");

/// The engine's name and version, for the record.
pub fn engine(_device: &str) -> (String, String) {
    ("libtorch".into(), VERSION.into())
}
