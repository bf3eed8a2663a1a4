//! Two-sided tests.

mod mann_whitney;
mod ranks;
mod result;
mod welch;
mod wilcoxon;

#[cfg(test)]
pub(crate) use mann_whitney::exact;
pub use mann_whitney::mann_whitney;
pub(crate) use ranks::Ranks;
pub use result::{Method, RankTest, Test};
pub(crate) use welch::welch_freedom;
pub use welch::{welch_from, welch_t};
pub use wilcoxon::{Zeros, wilcoxon_signed_rank};
