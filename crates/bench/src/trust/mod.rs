//! `bench --trust`: does a verdict hold? benchbook and its rivals on work whose true ratio is known.

mod ask;
mod binomial;
mod command;
mod experiment;
mod goal;
mod ledger;
mod same_kernel;
mod schedule;
mod selection;
mod tables;

pub use command::measure;
