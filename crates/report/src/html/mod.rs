//! Answers as HTML.

mod table;

pub use table::{SCRIPT, STYLE, comparison, escaped, table};
