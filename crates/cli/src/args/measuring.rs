//! Arguments of what measures, and of workers of other programs.

use std::path::PathBuf;
use std::time::Duration;

use benchbook_core::{CacheRegime, DType};
use benchbook_measure::Foreign;
use benchbook_workloads::Category;
use clap::{Args, Subcommand};

use super::values::{once, parse_axis, parse_cache, parse_category, parse_duration, parse_pair, parse_percent};
use super::{FailOn, FormatArgs};
use crate::error::Failure;
use crate::python::PythonWorker;

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Names of workloads, or one plan file (`.toml`)
    #[arg(required_unless_present_any = ["category", "all"], value_name = "WORKLOAD|PLAN")]
    pub targets: Vec<String>,
    /// Every workload there is
    #[arg(long, conflicts_with_all = ["targets", "category"])]
    pub all: bool,
    /// All workloads of a category: accuracy, cpu, gpu (with --python), memory, performance, scalability, system, training,
    /// comparative, hardware or comprehensive
    #[arg(long, value_name = "NAME", conflicts_with = "targets", value_parser = parse_category)]
    pub category: Option<Category>,
    /// A preset by its name, such as b2-s128-d256-h8 of attention and transformer-block [default: quick with --quick, else
    /// default]
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Few short cases and few blocks: a first look within minutes
    #[arg(long)]
    pub quick: bool,
    /// Only these devices
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub device: Vec<String>,
    /// Only these implementations [default: all but those on request, see `list implementations`]
    #[arg(long = "implementation", visible_alias = "impl", value_delimiter = ',', value_name = "NAME,…")]
    pub implementations: Vec<String>,
    /// Element types (f64, f32, f16, bf16)
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub dtype: Vec<DType>,
    /// A parameter, with a list to sweep; may be given again
    #[arg(long = "set", value_name = "NAME=VALUE,…", value_parser = parse_axis)]
    pub sets: Vec<(String, benchbook_core::Axis)>,
    /// Budget of the whole run (30s, 5m)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, allow_hyphen_values = true)]
    pub time: Option<Duration>,
    /// Fresh processes per variant; a verdict needs 5
    #[arg(long, value_name = "N")]
    pub replicates: Option<u32>,
    /// Wanted half-width of each ratio's 95 % interval (0.5%): a pilot of 8 replicates fixes how many it takes
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    pub half_width: Option<f64>,
    /// Replicates that a wanted half-width may lead to [default: 100]
    #[arg(long, value_name = "N", requires = "half_width")]
    pub most_replicates: Option<u32>,
    /// Use samples too that the machine disturbed, as on one that is never quiet
    #[arg(long, env = "BENCHBOOK_KEEP_DISTURBED", value_parser = clap::builder::FalseyValueParser::new())]
    pub keep_disturbed: bool,
    /// Blocks per case and replicate
    #[arg(long, value_name = "N")]
    pub blocks: Option<u64>,
    /// Threads given to every variant [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Whether inputs stay in the caches
    #[arg(long, value_parser = parse_cache, value_name = "hot|cold")]
    pub cache: Option<CacheRegime>,
    /// Seed of inputs and of the order within blocks
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// A word to find the run by; may be given again
    #[arg(long = "tag", value_name = "WORD")]
    pub tags: Vec<String>,
    /// Longest time a worker may take for one answer before it is ended
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Print the plan as TOML and what it means here, and measure nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub beside: BesideArgs,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Which workloads, as of `run --category`
    #[arg(long, value_name = "NAME", default_value = "system", value_parser = parse_category)]
    pub category: Category,
    /// Threads given to every variant [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub beside: BesideArgs,
}

