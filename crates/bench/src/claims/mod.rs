//! `bench --claims`: what was published, measured here.

mod command;
mod entry;
mod ledger;
mod measured;
mod plan;
mod question;

pub use command::measure;
