//! The matrix of models and techniques: what of it is missing in a store, measured a few techniques of a model at a time beside
//! the model as it is.
//!
//! The command line and a notebook start it alike ([`Matrix::measure`]): each says how a run begins and how it is told of
//! ([`Runner`]).

mod cases;
mod crossed;
mod error;
mod forced;
mod looking;
mod parts;
mod plan;
mod posed;
mod work;

pub use cases::ModelCase;
pub use crossed::{Crossed, crossed};
pub use error::{Error, Result};
pub use parts::{Missing, Part};
pub use plan::{MEMORY, MatrixPlan};
pub use posed::{Posed, posed};
pub use work::{Matrix, Runner};

/// Lets the problems of this program have real weights, where these were brought.
pub fn read_real_weights() {
    benchbook_workloads::real::read_by(benchbook_models::brought);
}
