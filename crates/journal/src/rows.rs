//! Rows as Rust structs: field names are column names, `run_id` is added by the writer.

use benchbook_core::{CacheRegime, DType, Params};
use serde::{Deserialize, Serialize};

/// How a trial or a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As planned.
    Ok,
    /// With an error, a panic or a timeout.
    Failed,
    /// The output was wrong: a trial's status only.
    Wrong,
    /// The implementation does not do this case here: a trial's status only.
    Unsupported,
    /// By the user or a signal.
    Interrupted,
    /// Too many of its samples were disturbed: a trial's status only.
    Invalid,
}

/// Whether a replicate had a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// A fresh process for each replicate.
    Process,
    /// The process of the caller.
    InProcess,
}

/// Where a metric comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Measured in this run.
    Measured,
    /// Computed from a model.
    Modelled,
    /// Taken from a publication.
    Quoted,
}

/// When a check was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the first sample.
    Before,
    /// After the last sample.
    After,
}

/// How grave an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// May change what a number means.
    Warning,
    /// Something did not work.
    Error,
}

/// A row of `trials`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialRow {
    /// Number of the trial in its run.
    pub trial: i64,
    /// Name of the problem.
    pub workload: String,
    /// Label of the parameters.
    pub case_name: String,
    /// Parameters of the case.
    pub params: Params,
    /// Label of the variant.
    pub variant: String,
    /// Name of the implementation.
    pub implementation: String,
    /// Name of the device.
    pub device: String,
    /// Element type.
    pub dtype: DType,
    /// Worker threads given to every pool.
    pub threads: i64,
    /// Revision and profile of the kernels.
    #[serde(default)]
    pub build: Option<String>,
    /// Engine behind the device.
    #[serde(default)]
    pub engine: Option<String>,
    /// Version of that engine, and the instructions that it took.
    #[serde(default)]
    pub engine_version: Option<String>,
    /// Number of the replicate.
    pub replicate: i64,
    /// Whether the replicate had a process of its own.
    pub isolation: Isolation,
    /// Process id of the worker.
    #[serde(default)]
    pub worker: Option<i64>,
    /// Seed of the inputs: the bits of the unsigned seed.
    pub input_seed: i64,
    /// Hot or cold inputs.
    pub cache: CacheRegime,
    /// Floating-point operations of one call.
    #[serde(default)]
    pub flops: Option<f64>,
    /// Bytes that one call must move at least.
    #[serde(default)]
    pub bytes: Option<f64>,
}

/// A row of `samples`: plain numbers, so that buffering one costs a few stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SampleRow {
    /// Number of the trial in its run.
    pub trial: i64,
    /// Number of the sample in its trial.
    pub sample: i64,
    /// Number of the block, unique in a run.
    pub block: i64,
    /// Place of the trial in the random order of its block.
    pub position: i64,
    /// Calls in the sample.
    pub iterations: i64,
    /// Elapsed time of all calls, in nanoseconds.
    pub elapsed_ns: i64,
    /// When the sample began, in nanoseconds since the run's start.
    pub started_ns: i64,
    /// User time of the whole process during the sample, in nanoseconds.
    pub cpu_user_ns: Option<i64>,
    /// System time of the whole process during the sample, in nanoseconds.
    pub cpu_system_ns: Option<i64>,
    /// Whether the sample may be used.
    pub valid: bool,
    /// Why it may not, or what disturbed one that is kept all the same: a word from the caller's own list.
    pub invalid_reason: Option<&'static str>,
}

/// A row of `outcomes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeRow {
    /// The trial that ended; none: the run itself.
    #[serde(default)]
    pub trial: Option<i64>,
    /// When, in nanoseconds since the run's start.
    pub at_ns: i64,
    /// How.
    pub status: Status,
    /// Why it ended there.
    #[serde(default)]
    pub stop_reason: Option<String>,
    /// Time to set up, check and warm up the trial, in nanoseconds.
    #[serde(default)]
    pub prepare_ns: Option<i64>,
}

/// A row of `measures`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasureRow {
    /// Number of the trial in its run.
    pub trial: i64,
    /// The sample it belongs to; none: the whole trial.
    #[serde(default)]
    pub sample: Option<i64>,
    /// The device it belongs to; none: the host.
    #[serde(default)]
    pub device: Option<String>,
    /// What was measured.
    pub name: String,
    /// How much, in `unit`.
    pub value: f64,
    /// Unit of `value`.
    pub unit: String,
    /// Where the metric comes from.
    pub provenance: Provenance,
}

/// A row of `checks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckRow {
    /// Number of the trial in its run.
    pub trial: i64,
    /// When the check was made.
    pub phase: Phase,
    /// Name of the output; none: the only one, whose name was not told.
    #[serde(default)]
    pub output: Option<String>,
    /// Largest |a − b|.
    pub max_abs_error: f64,
    /// Largest |a − b| over the largest |reference| of its row.
    pub max_scaled_error: f64,
    /// Largest scaled error that passes.
    pub tolerance: f64,
    /// Whether the output was right.
    pub passed: bool,
    /// Rows of the output that were compared.
    pub rows_checked: i64,
}

/// A row of `telemetry`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TelemetryRow {
    /// When, in nanoseconds since the run's start.
    pub at_ns: i64,
    /// The device read; none: the host.
    #[serde(default)]
    pub device: Option<String>,
    /// Where the reading comes from.
    pub source: String,
    /// What was read.
    pub name: String,
    /// How much, in `unit`.
    pub value: f64,
    /// Unit of `value`.
    pub unit: String,
}

/// A row of `events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// When, in nanoseconds since the run's start.
    pub at_ns: i64,
    /// The trial it happened to; none: the run.
    #[serde(default)]
    pub trial: Option<i64>,
    /// How grave it is.
    pub level: Level,
    /// What kind of event, one word.
    pub kind: String,
    /// What happened, for a person.
    pub message: String,
}

/// A row of `steps`: plain numbers, so that buffering one costs a few stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRow {
    /// Number of the trial in its run.
    pub trial: i64,
    /// Number of the sample in its trial.
    pub sample: i64,
    /// Number of the step in its sample, from 0.
    pub step: i64,
    /// When the step began, in nanoseconds since the run's start.
    pub started_ns: i64,
    /// Elapsed time of the step, in nanoseconds.
    pub elapsed_ns: i64,
    /// Tokens that the step made; none: it makes none.
    #[serde(default)]
    pub tokens: Option<i64>,
}

/// A row of `step_values`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepValueRow {
    /// Number of the trial in its run.
    pub trial: i64,
    /// Number of the sample in its trial.
    pub sample: i64,
    /// Number of the step in its sample, from 0.
    pub step: i64,
    /// What the step says of itself.
    pub name: String,
    /// How much, in `unit`.
    pub value: f64,
    /// Unit of `value`.
    pub unit: String,
}
