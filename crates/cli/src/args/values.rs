//! Values as people write them: durations, sizes, percentages, parameters, and how answers are printed.

use std::collections::BTreeMap;
use std::time::Duration;

use benchbook_core::CacheRegime;
pub use benchbook_query::{parse_memory, parse_percent, parse_size};
use benchbook_report::By;
use benchbook_search::Method;
use benchbook_workloads::{CATEGORIES, Category};
use clap::{Args, ValueEnum};

use crate::error::Failure;

pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error} (write 30s, 5m, 1h)"))?;
    if duration.is_zero() { Err("must be longer than nothing".into()) } else { Ok(duration) }
}

pub fn parse_cache(text: &str) -> Result<CacheRegime, String> {
    match text {
        "hot" => Ok(CacheRegime::Hot),
        "cold" => Ok(CacheRegime::Cold),
        _ => Err("hot or cold".into()),
    }
}

pub fn parse_by(text: &str) -> Result<By, String> {
    By::ALL.into_iter().find(|by| by.name() == text).ok_or_else(|| By::ALL.map(By::name).join(" or "))
}

pub fn parse_category(text: &str) -> Result<Category, String> {
    let names = || CATEGORIES.map(|one| one.name).join(" or ");
    CATEGORIES.into_iter().find(|one| one.name == text).ok_or_else(names)
}

pub fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// How `tune` finds the next settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finder {
    /// By a method of our own.
    Own(Method),
    /// By Optuna's estimator, in the Python of the project.
    Optuna,
}

impl Finder {
    /// The name that people type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own(method) => method.name(),
            Self::Optuna => "optuna",
        }
    }
}

pub fn parse_method(text: &str) -> Result<Finder, String> {
    let all = || Method::ALL.into_iter().map(Finder::Own).chain([Finder::Optuna]);
    let names = || all().map(Finder::name).collect::<Vec<_>>().join(" or ");
    all().find(|finder| finder.name() == text).ok_or_else(names)
}

/// `time=5ms` or `peak_added_bytes=64MiB`: a metric, and a number in its unit (nanoseconds, bytes, a share).
pub fn parse_bound(text: &str) -> Result<(String, f64), String> {
    let (name, value) = parse_pair(text)?;
    let word = value.trim();
    let number = word.parse::<f64>().ok().filter(|number| number.is_finite());
    let share = || word.ends_with('%').then(|| parse_percent(word).ok()).flatten();
    let bytes = || parse_size(word).ok().map(|bytes| bytes as f64);
    let time = || humantime::parse_duration(word).ok().map(|time| time.as_nanos() as f64);
    let found = number.or_else(share).or_else(bytes).or_else(time);
    let found =
        found.ok_or_else(|| format!("write a number, a time (5ms), a size (64MiB) or a share (90%), not `{word}`"))?;
    if name.is_empty() { Err("write METRIC=VALUE".into()) } else { Ok((name, found)) }
}

/// Values by name, each given once.
///
/// # Errors
/// A name that is given twice: neither value is more likely to be meant. `instead` says what to write.
pub fn once<T: Clone>(option: &str, pairs: &[(String, T)], instead: &str) -> Result<BTreeMap<String, T>, Failure> {
    let mut values = BTreeMap::new();
    for (name, value) in pairs {
        if values.insert(name.clone(), value.clone()).is_some() {
            let instead = instead.replace("NAME", name);
            return Err(Failure::say(format!("{option} {name} is given twice, {instead}")));
        }
    }
    Ok(values)
}

/// `seq_q=128,256` as an axis; each value is read as TOML would read it, and as text otherwise.
pub fn parse_axis(text: &str) -> Result<(String, benchbook_core::Axis), String> {
    let (name, values) = parse_pair(text)?;
    let names = |word: &str| word.split_once('=').is_some_and(|(name, _)| is_name(name.trim()));
    if values.split(',').skip(1).any(names) {
        return Err(format!("give each parameter a --set of its own: {}", apart(text)));
    }
    let one = |word: &str| {
        let document = format!("v = {word}").parse::<toml::Table>().ok();
        let value = document.and_then(|mut table| table.remove("v"));
        value.unwrap_or_else(|| toml::Value::String(word.to_owned()))
    };
    let list = toml::Value::Array(values.split(',').map(|word| one(word.trim())).collect());
    Ok((name, benchbook_core::Axis::try_from(list)?))
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// `a=1,2,b=3` as it should have been written: `--set a=1,2 --set b=3`.
fn apart(text: &str) -> String {
    let mut options = String::new();
    for word in text.split(',') {
        let start = if word.contains('=') { " --set " } else { "," };
        options += start;
        options += word.trim();
    }
    options.trim_start().to_owned()
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub struct FormatArgs {
    /// How to print; arrow and parquet go to stdout as files
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub format: Format,
    /// Show every column of a table, however wide it becomes
    #[arg(long)]
    pub wide: bool,
}

impl From<Format> for FormatArgs {
    fn from(format: Format) -> Self {
        Self { format, wide: false }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_in_the_unit_of_its_metric() {
        for (text, name, value) in [
            ("time=5ms", "time", 5e6),
            ("time=1s 500ms", "time", 1.5e9),
            ("peak_added_bytes=64MiB", "peak_added_bytes", 67_108_864.0),
            ("sparsity=90%", "sparsity", 0.9),
            ("relative_error = 1e-3", "relative_error", 1e-3),
            ("loss=-2.5", "loss", -2.5),
            ("time=250", "time", 250.0),
        ] {
            assert_eq!(parse_bound(text), Ok((name.to_owned(), value)), "{text}");
        }
        for wrong in ["time", "=5ms", "time=fast", "time=", "time=nan", "time=inf"] {
            assert!(parse_bound(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_parameters_are_no_sweep_of_one() {
        for text in ["batch=4,heads=12", "batch=4, heads=12"] {
            assert_eq!(
                parse_axis(text),
                Err("give each parameter a --set of its own: --set batch=4 --set heads=12".into())
            );
        }
        let told = parse_axis("batch=4,8,heads=12").unwrap_err();
        assert!(told.ends_with("--set batch=4,8 --set heads=12"), "{told}");
        for fine in ["batch=4,8", "program=a", "about=x==y", "about=a,<=b"] {
            assert!(parse_axis(fine).is_ok(), "{fine}");
        }
    }
}
