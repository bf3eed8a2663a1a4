//! What the end-to-end tests share: the real programs, stores in temporary folders, faulty kernels.

mod bench;
mod faulty;

pub use bench::{Bench, Ran, program};
pub use faulty::{FAULTS, register_faulty};
