//! What criterion 0.8 prints and stores of a comparison.
//!
//! Its p value and its verdict are public only as text (criterion 0.8.2, `src/report.rs`, `measurement_complete`); the
//! interval of the change is in `change/estimates.json`, in full.

use serde::Deserialize;

use crate::{Error, Estimate, Result};

/// The four sentences with which criterion ends a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// p < 0.05, and the whole interval above +1 %.
    Regressed,
    /// p < 0.05, and the whole interval below -1 %.
    Improved,
    /// p < 0.05, and an interval that meets ±1 %.
    WithinNoise,
    /// p ≥ 0.05.
    NoChange,
}

/// Every verdict and its sentence.
const SENTENCES: [(&str, Verdict); 4] = [
    ("Performance has regressed.", Verdict::Regressed),
    ("Performance has improved.", Verdict::Improved),
    ("Change within noise threshold.", Verdict::WithinNoise),
    ("No change in performance detected.", Verdict::NoChange),
];

/// What its report says.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The sentence.
    pub verdict: Verdict,
    /// The parenthesis of the change, as printed: `p = 0.00 < 0.05`.
    pub p: String,
}

/// Reads a report without colours.
///
/// # Errors
/// [`Error::Unread`] without exactly one sentence, or without a p value that agrees with it.
pub fn parse_report(text: &str) -> Result<Report> {
    let unread = |what| Error::Unread { tool: "criterion", what, output: text.to_owned() };
    let mut verdicts = text.lines().filter_map(|line| SENTENCES.iter().find(|(sentence, _)| line.trim() == *sentence));
    let (Some(&(_, verdict)), None) = (verdicts.next(), verdicts.next()) else {
        return Err(unread("verdict"));
    };
    let p = text.lines().find_map(|line| {
        let (_, rest) = line.split_once("change: [")?.1.split_once("] (")?;
        rest.strip_suffix(')').filter(|p| p.starts_with("p = "))
    });
    let p = p.ok_or_else(|| unread("p value"))?;
    if p.contains(" < ") == (verdict == Verdict::NoChange) {
        return Err(unread("p value that agrees with its verdict"));
    }
    Ok(Report { verdict, p: p.to_owned() })
}

#[derive(Deserialize)]
struct Samples {
    times: Vec<f64>,
}

/// Reads the time in samples, seconds, from `sample.json`.
///
/// # Errors
/// [`Error::Json`] where the file has another shape.
pub fn parse_sampled(json: &str) -> Result<f64> {
    let Samples { times } = serde_json::from_str(json)?;
    Ok(times.iter().sum::<f64>() / 1e9)
}

#[derive(Deserialize)]
struct Change {
    mean: Mean,
}

#[derive(Deserialize)]
struct Mean {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Interval {
    confidence_level: f64,
    lower_bound: f64,
    upper_bound: f64,
}

/// Reads `change/estimates.json` beside the report of the same comparison.
///
/// # Errors
/// [`Error::Json`] where the file has another shape, [`Error::NoInterval`] where its level is not 95 %.
pub fn parse_change(json: &str, report: &Report) -> Result<Estimate> {
    let Change { mean: Mean { confidence_interval: interval, point_estimate } } = serde_json::from_str(json)?;
    if interval.confidence_level != 0.95 {
        return Err(Error::NoInterval("criterion's level is not 95 %"));
    }
    Ok(Estimate {
        ratio: 1.0 + point_estimate,
        low: 1.0 + interval.lower_bound,
        high: 1.0 + interval.upper_bound,
        significant: matches!(report.verdict, Verdict::Regressed | Verdict::Improved),
        significant_no_threshold: report.verdict != Verdict::NoChange,
    })
}
