//! Versions of the program that measures.

use serde::Serialize;

/// What this program was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// Version of benchbook.
    pub benchbook: String,
    /// Version of the compiler, where the build script passed `BENCHBOOK_RUSTC_VERSION` on.
    pub rustc: Option<String>,
    /// Whether this program has debug assertions. The kernels are the worker's: it tells of its own.
    pub debug_assertions: bool,
}

impl Versions {
    /// Those of this program.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self {
            benchbook: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: option_env!("BENCHBOOK_RUSTC_VERSION").map(str::to_owned),
            debug_assertions: cfg!(debug_assertions),
        }
    }
}
