//! Arguments about workers of other programs.

use std::time::Duration;

use benchbook_measure::Foreign;
use clap::{Args, Subcommand};

use super::FormatArgs;
use super::values::{once, parse_duration, parse_pair};
use crate::error::Failure;

/// Workers of other programs.
#[derive(Debug, Args)]
pub struct BesideArgs {
    /// A worker of another program, in any language, whose implementations are added under their devices: what to call
    /// it, and the command that starts it; may be given again
    #[arg(long = "worker", value_name = "NAME=COMMAND", value_parser = parse_pair)]
    workers: Vec<(String, String)>,
}

impl BesideArgs {
    /// The workers, in the order in which they are named.
    ///
    /// # Errors
    /// A name that is given twice.
    pub fn foreign(&self) -> Result<Vec<Foreign>, Failure> {
        once("--worker", &self.workers, "call each worker by a name of its own")?;
        let foreign = |(name, command): &(String, String)| Foreign { name: name.clone(), command: command.clone() };
        Ok(self.workers.iter().map(foreign).collect())
    }
}

/// Arguments of `worker`.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// What to do with it
    #[command(subcommand)]
    pub action: WorkerAction,
}

/// Arguments of `worker check`.
#[derive(Debug, Args)]
pub struct WorkerCheckArgs {
    /// The command that starts the worker, in one word; `serve --threads N --parent PID` follows it
    pub command: String,
    /// The workload whose implementation is looked at [default: that of the first implementation]
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// Threads given to the worker [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Longest time that the worker may take for one answer
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = parse_duration)]
    pub timeout: Duration,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// What to do with a worker.
#[derive(Debug, Subcommand)]
pub enum WorkerAction {
    /// Ask a worker all that a run may ask, and say what it does wrong
    #[command(after_help = "\
Examples:
  benchbook worker check \"python3 tests/python/worker.py\"
  benchbook worker check ./my-worker --workload matmul

ARCHITECTURE.md says what a worker has to do (The wire), and tests/python/worker.py is one.
Exit codes: 0 all is right, 1 something is wrong, 4 everything else")]
    Check(WorkerCheckArgs),
}
