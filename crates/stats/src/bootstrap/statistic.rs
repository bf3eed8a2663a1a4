//! What is bootstrapped.

use crate::describe::{mean_of, median_unchecked};

/// The statistic of a sample that a bootstrap interval is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The arithmetic mean.
    Mean,
    /// The median.
    Median,
}

impl Statistic {
    /// The statistic of at least one finite value; may reorder `x`.
    pub(super) fn of(self, x: &mut [f64]) -> f64 {
        match self {
            Self::Mean => mean_of(x),
            Self::Median => median_unchecked(x),
        }
    }
}
