//! Arguments of the commands about notebooks.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::FormatArgs;
use super::values::{parse_duration, parse_pair, parse_size};

/// Arguments of `kernel`.
#[derive(Debug, Args)]
pub struct KernelArgs {
    /// What to do with it
    #[command(subcommand)]
    pub action: KernelAction,
}

/// What to do with the Jupyter kernel.
#[derive(Debug, Subcommand)]
pub enum KernelAction {
    /// Install the Jupyter kernel, with the newest snapshot of the library
    #[command(after_help = "Examples:\n  benchbook kernel install\n  benchbook kernel install --user")]
    Install(KernelInstallArgs),
    /// Say what the Jupyter kernel needs, what of it is missing here, and how to get it
    #[command(after_help = "Example:\n  benchbook kernel doctor")]
    Doctor(KernelDoctorArgs),
}

/// Arguments of `kernel install`.
#[derive(Debug, Args)]
pub struct KernelInstallArgs {
    /// The environment that gets the Jupyter kernel [default: the project's Python environment]
    #[arg(long, value_name = "DIR")]
    pub prefix: Option<PathBuf>,
    /// Give it to your own Jupyter folder, for every environment
    #[arg(long, conflicts_with = "prefix")]
    pub user: bool,
    /// The snapshot of the library [default: the newest]
    #[arg(long, value_name = "DIR")]
    pub snapshot: Option<PathBuf>,
    /// The Python whose environment gets it [default: the project's]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
}

/// Arguments of `kernel doctor`.
#[derive(Debug, Args)]
pub struct KernelDoctorArgs {
    /// The snapshot of the library [default: the newest]
    #[arg(long, value_name = "DIR")]
    pub snapshot: Option<PathBuf>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Arguments of `notebook`.
#[derive(Debug, Args)]
pub struct NotebookArgs {
    /// What to do with notebooks
    #[command(subcommand)]
    pub action: NotebookAction,
}

/// What to do with notebooks.
#[derive(Debug, Subcommand)]
pub enum NotebookAction {
    /// Run notebooks from the first cell to the last, each in a fresh Jupyter kernel
    #[command(after_help = "\
Examples:
  benchbook notebook run notebooks/01_first_measurement.ipynb --quick
  benchbook notebook run notebooks/*.ipynb --quick --html pages --check

A cell with the tag `parameters` declares parameters, one `let name: type = value;` a line.
Exit codes: 0 every notebook passed, 4 one failed")]
    Run(NotebookRunArgs),
}

/// Arguments of `notebook run`.
#[derive(Debug, Args)]
pub struct NotebookRunArgs {
    /// The notebooks
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Set the parameter `quick` where a notebook has it
    #[arg(long)]
    pub quick: bool,
    /// A parameter; may be given again
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse_pair)]
    pub params: Vec<(String, String)>,
    /// Write each as one HTML page that works offline
    #[arg(long, value_name = "DIR")]
    pub html: Option<PathBuf>,
    /// Write a copy of each with its outputs
    #[arg(long, value_name = "DIR")]
    pub executed: Option<PathBuf>,
    /// How many run at once
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroUsize,
    /// Longest time for one cell
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Fail where a cell does not show the figures and tables that its metadata declares
    #[arg(long)]
    pub check: bool,
    /// The name of the Jupyter kernel
    #[arg(long, value_name = "NAME", default_value = "benchbook")]
    pub kernel: String,
    /// Most that one cell may write
    #[arg(long, value_name = "SIZE", default_value = "10MB", value_parser = parse_size)]
    pub max_output: u64,
    #[command(flatten)]
    pub format: FormatArgs,
}
