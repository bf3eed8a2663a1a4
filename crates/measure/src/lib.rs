//! Measuring: the clock, the workers, who drives them, and the run that interleaves them.
//!
//! Work is timed in [`clock`] and nowhere else. No kernel is known here by name but the work of known length in
//! [`known_work`], against which the measuring itself is measured.

mod allocations;
mod allocator;
mod caught;
pub mod clock;
pub mod conformance;
pub mod disturbance;
pub mod doctor;
mod driver;
mod energy;
pub mod environment;
mod error;
mod executor;
pub mod frame;
mod host;
pub mod known_work;
pub mod link;
mod old;
pub mod own;
mod parcel;
mod process;
mod quiet;
pub mod references;
mod resolve;
pub mod resource;
pub mod run;
mod serve;
mod steps;
mod supervised;
mod user_cache;
mod waiting;
mod worker_env;

pub use allocations::{Allocated, AllocationEvent, CountingAllocator, allocated, recorded};
pub use benchbook_core as core;
pub use benchbook_journal as journal;
pub use caught::kernel_panics_are_caught;
pub use driver::Driver;
pub use error::{Error, Result};
pub use executor::{Cases, Executor, Finished, Offers, Prepared, Sampled, Spawn, Trial};
pub use host::Host;
pub use link::InProcess;
pub use process::{Hello, Pipe, ProcessWorker, worker_program};
pub use references::References;
pub use run::beside::Foreign;
pub use run::offer::{Build, Offer, all_threads, offer, offer_of};
pub use serve::worker_main;
pub use steps::Steps;
