//! Fixtures, properties, coverage and bad input of the statistics, from outside.

mod bad_input;
mod bootstrap_fixtures;
mod closed_form_fixtures;
mod coverage;
mod help;
mod properties;
mod test_fixtures;
mod verdict;
mod verdict_coverage;
