//! What people see: text with units, tables for terminals and pages, charts, comparisons, the figures of a run, what a
//! gate says and what calibrations show.
//!
//! Statistics come in with the answers, but for those of [`calibration`]; nothing is measured here or printed.

pub mod calibration;
pub mod charts;
mod comparison;
mod error;
mod figures;
pub mod gate;
mod helped;
mod html;
mod matrix;
mod optimized;
mod row;
mod text;
mod trades;

pub use comparison::{
    By, Comparison, across, counts, default_baseline, gated, metrics, nothing_to_compare, paired, paired_metrics,
    paired_speedup, sequential, summary_lines, undecided, warnings, weak, within, within_by, within_metric,
};
pub use error::{Error, Result};
pub use figures::{distribution_figure, figures, history_figures, scaling_figures, speedup_figure};
pub use html::{SCRIPT, STYLE, comparison as comparison_html, escaped, table as html_table};
pub use matrix::{matrix_figures, matrix_page};
pub use row::{Row, rows};
pub use text::{Cells, WIDE, comparison as comparison_table, duration, fitted, number, table, texts, wrapped};
