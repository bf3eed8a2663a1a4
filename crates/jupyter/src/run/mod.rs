//! Running notebooks headless: one Python process each, several at once, and nothing that outlives them.

mod child;
mod messages;
mod notebooks;
mod report;
mod scripts;
mod tasks;

pub use messages::{Event, FailureKind, Shown};
pub use notebooks::{Observer, Settings, run_notebooks};
pub use report::{Failure, Report};
