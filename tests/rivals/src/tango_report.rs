//! What tango-bench 0.9 prints and dumps of a comparison.
//!
//! Its verdict is the star of the printed line; the interval, which it does not give, comes from the dumped samples.

use crate::{Error, Estimate, Result};

/// The |z| from which tango calls a difference significant (tango-bench 0.9.0, `src/lib.rs`, `DiffEstimate::build`).
const Z: f64 = 2.6;
/// Standard errors on each side of a 95 % interval of a normal estimate.
const Z_95: f64 = 1.96;

/// The two times of one sample, nanoseconds per iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Time of A.
    pub baseline: f64,
    /// Time of B.
    pub candidate: f64,
}

/// The mean difference of pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Number of pairs.
    pub pairs: usize,
    /// Mean of A, nanoseconds.
    pub baseline: f64,
    /// Mean of B - A, nanoseconds.
    pub difference: f64,
    /// Its standard error, with the pairs taken as independent.
    pub error: f64,
}

/// Reads the difference, percent, and the star from the line of the benchmark `name`, without colours.
///
/// # Errors
/// [`Error::Unread`] without such a line.
pub fn parse_line(text: &str, name: &str) -> Result<(f64, bool)> {
    let found = text.lines().find_map(|line| {
        let (_, rest) = line.trim_start_matches("\r\u{1b}[2K").strip_prefix(name)?.split_once(']')?;
        let (percent, star) = rest.trim().split_once('%')?;
        Some((percent.parse().ok()?, star == "*"))
    });
    found.ok_or_else(|| Error::Unread { tool: "tango", what: "line of the benchmark", output: text.to_owned() })
}

/// Reads a dump: baseline, candidate (nanoseconds) and iterations in each line.
///
/// # Errors
/// [`Error::Unread`] where a line has another shape.
pub fn parse_dump(text: &str) -> Result<Vec<Pair>> {
    let pairs = text.lines().map(|line| {
        let mut numbers = line.split(',').map(|number| number.trim().parse::<f64>().ok());
        match [numbers.next(), numbers.next(), numbers.next(), numbers.next()] {
            [Some(Some(baseline)), Some(Some(candidate)), Some(Some(iterations)), None] if iterations > 0.0 => {
                Some(Pair { baseline: baseline / iterations, candidate: candidate / iterations })
            }
            _ => None,
        }
    });
    pairs.collect::<Option<_>>().ok_or_else(|| Error::Unread {
        tool: "tango",
        what: "dump of times and iterations",
        output: text.to_owned(),
    })
}

/// The mean difference of `pairs`.
///
/// # Errors
/// [`Error::NoInterval`] with fewer than two pairs, or where they do not vary.
pub fn paired(pairs: &[Pair]) -> Result<Paired> {
    if pairs.len() < 2 {
        return Err(Error::NoInterval("fewer than two pairs"));
    }
    let n = pairs.len() as f64;
    let baseline = pairs.iter().map(|pair| pair.baseline).sum::<f64>() / n;
    let difference = pairs.iter().map(|pair| pair.candidate - pair.baseline).sum::<f64>() / n;
    let squares: f64 = pairs.iter().map(|pair| (pair.candidate - pair.baseline - difference).powi(2)).sum();
    let error = (squares / (n - 1.0) / n).sqrt();
    if baseline > 0.0 && error > 0.0 {
        Ok(Paired { pairs: pairs.len(), baseline, difference, error })
    } else {
        Err(Error::NoInterval("the pairs do not vary"))
    }
}

impl Paired {
    /// The estimate, with `star` as the verdict; `percent` is what tango printed.
    ///
    /// # Errors
    /// [`Error::NoInterval`] where `percent` is not the difference of these pairs, to its two decimals.
    pub fn estimate(&self, percent: f64, star: bool) -> Result<Estimate> {
        let share = self.difference / self.baseline;
        if (100.0 * share - percent).abs() > 0.006 {
            return Err(Error::NoInterval("the dump is not that of the printed line"));
        }
        let half = Z_95 * self.error / self.baseline;
        Ok(Estimate {
            ratio: 1.0 + share,
            low: 1.0 + share - half,
            high: 1.0 + share + half,
            significant: star,
            significant_no_threshold: (self.difference / self.error).abs() >= Z,
        })
    }
}
