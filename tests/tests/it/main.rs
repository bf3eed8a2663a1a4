//! The program as its users meet it, where no time judges and no process is looked at.

mod allocations;
// Without libtorch, some of what they name is nowhere.
#[cfg(feature = "libtorch")]
mod claims;
mod decoding;
mod feedback;
mod fixture;
mod matrix;
mod sql;
mod text_injection;
mod training;
mod tune;
