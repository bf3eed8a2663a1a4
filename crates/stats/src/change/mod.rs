//! Change points: where the level of a series changes.
//!
//! Each of a fixed set of splits is tried by two tests, and a change needs both: the ranks on its sides
//! (so that no outlier and no skewed noise makes one) and their means (so that neighbours that resemble
//! each other make none). Their p-values are those of the whole search: multiplied by how many splits
//! could have done as well. `datasets/series_tests.csv` holds how often they err.

mod correlation;
mod find;
mod judge;
mod merge;
mod point;
mod rules;
mod search;
mod tried;

pub use find::change_points;
pub use point::ChangePoint;
pub use rules::Rules;
