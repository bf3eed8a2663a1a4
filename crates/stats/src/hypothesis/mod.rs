//! Two-sided tests.

mod mann_whitney;
mod ranks;
mod result;
mod welch;
mod wilcoxon;

pub use mann_whitney::mann_whitney;
pub use result::{Method, RankTest, Test};
pub(crate) use welch::welch_freedom;
pub use welch::{welch_from, welch_t};
pub use wilcoxon::{Zeros, wilcoxon_signed_rank};
