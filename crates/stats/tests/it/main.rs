//! Fixtures, properties, coverage and bad input of the statistics, from outside.

mod bad_input;
mod beside_the_verdict;
mod change_points;
mod coverage;
mod false_alarms;
mod fixtures;
mod help;
mod plan;
mod properties;
mod serial;
mod suite;
mod verdict;
mod verdict_coverage;
