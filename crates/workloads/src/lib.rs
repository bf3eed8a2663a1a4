//! Problems: their parameters, inputs from a seed, references, counts of work and tolerances, without any engine.
//!
//! Each is one file and one line in `register.rs`; the references of a family share a module.

pub mod attention;
pub mod blocks;
mod categories;
pub mod decoding;
mod draw;
pub mod encoding;
pub mod experts;
pub mod matmul;
pub mod mixers;
mod named;
pub mod real;
mod register;
pub mod roofs;
mod rows;
pub mod singular;
pub mod sparse_matmul;
mod tolerance;
pub mod training;

pub use categories::{CATEGORIES, Category};
pub use register::{problems, register};
pub use tolerance::tolerance;

/// A digest of the code of this crate, of `benchbook-core` and of `benchbook-formats`: answers that other code has computed are
/// not ours.
pub const CODE_DIGEST: &str = env!("BENCHBOOK_CODE_DIGEST");
