//! The figures of a run, drawn from the answers of its store.

mod history;
mod of_run;
pub(crate) mod scaling;

pub use history::figures as history_figures;
pub use of_run::{distribution_figure, figures, speedup_figure};
pub use scaling::figures as scaling_figures;
