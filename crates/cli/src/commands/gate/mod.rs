//! `benchbook gate`: two revisions side by side, and an exit code.

mod answers;
mod command;
mod measured;
mod plan;
mod sides;

pub use command::gate;
