//! The command line.

mod asking;
mod cli;
mod measuring;
mod notebooks;
mod values;
mod workers;

pub use asking::{
    CompareArgs, DoctorArgs, FailOn, ListArgs, LsArgs, ReportArgs, SqlArgs, StoreAction, StoreArgs, Topic,
};
pub use cli::{Cli, Command};
pub use measuring::{CalibrateArgs, GateArgs, RunArgs};
pub use notebooks::{
    KernelAction, KernelArgs, KernelDoctorArgs, KernelInstallArgs, NotebookAction, NotebookArgs, NotebookRunArgs,
};
pub use values::{Format, FormatArgs, once};
pub use workers::{BesideArgs, WorkerAction, WorkerArgs, WorkerCheckArgs};
