//! Comparisons within a run and of two runs: their rows, what they lack, and their verdicts as people read them.

mod compare;
pub(crate) mod gaps;
pub(crate) mod ranks;
mod summary;
pub(crate) mod verdicts;

pub use compare::{
    By, Comparison, across, default_baseline, nothing_to_compare, paired_metrics, paired_speedup, warnings, within,
    within_by, within_metric,
};
pub use summary::summary_lines;
pub use verdicts::{counts, gated, metrics, paired, sequential, undecided, weak};
