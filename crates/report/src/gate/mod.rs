//! The judging of a gate: what is measured a second time, which estimate counts, the report and its exit code.

mod flagged;
mod markdown;
mod summary;

#[cfg(test)]
mod summary_tests;

pub use flagged::{Comparison, Estimate, Label, SEQUENTIAL, Second, flagged};
pub use markdown::plain;
pub use summary::{LeftOut, Missing, Outcome, Report, exit_code, write_whole};
