//! Measuring: the clock, the sampler, the workers, and the run that interleaves them.
//!
//! Work is timed in [`clock`] and nowhere else. No kernel is known here by name but the work of known length in
//! [`known_work`], against which the measuring itself is measured.

mod allocations;
mod allocator;
mod bounded;
mod caught;
mod changing;
pub mod clock;
pub mod disturbance;
pub mod doctor;
pub mod environment;
mod error;
mod executor;
pub mod frame;
mod handler;
pub mod known_work;
mod last_words;
pub mod link;
mod marked;
mod process;
mod quiet;
pub mod references;
pub mod resource;
pub mod run;
pub mod sampler;
mod serve;
mod stat;
mod threads;
mod waiting;
mod wire;
mod worker_main;

pub use allocations::{Allocated, CountingAllocator, allocated};
pub use benchbook_core as core;
pub use benchbook_record as record;
pub use caught::kernel_panics_are_caught;
pub use error::{Error, Result};
pub use executor::{Executor, InProcess};
pub use handler::{Handler, Host};
pub use marked::Mark;
pub use process::{Hello, ProcessWorker, worker_program};
pub use run::offer::{Offer, all_threads, offer, offer_of};
pub use worker_main::worker_main;