/// Arguments of `gate`.
#[derive(Debug, Args)]
pub struct GateArgs {
    /// A git revision to build and measure beside the candidate; or a recorded run, which is only described (sequential)
    #[arg(long, value_name = "REV|RUN")]
    pub baseline: String,
    /// A git revision [default: the work tree]
    #[arg(long, value_name = "REV")]
    pub candidate: Option<String>,
    /// What to measure: names of workloads, or a plan file [default: every workload]
    #[arg(long, value_delimiter = ',', value_name = "NAME,…|PLAN")]
    pub suite: Vec<String>,
    /// Few short cases and 8 replicates, instead of as many as a half-width of 0.5 % takes
    #[arg(long)]
    pub quick: bool,
    /// Only these implementations [default: all but those on request, see `list implementations`]
    #[arg(long = "implementation", visible_alias = "impl", value_delimiter = ',', value_name = "NAME,…")]
    pub implementations: Vec<String>,
    /// Only these devices
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub device: Vec<String>,
    /// Threads given to every variant [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Budget of each of the two measurements (30s, 5m)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub time: Option<Duration>,
    /// Seed of inputs and of the order within blocks
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Use samples too that the machine disturbed, as on one that is never quiet
    #[arg(long, env = "BENCHBOOK_KEEP_DISTURBED", value_parser = clap::builder::FalseyValueParser::new())]
    pub keep_disturbed: bool,
    /// Where to write the report: .md or .json; may be given again
    #[arg(long, short, default_value = "gate.md", value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Exit with 2 if something is undecided (a regression exits with 1 anyway)
    #[arg(long, value_delimiter = ',', value_name = "undecided")]
    pub fail_on: Vec<FailOn>,
    /// Where workers of revisions are kept; outside the repository
    #[arg(long, env = "BENCHBOOK_GATE_CACHE", value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// The folder in which dependencies lie compiled [default: cargo's]
    #[arg(long, value_name = "DIR")]
    pub build_folder: Option<PathBuf>,
    /// Build the workers without libtorch
    #[arg(long)]
    pub minimal: bool,
}

/// Arguments of `calibrate`.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// How long to measure
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = parse_duration)]
    pub time: Duration,
    /// Use samples too that the machine disturbed, as on one that is never quiet
    #[arg(long, env = "BENCHBOOK_KEEP_DISTURBED", value_parser = clap::builder::FalseyValueParser::new())]
    pub keep_disturbed: bool,
    /// Seed of the order within blocks [default: the number of calibrations in the store]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Workers of other programs.
#[derive(Debug, Default, Args)]
pub struct BesideArgs {
    /// A worker of another program, in any language, whose implementations are added under their devices: what to call
    /// it, and the command that starts it; may be given again
    #[arg(long = "worker", value_name = "NAME=COMMAND", value_parser = parse_pair)]
    workers: Vec<(String, String)>,
    /// Add the engines that a Python has: NumPy, PyTorch, Transformers, ONNX Runtime, OpenVINO [default: that of the project]
    #[arg(long, value_name = "PATH", require_equals = true)]
    python: Option<Option<PathBuf>>,
}

/// Workers of other programs, for as long as they may be started.
pub struct Beside {
    /// How each is started.
    pub workers: Vec<Foreign>,
    _python: Option<PythonWorker>,
}

impl BesideArgs {
    /// The workers, in the order in which they are named, and that of Python.
    ///
    /// # Errors
    /// A name that is given twice, or no Python where it is asked for.
    pub fn found(&self) -> Result<Beside, Failure> {
        once("--worker", &self.workers, "call each worker by a name of its own")?;
        let foreign = |(name, command): &(String, String)| Foreign { name: name.clone(), command: command.clone() };
        let mut workers: Vec<Foreign> = self.workers.iter().map(foreign).collect();
        let python = self.python.as_ref().map(|asked| PythonWorker::lay_out(asked.as_deref())).transpose()?;
        workers.extend(python.iter().flat_map(|python| python.workers.clone()));
        Ok(Beside { workers, _python: python })
    }

    /// The devices of a category, for a plan.
    ///
    /// # Errors
    /// It has some, and nobody beside our worker is asked for, which has none of them.
    pub fn devices_of(&self, category: &Category) -> Result<Vec<String>, Failure> {
        let devices: Vec<String> = category.devices.iter().map(|name| (*name).to_owned()).collect();
        if !devices.is_empty() && self.python.is_none() && self.workers.is_empty() {
            let (name, devices) = (category.name, devices.join(", "));
            return Err(Failure::say(format!("category {name} is measured on {devices}: add --python")));
        }
        Ok(devices)
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
