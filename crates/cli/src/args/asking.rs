//! Arguments of the commands that ask a store or look at the machine.

use std::path::PathBuf;
use std::time::Duration;

use benchbook_query::TIME;
use benchbook_report::By;
use clap::{Args, Subcommand, ValueEnum};

use super::values::{parse_by, parse_duration, parse_memory, parse_pair, parse_percent};
use super::{BesideArgs, FormatArgs};

/// What `list` can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Topic {
    /// Workloads with their parameters and presets
    Workloads,
    /// Implementations with what they follow
    Implementations,
    /// Every implementation on every device
    Variants,
    /// Devices, and why one is missing
    Devices,
    /// Named queries with their parameters
    Queries,
    /// SQL functions
    Functions,
    /// Every row of the catalogue: works, or not yet
    Coverage,
    /// Published claims: the number, what was measured, the verdict
    Claims,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// What to show: workloads, implementations, variants, devices, queries, functions, coverage or claims; other
    /// words are looked for in names and titles, those of the catalogue too [default: all but variants, functions,
    /// coverage and claims]
    #[arg(value_name = "TOPIC|WORD")]
    pub words: Vec<String>,
    /// Engines in Python: the versions that are taken, the one that is here, and the newest; asks the network, by pip
    #[arg(long, conflicts_with_all = ["words", "workers", "python"])]
    pub newer: bool,
    #[command(flatten)]
    pub beside: BesideArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Arguments of `sql`.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The statement; `-` reads it from stdin
    #[arg(required_unless_present_any = ["query", "file"], conflicts_with_all = ["query", "file"])]
    pub statement: Option<String>,
    /// A named query (`benchbook list queries`)
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub query: Option<String>,
    /// A file with the statement; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A parameter of the named query, or of a statement with the header of one; may be given again
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse_pair)]
    pub params: Vec<(String, String)>,
    /// A CSV file with a header as a table of that name; may be given again
    #[arg(long = "csv", value_name = "NAME=FILE", value_parser = parse_pair)]
    pub csvs: Vec<(String, String)>,
    /// Memory that the answer may take (2GiB, or 50% of the machine's); the variable holds for every command
    /// [default: 25%]
    #[arg(long, env = "BENCHBOOK_MEMORY", value_name = "SIZE|PERCENT", value_parser = parse_memory)]
    pub memory: Option<u64>,
    /// Exit with 4 where a damaged file of the store was left out
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A run, or the baseline run of two
    #[arg(default_value = "latest", value_name = "RUN")]
    pub run: String,
    /// The candidate run: the two are then compared as unpaired and sequential
    #[arg(value_name = "CANDIDATE_RUN", conflicts_with = "baseline")]
    pub candidate: Option<String>,
    /// Within one run: the implementation, or whole variant, that the others are compared with; of an implementation the
    /// variant on the same device and in the same dtype, where there is one
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// What differs between the two sides: each implementation beside the baseline, or beside itself on another device
    /// or in another dtype; the baseline is then a device or a dtype
    #[arg(
        long,
        default_value = "implementation",
        value_name = "implementation|device|dtype",
        value_parser = parse_by,
        conflicts_with = "candidate"
    )]
    pub by: By,
    /// What is compared: the time, or another metric that the run has, such as peak_added_bytes
    #[arg(long, default_value = TIME, value_name = "METRIC", conflicts_with = "candidate")]
    pub metric: String,
    /// The difference up to which two values of that metric are equivalent [default: what the metric states, mostly 1%]
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent, requires = "metric", conflicts_with = "candidate")]
    pub margin: Option<f64>,
    /// Compare runs from unlike environments all the same
    #[arg(long)]
    pub force: bool,
    /// Exit with 1 if a candidate is slower (by another metric worse), with 2 if something is undecided, or lost since a
    /// side failed or is invalid
    #[arg(long, value_delimiter = ',', value_name = "slower,undecided", conflicts_with = "candidate")]
    pub fail_on: Vec<FailOn>,
    /// Only a line of text for each candidate, to paste: its speedup and its gain in throughput
    #[arg(long, conflicts_with_all = ["format", "metric"])]
    pub summary: bool,
    /// Exit with 4 where a damaged file of the store was left out
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// A verdict that a user wants to see in the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Exit code 1
    Slower,
    /// Exit code 2
    Undecided,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run
    #[arg(default_value = "latest", value_name = "RUN")]
    pub run: String,
    /// Where to write: .html, .md or .json
    #[arg(long, short, default_value = "report.html", value_name = "FILE")]
    pub output: PathBuf,
    /// The implementation, or whole variant, that the others are compared with [default: naive, or the first by name]
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// Also write each chart by itself: JSON and HTML, and SVG and PNG where there is a browser
    #[arg(long, value_name = "DIR")]
    pub figures: Option<PathBuf>,
    /// Exit with 4 where a damaged file of the store was left out
    #[arg(long)]
    pub strict: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Arguments of `store`.
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// What to do with it
    #[command(subcommand)]
    pub action: StoreAction,
}

/// Arguments of `store ls`.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// Only runs that began within this time (90m, 7d)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// Only runs with a trial of this workload, and damaged ones of which that cannot be told
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// Exit with 4 where a damaged file of the store was left out
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// What to do with a store.
#[derive(Debug, Subcommand)]
pub enum StoreAction {
    /// List the runs
    #[command(after_help = "Examples:\n  benchbook store ls\n  benchbook store ls --since 7d --workload attention")]
    Ls(LsArgs),
    /// Check every checksum
    #[command(after_help = "Example:\n  benchbook --store datasets/demo store verify")]
    Verify(FormatArgs),
    /// Turn the journals of dead runs into Parquet
    #[command(after_help = "Example:\n  benchbook store repair")]
    Repair(FormatArgs),
    /// Copy the runs of another store into this one
    #[command(after_help = "Example:\n  benchbook --store all store merge results")]
    Merge {
        /// The other store: folder or URL
        from: String,
    },
}
