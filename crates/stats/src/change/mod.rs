//! Change points: where the level of a series changes.
//!
//! E-divisive (Matteson & James, *A Nonparametric Approach for Multiple Change Point Analysis of
//! Multivariate Data*, 2014) as Fleming et al., *Hunter: Using Change Point Detection to Hunt for
//! Performance Regressions* (ICPE 2023), made it fast and deterministic: the energy statistic picks a
//! split, a t test in place of permutations accepts it, overlapping windows bound the cost, and weak
//! points are merged away from the bottom up.

mod energy;
mod find;
mod merge;
mod point;
mod rules;
mod split;
mod student;

pub use find::change_points;
pub use point::ChangePoint;
pub use rules::Rules;
