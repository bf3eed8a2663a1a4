//! The bootstrap: BCa intervals, dependent series, and processes that hold blocks.

mod bca;
mod block_length;
mod circular;
mod hierarchical;
mod jackknife;
mod random;
mod resamples;
mod statistic;

pub use bca::{bca, bca_paired_ratio, bca_ratio};
pub(crate) use circular::{SeriesMean, series_mean};
pub(crate) use hierarchical::hierarchical_interval;
pub use resamples::Resamples;
pub use statistic::Statistic;
