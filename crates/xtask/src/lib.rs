//! What `xtask` shares with `benchbook-bench`, the program behind its verb `bench`.
#![expect(clippy::print_stdout, reason = "telling what it does is this program's job")]

pub mod arguments;
pub mod bundle;
pub mod engines;
pub mod error;
pub mod process;
pub mod step;
pub mod workspace;
