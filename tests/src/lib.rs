//! What the end-to-end tests share: the real programs, stores in temporary folders, faulty kernels and workers.

mod bench;
mod cells;
mod faulty;
mod foreign;
mod hostile;
mod inside;
mod old;
mod page;
mod processes;
mod python;
mod script_kernel;

pub use bench::{Bench, Ran, program};
pub use benchbook_process::git;
pub use cells::{cell, environment, look, script, showing};
pub use faulty::{FAULTS, register_faulty};
pub use foreign::{OF_TOMORROW, SPEAKS, WAYS, speak};
pub use hostile::{CHILD, HOSTILE, STOPS_READING, misbehave, stop_reading};
pub use inside::{inside, on_small_disk};
pub use old::serve_old;
pub use page::{Block, blocks, commands};
pub use processes::{LOOK, alive, children, wait_until};
pub use python::{in_repository, python_line, python_with, python_worker, repository};
pub use script_kernel::serve_script;
