//! Arguments of `matrix`.

use std::path::PathBuf;
use std::time::Duration;

use benchbook_matrix::MEMORY;
use clap::Args;

use super::FormatArgs;
use super::values::{parse_duration, parse_memory};

/// Arguments of `matrix`.
#[derive(Debug, Args)]
pub struct MatrixArgs {
    /// Only these models, a description of your own among them (mine.toml, which may name your weights) [default: SmolLM2-135M, all-MiniLM-L6-v2, Whisper base and four large ones]
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub models: Vec<String>,
    /// Only the models of these tiers, by their parameters, and those of --models: small (below 300 million), medium (3 billion),
    /// large (10 billion), XL
    #[arg(long, value_delimiter = ',', value_name = "TIER,…")]
    pub tiers: Vec<String>,
    /// Only these techniques [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub techniques: Vec<String>,
    /// Two layers of each model at most, short texts and few blocks: a look within 20 minutes a model
    #[arg(long)]
    pub quick: bool,
    /// Layers of a model at most [default: as many as there is room for, with --quick 2, or 1 of large ones]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=128))]
    pub layers: Option<u32>,
    /// Memory that all processes of a run may take (8GiB, or a share of the machine's)
    #[arg(long, value_name = "SIZE|PERCENT", default_value = MEMORY, value_parser = parse_memory)]
    pub memory: u64,
    /// Threads given to every variant [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Begin no run for which no time is left of so much (25m); the same command goes on later
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub time: Option<Duration>,
    /// Use samples too that the machine disturbed, as on one that is never quiet
    #[arg(long, env = "BENCHBOOK_KEEP_DISTURBED", value_parser = clap::builder::FalseyValueParser::new())]
    pub keep_disturbed: bool,
    /// Measure again what the store holds
    #[arg(long)]
    pub again: bool,
    /// Write the matrix as a page that works offline (.html)
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Say what is going to be measured, and measure nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}
