//! Revisions of a repository as worker programs.
//!
//! Nothing is measured here, and nothing judged: a name becomes a commit, and a commit the program of its worker.

mod build;
mod cargo;
mod error;
mod git;
mod revision;

#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;

pub use build::Workshop;
pub use error::RevisionError;
pub use revision::{Revision, Source};
