//! Running notebooks headless: one Python process each, several at once, and nothing that outlives them.

mod checks;
mod child;
mod event;
mod job;
mod names;
mod notebooks;
mod processes;
mod report;
mod scripts;

pub use event::{Event, FailureKind, Shown};
pub use notebooks::{Observer, Settings, run_notebooks};
pub use report::{Failure, Report};
