//! Arguments about workers of other programs.

use benchbook_measure::Foreign;
use clap::Args;

use super::values::{once, parse_pair};
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
