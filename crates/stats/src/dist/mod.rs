//! Tail probabilities and quantiles that stay right far out.

mod beta;
mod binomial;
pub(crate) mod chi_squared;
mod gamma;
pub(crate) mod normal;
pub(crate) mod student;

pub(crate) use binomial::{fair_coin_at_most, least_probability};
pub(crate) use gamma::ln_gamma_ratio;
