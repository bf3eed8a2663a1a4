//! The Jupyter kernel of a built library, and notebooks without a person before them.
//!
//! A [`Snapshot`] is the library as it was built once, with the Jupyter kernel of that build. [`install`] writes a
//! kernelspec for it, [`examine`] says what is missing, and [`run_notebooks`] runs notebooks headless: one Python process
//! each, and nothing that it started outlives it. This crate knows neither burn nor Arrow.

mod doctor;
mod error;
mod finding;
mod install;
mod interpreter;
mod kernelspec;
mod notebook;
#[cfg(test)]
mod planted;
mod run;
mod snapshot;
mod surroundings;
mod toolchain;

pub use doctor::examine;
pub use error::{Error, Result};
pub use finding::{Area, Finding, Level, worst};
pub use install::{InstallRequest, Installed, install};
pub use interpreter::Interpreter;
pub use kernelspec::Kernelspec;
pub use notebook::{Cell, Document, injected};
pub use run::{Event, Failure, FailureKind, Observer, Report, Settings, Shown, run_notebooks};
pub use snapshot::{Manifest, Snapshot};
pub use surroundings::Surroundings;
