//! `benchbook report`: what was run, on what, tables, charts, checks, what was left out.

mod content;
mod write;

pub use write::report;
