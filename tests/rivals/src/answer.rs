//! What a rival answers, as one line of JSON.

use std::io::Write;

use serde::Serialize;

use crate::{Options, Result, Work};

/// Where B stands, by the verdict of the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// B takes longer.
    Slower,
    /// B takes less time.
    Faster,
    /// The tool sees no change.
    None,
}

/// What a tool says of B against A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Time of B / time of A.
    pub ratio: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// The tool calls it a change, by its own defaults.
    pub significant: bool,
    /// The tool's test alone calls it a change, without its least size of a change.
    pub significant_no_threshold: bool,
}

/// The time a tool took, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Took {
    /// From start to answer, its analysis and processes included.
    pub wall: f64,
    /// Warm-up and samples.
    pub measured: f64,
}

/// The line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    tool: &'static str,
    work: Work,
    extra: f64,
    seconds: f64,
    seed: u64,
    wall_s: f64,
    measured_s: f64,
    significant: bool,
    significant_no_threshold: bool,
    direction: Direction,
    ratio: f64,
    low: f64,
    high: f64,
    half_width: f64,
    note: String,
}

impl Answer {
    /// The answer of `tool`.
    #[must_use]
    pub fn new(tool: &'static str, options: &Options, took: Took, estimate: Estimate, note: String) -> Self {
        let Estimate { ratio, low, high, significant, significant_no_threshold } = estimate;
        let direction = match significant {
            true if ratio > 1.0 => Direction::Slower,
            true => Direction::Faster,
            false => Direction::None,
        };
        Self {
            tool,
            work: options.work,
            extra: options.extra,
            seconds: options.seconds,
            seed: options.seed,
            wall_s: took.wall,
            measured_s: took.measured,
            significant,
            significant_no_threshold,
            direction,
            ratio,
            low,
            high,
            half_width: (high - low) / 2.0,
            note,
        }
    }

    /// Where B stands.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }
}

/// Writes `value` as one line on stdout.
///
/// # Errors
/// [`crate::Error::Io`] where stdout is closed.
pub fn tell(value: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}
