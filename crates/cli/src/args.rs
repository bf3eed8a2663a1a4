//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use benchbook_core::{CacheRegime, DType};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Honest measurement of deep-learning optimizations: paired, interleaved, judged, or undecided.
#[derive(Debug, Parser)]
#[command(
    name = "benchbook",
    version,
    after_help = "\
Examples:
  benchbook run attention --quick
  benchbook compare latest --baseline naive
  benchbook sql \"select variant, median(time_ns) from results group by variant\"
  benchbook report --output report.html

Exit codes: 0 fine, 1 regression, 2 undecided (only if asked), 3 not comparable, 4 everything else"
)]
pub struct Cli {
    /// Folder or URL of the store
    #[arg(long, global = true, env = "BENCHBOOK_STORE", default_value = "results", value_name = "DIR|URL")]
    pub store: String,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure workloads, or what a plan says, and record every sample
    #[command(after_help = "\
Examples:
  benchbook run attention --quick
  benchbook run matmul --set m=256,512 --device flex,libtorch --time 30s
  benchbook run plan.toml")]
    Run(RunArgs),
    /// Show what can be measured, asked, and what of the catalogue works
    #[command(after_help = "Examples:\n  benchbook list\n  benchbook list coverage --format csv")]
    List(ListArgs),
    /// Ask the store in SQL, or by a named query
    #[command(after_help = "\
Examples:
  benchbook sql \"select case_name, variant, median(time_ns) from results group by all\"
  benchbook sql --query speedup --param baseline=naive
  benchbook sql --format parquet \"select * from samples\" > samples.parquet")]
    Sql(SqlArgs),
    /// Compare variants within a run (paired), or two runs (unpaired, sequential)
    #[command(after_help = "\
Examples:
  benchbook compare latest --baseline naive
  benchbook compare latest~1 latest

Runs are named by id, a unique start of it, a tag, `latest`, or `latest~1` for the one before.")]
    Compare(CompareArgs),
    /// Write a report: what was run, on what, tables, charts, checks, what was left out
    #[command(
        after_help = "Examples:\n  benchbook report --output report.html\n  benchbook report latest~1 --output report.md"
    )]
    Report(ReportArgs),
    /// Look at this machine: what disturbs measurements here, what is missing, and the remedy
    #[command(after_help = "Example:\n  benchbook doctor")]
    Doctor(DoctorArgs),
    /// Look after a store
    #[command(
        after_help = "Examples:\n  benchbook store ls\n  benchbook store verify\n  benchbook --store all store merge results"
    )]
    Store(StoreArgs),
    /// Look after the Jupyter kernel Rust (benchbook)
    #[command(after_help = "Examples:\n  benchbook kernel doctor\n  benchbook kernel install --user")]
    Kernel(KernelArgs),
    /// Run notebooks without a person before them
    #[command(after_help = "Example:\n  benchbook notebook run notebooks/*.ipynb --quick --html pages")]
    Notebook(NotebookArgs),
    /// Print the tables of the record, their columns and units
    #[command(after_help = "Example:\n  benchbook schema")]
    Schema,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Names of workloads, or one plan file (`.toml`)
    #[arg(required = true, value_name = "WORKLOAD|PLAN")]
    pub targets: Vec<String>,
    /// Few short cases and few blocks: a first look within a minute or two
    #[arg(long)]
    pub quick: bool,
    /// Only these devices
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub device: Vec<String>,
    /// Only these implementations
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
}

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
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// What to show; without it, all but the coverage
    pub topic: Option<Topic>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Arguments of `sql`.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The statement
    #[arg(required_unless_present = "query", conflicts_with = "query")]
    pub statement: Option<String>,
    /// A named query (`benchbook list queries`)
    #[arg(long, value_name = "NAME")]
    pub query: Option<String>,
    /// A parameter of the named query; may be given again
    #[arg(long = "param", value_name = "NAME=VALUE", conflicts_with = "statement", value_parser = parse_pair)]
    pub params: Vec<(String, String)>,
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
    /// Within one run: the implementation, or whole variant, that the others are compared with
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// Compare runs from unlike environments all the same
    #[arg(long)]
    pub force: bool,
    /// Exit with 1 if a candidate is slower, with 2 if something is undecided
    #[arg(long, value_delimiter = ',', value_name = "slower,undecided", conflicts_with = "candidate")]
    pub fail_on: Vec<FailOn>,
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

