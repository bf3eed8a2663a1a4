//! Tail probabilities and quantiles that stay right far out.

mod beta;
pub(crate) mod normal;
pub(crate) mod student;

pub(crate) use beta::{fair_coin_at_most, least_probability, ln_gamma_ratio};
