//! The command line.

mod asking;
mod cli;
mod matrix;
mod measuring;
mod notebooks;
mod tuning;
mod values;

pub use asking::{
    CompareArgs, DoctorArgs, FailOn, ListArgs, LsArgs, ReportArgs, SqlArgs, StoreAction, StoreArgs, Topic,
};
pub use cli::{Cli, Command};
pub use matrix::MatrixArgs;
pub use measuring::{
    BesideArgs, CalibrateArgs, GateArgs, RunArgs, ValidateArgs, WorkerAction, WorkerArgs, WorkerCheckArgs,
};
pub use notebooks::{
    KernelAction, KernelArgs, KernelDoctorArgs, KernelInstallArgs, NotebookAction, NotebookArgs, NotebookRunArgs,
};
pub use tuning::{FeedbackArgs, TuneArgs};
pub use values::{Finder, Format, FormatArgs, once};
