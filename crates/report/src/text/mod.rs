//! Answers as text: numbers with their units, cells, and tables for terminals.

mod cells;
mod fit;
mod number;
mod terminal;

pub use cells::{Cells, texts};
pub use fit::wrapped;
pub(crate) use number::size;
pub use number::{duration, number};
pub use terminal::{WIDE, comparison, fitted, table};
