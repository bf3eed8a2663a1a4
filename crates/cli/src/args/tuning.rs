//! Arguments of what searches: settings of implementations, shapes of cases, and loops that measurements close.

use std::path::PathBuf;
use std::time::Duration;

use benchbook_core::{Axis, DType};
use benchbook_query::TIME;
use clap::Args;

use super::values::{Finder, parse_axis, parse_bound, parse_duration, parse_method, parse_percent};
use super::{BesideArgs, FormatArgs};

/// Arguments of `tune`.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// Name of the workload
    #[arg(required_unless_present = "model", value_name = "WORKLOAD")]
    pub workload: Option<String>,
    /// A model of the matrix in the place of a workload: its techniques are implementations, its sizes parameters
    #[arg(long, conflicts_with = "workload", value_name = "NAME")]
    pub model: Option<String>,
    /// A parameter of the case; one with several values is searched too, as the shape of a model; may be given again
    #[arg(long = "set", value_name = "NAME=VALUE,…", value_parser = parse_axis)]
    pub sets: Vec<(String, Axis)>,
    /// The implementation whose knobs are tuned, or several to choose from [default: the one that has knobs, or all]
    #[arg(long = "implementation", visible_alias = "impl", value_delimiter = ',', value_name = "NAME,…")]
    pub implementations: Vec<String>,
    /// Values of a knob that may be chosen [default: all of every knob]; may be given again
    #[arg(long = "knob", value_name = "NAME=VALUE,…", value_parser = parse_axis)]
    pub knobs: Vec<(String, Axis)>,
    /// The device [default: flex, or the first that is here]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Element types to choose from (f64, f32, f16, bf16)
    #[arg(long, value_delimiter = ',', value_name = "NAME,…", default_value = "f32")]
    pub dtype: Vec<DType>,
    /// Numbers of threads to choose from [default: all cores]
    #[arg(long, value_delimiter = ',', value_name = "N,…")]
    pub threads: Vec<usize>,
    /// What is to be good: the time, or another metric that trials have, on the side that it calls better
    #[arg(long, value_name = "METRIC", default_value = TIME)]
    pub metric: String,
    /// A budget that a setting must keep to (time=5ms, peak_added_bytes=64MiB); may be given again
    #[arg(long, value_name = "METRIC=VALUE", value_parser = parse_bound)]
    pub under: Vec<(String, f64)>,
    /// What a setting must reach at least (tokens_per_second=100); may be given again
    #[arg(long, value_name = "METRIC=VALUE", value_parser = parse_bound)]
    pub over: Vec<(String, f64)>,
    /// Settings that are measured, those of an earlier call of the same name among them
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub budget: usize,
    /// No batch begins after so long (30s, 5m)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub time: Option<Duration>,
    /// How the next setting is found: tpe learns from what was measured, random is its rival, optuna asks Optuna's own
    /// estimator in the Python of the project
    #[arg(long, value_name = "tpe|random|optuna", default_value = "tpe", value_parser = parse_method)]
    pub method: Finder,
    /// Settings that are measured together in the same blocks, before anything is learned from them
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub batch: u16,
    /// Samples of a setting, one in each block
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..))]
    pub blocks: u64,
    /// Least length of a sample; each setting is warmed up for ten times as long
    #[arg(long, value_name = "DURATION", default_value = "5ms", value_parser = parse_duration)]
    pub sample: Duration,
    /// Fresh processes by which the best settings are confirmed; a verdict needs 5
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub replicates: u32,
    /// Seed of the search, of inputs and of the order within blocks
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// What the search is called: another call of this name goes on with it [default: WORKLOAD-METHOD-SEED, or of a model its name]
    #[arg(long, value_name = "WORD")]
    pub name: Option<String>,
    /// Learn nothing from what the store holds of other searches
    #[arg(long)]
    pub afresh: bool,
    /// Where to write every setting that was measured, as CSV, the axes first
    #[arg(long, value_name = "FILE")]
    pub table: Option<PathBuf>,
    /// Use samples too that the machine disturbed, as on one that is never quiet
    #[arg(long, env = "BENCHBOOK_KEEP_DISTURBED", value_parser = clap::builder::FalseyValueParser::new())]
    pub keep_disturbed: bool,
    /// Print what would be chosen from, and measure nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub beside: BesideArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Arguments of `feedback`.
#[derive(Debug, Args)]
pub struct FeedbackArgs {
    /// Name of the workload
    #[arg(required_unless_present = "model", value_name = "WORKLOAD")]
    pub workload: Option<String>,
    /// A model of the matrix in the place of a workload: its techniques are implementations, its sizes parameters
    #[arg(long, conflicts_with = "workload", value_name = "NAME")]
    pub model: Option<String>,
    /// A parameter of the case; the one with several values is what the loop changes, least demanding first; may be given
    /// again
    #[arg(long = "set", value_name = "NAME=VALUE,…", value_parser = parse_axis)]
    pub sets: Vec<(String, Axis)>,
    /// The implementation, or several among which the loop changes, least demanding first
    #[arg(
        long = "implementation",
        visible_alias = "impl",
        value_delimiter = ',',
        value_name = "NAME,…",
        required = true
    )]
    pub implementations: Vec<String>,
    /// The device [default: flex, or the first that is here]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// The element type, or several among which the loop changes, least demanding first
    #[arg(long, value_delimiter = ',', value_name = "NAME,…", default_value = "f32")]
    pub dtype: Vec<DType>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// What the loop keeps to: the most demanding setting that does is looked for (time=5ms, peak_added_bytes=64MiB)
    #[arg(long, value_name = "METRIC=VALUE", value_parser = parse_bound)]
    pub hold: (String, f64),
    /// How far below that a setting must be before the next one is tried
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = parse_percent)]
    pub slack: f64,
    /// Turns after a change before the next step up; the shortest ban of a setting that has failed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub patience: u32,
    /// Turns of the loop, those of an earlier call of the same name among them
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub turns: u64,
    /// Seed of inputs
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// What the loop is called: another call of this name goes on with it [default: WORKLOAD-SEED, or of a model its name]
    #[arg(long, value_name = "WORD")]
    pub name: Option<String>,
    /// Use samples too that the machine disturbed, as on one that is never quiet
    #[arg(long, env = "BENCHBOOK_KEEP_DISTURBED", value_parser = clap::builder::FalseyValueParser::new())]
    pub keep_disturbed: bool,
    #[command(flatten)]
    pub beside: BesideArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}
