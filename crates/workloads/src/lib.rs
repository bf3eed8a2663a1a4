//! Problems that more than one program measures: their inputs, references and tolerances, without any engine.
//!
//! The first look of `cargo xtask demo` has them before burn is built; `benchbook-kernels` has the same.

pub mod attention;
mod tolerance;

pub use tolerance::tolerance;