/// What to do with a store.
#[derive(Debug, Subcommand)]
pub enum StoreAction {
    /// List the runs
    #[command(after_help = "Example:\n  benchbook store ls")]
    Ls(FormatArgs),
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

/// Arguments of `kernel`.
#[derive(Debug, Args)]
pub struct KernelArgs {
    /// What to do with it
    #[command(subcommand)]
    pub action: KernelAction,
}

/// What to do with the kernel.
#[derive(Debug, Subcommand)]
pub enum KernelAction {
    /// Tell Jupyter of the kernel, with the newest snapshot of the library
    #[command(after_help = "Examples:\n  benchbook kernel install\n  benchbook kernel install --user")]
    Install(KernelInstallArgs),
    /// Say what the kernel needs, what of it is missing here, and how to get it
    #[command(after_help = "Example:\n  benchbook kernel doctor")]
    Doctor(KernelDoctorArgs),
}

/// Arguments of `kernel install`.
#[derive(Debug, Args)]
pub struct KernelInstallArgs {
    /// The environment that gets the kernel [default: the project's Python environment]
    #[arg(long, value_name = "DIR")]
    pub prefix: Option<PathBuf>,
    /// Give it to your own Jupyter folder, for every environment
    #[arg(long, conflicts_with = "prefix")]
    pub user: bool,
    /// The snapshot of the library [default: the newest]
    #[arg(long, value_name = "DIR")]
    pub snapshot: Option<PathBuf>,
    /// The Python that starts the kernel [default: the project's]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// The evcxr_jupyter that runs it [default: beside Python, or on PATH]
    #[arg(long, value_name = "PATH")]
    pub evcxr: Option<PathBuf>,
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
    /// Run notebooks from the first cell to the last, each in a fresh kernel
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
    /// The Jupyter kernel
    #[arg(long, value_name = "NAME", default_value = "benchbook")]
    pub kernel: String,
    /// Most that one cell may write
    #[arg(long, value_name = "SIZE", default_value = "10MB", value_parser = parse_size)]
    pub max_output: u64,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub struct FormatArgs {
    /// How to print; arrow and parquet go to stdout as files
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub format: Format,
}

/// A way to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One JSON array of objects
    Json,
    /// Comma-separated with a header
    Csv,
    /// An Arrow IPC stream
    Arrow,
    /// A Parquet file
    Parquet,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error} (write 30s, 5m, 1h)"))?;
    if duration.is_zero() { Err("must be longer than nothing".into()) } else { Ok(duration) }
}

/// `500`, `64kB`, `10MB`, `1GiB`: a number of bytes.
fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("b", 1),
        ("", 1),
    ];
    let text = text.trim().to_ascii_lowercase();
    let wrong = || "write a size such as 500kB, 10MB or 1GiB".to_owned();
    let (digits, unit) =
        UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit))).ok_or_else(wrong)?;
    let size = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(*unit)).ok_or_else(wrong)?;
    if size == 0 { Err("must be more than nothing".into()) } else { Ok(size) }
}

fn parse_cache(text: &str) -> Result<CacheRegime, String> {
    match text {
        "hot" => Ok(CacheRegime::Hot),
        "cold" => Ok(CacheRegime::Cold),
        _ => Err("hot or cold".into()),
    }
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// `seq_q=128,256` as an axis; each value is read as TOML would read it, and as text otherwise.
fn parse_axis(text: &str) -> Result<(String, benchbook_core::Axis), String> {
    let (name, values) = parse_pair(text)?;
    let one = |word: &str| {
        let document = format!("v = {word}").parse::<toml::Table>().ok();
        let value = document.and_then(|mut table| table.remove("v"));
        value.unwrap_or_else(|| toml::Value::String(word.to_owned()))
    };
    let list = toml::Value::Array(values.split(',').map(|word| one(word.trim())).collect());
    Ok((name, benchbook_core::Axis::try_from(list)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let cases = [("500", 500), ("64 kB", 64_000), ("10MB", 10_000_000), ("1GiB", 1 << 30), ("7b", 7)];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1", "1.5MB", "0", "10 TB", "99999999999999999999", "99999999999999GB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
