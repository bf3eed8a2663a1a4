//! Pure functions on numbers: descriptions, intervals, tests, effect sizes and verdicts.
//!
//! Every function takes slices of `f64` (or [`Moments`]), does no IO and returns an [`Error`]
//! where a number cannot be given. No function returns NaN or an infinity, and none panics.
//!
//! Times are compared as a **ratio = baseline time / candidate time**, so a ratio above 1 says that
//! the candidate is faster.

mod bootstrap;
pub mod change;
mod check;
mod correlation;
mod describe;
mod dist;
mod effect;
mod error;
pub mod fit;
mod hypothesis;
mod interval;
mod moments;
pub mod plan;
pub mod serial;
pub mod simulate;
pub mod verdict;

pub use bootstrap::{Resamples, Statistic, bca, bca_paired_ratio, bca_ratio, items_interval, series_interval};
pub use correlation::{pearson, spearman};
pub use describe::{
    Fences, geometric_mean, mad, mean, median, outliers, quantile, quantile_in_place, std_dev, tukey_fences, variance,
};
pub use effect::{Category, category, cohens_d, cohens_d_from, hedges_g, hedges_g_from};
pub use error::{Error, Result};
pub use hypothesis::{
    Method, RankTest, Test, Zeros, benjamini_hochberg, false_coverage_level, mann_whitney, welch_from, welch_t,
    wilcoxon_signed_rank,
};
pub use interval::{
    Interval, clopper_pearson, log_ratios, mean_interval, mean_interval_from, median_coverage, median_interval,
    paired_ratio, ratio_interval, ratio_interval_from, replicate_interval, student_interval,
};
pub use moments::Moments;
