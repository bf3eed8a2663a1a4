//! Many tests at once.

use crate::{Error, Result, check};

/// The p-values adjusted to control the false discovery rate, in the order given.
///
/// The step-up procedure of Benjamini & Hochberg, *Controlling the False Discovery Rate* (1995): valid
/// for independent or positively dependent tests. Reject those at or below the rate wanted.
///
/// # Errors
/// [`Error::TooFew`] for none, [`Error::NotFinite`], [`Error::OutOfRange`] outside [0, 1].
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>> {
    check::finite(p_values, 1)?;
    if let Some(&value) = p_values.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Error::OutOfRange { what: "a p-value", value, range: "[0, 1]" });
    }
    let tests = p_values.len();
    let mut order: Vec<usize> = (0..tests).collect();
    order.sort_unstable_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0_f64; tests];
    let mut smallest = 1.0_f64;
    for (rank, &test) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[test] * (tests as f64 / (rank + 1) as f64));
        adjusted[test] = smallest;
    }
    Ok(adjusted)
}

/// The level of the intervals drawn of `selected` results out of `tests` so that at most the share
/// `rate` of those drawn is expected to miss: 1 - R q / m.
///
/// Benjamini & Yekutieli, *False Discovery Rate-Adjusted Multiple Confidence Intervals for Selected
/// Parameters* (2005), definition 1: valid for independent or positively dependent estimates selected
/// by the procedure of [`benjamini_hochberg`] at the same rate.
///
/// # Errors
/// [`Error::TooFew`] where nothing is selected, [`Error::OutOfRange`] where more is selected than tested, for a
/// rate outside (0, 1), and for a level so near 1 that it rounds to it.
pub fn false_coverage_level(selected: usize, tests: usize, rate: f64) -> Result<f64> {
    check::inside("rate", rate)?;
    if selected == 0 {
        return Err(Error::TooFew { needed: 1, got: 0 });
    }
    if selected > tests {
        return Err(Error::OutOfRange { what: "selected", value: selected as f64, range: "[1, tests]" });
    }
    let level = 1.0 - rate * (selected as f64 / tests as f64);
    check::level(level)?;
    Ok(level)
}
