//! What the end-to-end tests share: the real programs, stores in temporary folders, faulty kernels.

mod bench;
mod cells;
mod faulty;
#[path = "../../crates/gate/src/git_process.rs"]
mod git_process;

pub use bench::{Bench, Ran, program};
pub use cells::{cell, environment, look, script, showing};
pub use faulty::{FAULTS, register_faulty};
pub use git_process::git;
