//! Numbers that describe one sample.

mod geometric;
mod mad;
mod mean;
mod quantile;
mod tukey;

pub use geometric::geometric_mean;
pub use mad::mad;
pub(crate) use mean::mean_of;
pub use mean::{mean, std_dev, variance};
pub use quantile::{median, quantile, quantile_in_place};
pub(crate) use quantile::{median_unchecked, quantile_of_sorted};
pub use tukey::{Fences, outliers, tukey_fences};
