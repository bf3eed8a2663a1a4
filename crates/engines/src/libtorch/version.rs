//! Which libtorch.

/// The version that torch-sys 0.22.0 is made for, and that `environment.yml` pins.
pub const VERSION: &str = "2.9.0";

/// The engine's name and version, for the record.
pub fn engine(_device: &str) -> (String, String) {
    ("libtorch".into(), VERSION.into())
}
