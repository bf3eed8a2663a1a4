//! Two revisions side by side: their workers, what is measured twice, the report and its exit code.
//!
//! Nothing is measured here. Revisions become worker programs, and comparisons become a report for a pull request.

mod build;
mod cargo;
mod error;
mod flagged;
mod git;
mod git_process;
mod markdown;
mod minimal;
mod revision;
mod settings;
mod summary;
mod worktree;

#[cfg(test)]
mod planted;
#[cfg(test)]
mod summary_tests;
#[cfg(test)]
mod tests;

pub use build::Workshop;
pub use error::{Result, RevisionError};
pub use flagged::{Comparison, Estimate, Label, SEQUENTIAL, Second, flagged};
pub use markdown::plain;
pub use revision::{Revision, Source};
pub use summary::{LeftOut, Missing, Outcome, Report, exit_code, write_whole};
