//! What `run.py` is told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

/// One notebook and how to run it, as JSON on the standard input of `run.py`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Job {
    pub notebook: PathBuf,
    pub kernel: String,
    pub inject: String,
    pub cell_timeout_s: f64,
    pub max_output_bytes: u64,
    pub executed: Option<PathBuf>,
    pub html: Option<PathBuf>,
    pub plotly_js: PathBuf,
    pub cwd: PathBuf,
}

impl Job {
    /// The folder that the notebook lies in, which is also where it runs.
    pub(super) fn folder_of(notebook: &Path) -> PathBuf {
        notebook.parent().unwrap_or(Path::new("/")).to_owned()
    }

    /// The longest silence that a healthy `run.py` may keep: a cell, its late output, and a slow start of the Jupyter
    /// kernel.
    pub(super) fn patience(&self) -> Duration {
        const START: Duration = Duration::from_secs(900);
        Duration::try_from_secs_f64(2.0 * self.cell_timeout_s).unwrap_or(Duration::MAX).saturating_add(START)
    }
}
