//! `bench`: benchbook's own speed, measured here and written to `datasets/bench.md`.

mod ask;
mod claims;
mod command;
mod figures;
mod goals;
mod kernels;
mod machine;
mod notebook;
mod peer;
mod recording;
mod sql;
mod startup;
mod table;
mod trust;

pub use command::command;
