//! Confidence intervals in closed form.

mod mean;
mod median;
mod paired;
mod proportion;
mod ratio;
mod replicates;
mod student;
mod value;

pub use mean::{mean_interval, mean_interval_from};
pub use median::{median_coverage, median_interval};
pub use paired::{log_ratios, paired_ratio};
pub use proportion::clopper_pearson;
pub(crate) use ratio::log_ratio_from;
pub use ratio::{ratio_interval, ratio_interval_from};
pub use replicates::replicate_interval;
pub use student::student_interval;
pub use value::Interval;
