//! What people see of answers: text with units, tables for terminals and pages, comparisons, the figures of a run.
//!
//! Statistics come in with the answers; nothing is computed here, measured or printed.

mod by;
mod cells;
mod comparison;
mod error;
mod figures;
mod fit;
mod gaps;
mod history;
mod html;
mod number;
mod ranks;
mod row;
mod scaling;
mod terminal;
mod verdicts;

pub use by::By;
pub use cells::{Cells, texts};
pub use comparison::{
    Comparison, across, default_baseline, nothing_to_compare, paired_speedup, warnings, within, within_by,
};
pub use error::{Error, Result};
pub use figures::{distribution_figure, figures, history_figures, scaling_figures, speedup_figure};
pub use fit::wrapped;
pub use html::{SCRIPT, STYLE, comparison as comparison_html, escaped, table as html_table};
pub use number::{duration, number};
pub use row::{Row, rows};
pub use terminal::{WIDE, comparison as comparison_table, fitted, table};
pub use verdicts::{counts, gated, paired, sequential, undecided, weak};
