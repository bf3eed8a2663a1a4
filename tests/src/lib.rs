//! What the end-to-end tests share: the real programs, stores in temporary folders, faulty kernels and workers.

mod bench;
mod cells;
mod faulty;
#[path = "../../crates/gate/src/git_process.rs"]
mod git_process;
mod hostile;
mod processes;

pub use bench::{Bench, Ran, program};
pub use cells::{cell, environment, look, script, showing};
pub use faulty::{FAULTS, register_faulty};
pub use git_process::git;
pub use hostile::{HOSTILE, STOPS_READING, misbehave, stop_reading};
pub use processes::{LOOK, alive, children, wait_until};
