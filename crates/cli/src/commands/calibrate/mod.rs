//! `benchbook calibrate`: equal programs against each other on this machine.

mod command;
mod plan;

pub use command::{calibrate, share};
