//! Fixtures, properties, coverage and bad input of the statistics, from outside.

mod bad_input;
mod beside_the_verdict;
mod bootstrap_fixtures;
mod change_points;
mod closed_form_fixtures;
mod coverage;
mod false_alarms;
mod help;
mod plan;
mod properties;
mod serial;
mod series_properties;
mod stop_rule;
mod suite;
mod test_fixtures;
mod verdict;
mod verdict_coverage;
