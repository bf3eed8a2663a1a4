//! `benchbook notebook`.

mod failure;
mod progress;
mod run;
mod summary;

pub use run::notebook;
