//! Closed forms against NumPy, SciPy and statsmodels, to 1e-9.

use crate::help::{cases, close};
use benchbook_stats as stats;
use serde::Deserialize;

const CLOSED: f64 = 1e-9;

#[derive(Deserialize)]
struct Described {
    name: String,
    x: Vec<f64>,
    mean: f64,
    variance: f64,
    std_dev: f64,
    median: f64,
    probabilities: Vec<f64>,
    quantiles: Vec<f64>,
    mad: f64,
    geometric_mean: f64,
    fences: [f64; 2],
    outliers: usize,
}

#[test]
fn descriptions_agree() {
    for c in cases::<Described>("describe") {
        let moments: stats::Moments = c.x.iter().copied().collect();
        for (what, got, wanted) in [
            ("mean", stats::mean(&c.x), c.mean),
            ("streamed mean", moments.mean(), c.mean),
            ("variance", stats::variance(&c.x), c.variance),
            ("std_dev", stats::std_dev(&c.x), c.std_dev),
            ("median", stats::median(&c.x), c.median),
            ("mad", stats::mad(&c.x), c.mad),
            ("geometric mean", stats::geometric_mean(&c.x), c.geometric_mean),
            ("low fence", stats::tukey_fences(&c.x).map(|f| f.low), c.fences[0]),
            ("high fence", stats::tukey_fences(&c.x).map(|f| f.high), c.fences[1]),
        ] {
            close(got.unwrap(), wanted, CLOSED, &format!("{what} of {}", c.name));
        }
        // One pass loses digits to the offset: at most n ε κ with κ = √(1 + mean² / variance), the
        // condition of the problem (Chan, Golub & LeVeque 1983, table 1).
        let condition = (1.0 + c.mean * c.mean / c.variance).sqrt();
        let bound = CLOSED.max(c.x.len() as f64 * f64::EPSILON * condition);
        close(moments.variance().unwrap(), c.variance, bound, &format!("streamed variance of {}", c.name));
        assert_eq!(stats::outliers(&c.x), Ok(c.outliers), "outliers of {}", c.name);
        for (p, wanted) in c.probabilities.iter().zip(&c.quantiles) {
            close(stats::quantile(&c.x, *p).unwrap(), *wanted, CLOSED, &format!("quantile {p} of {}", c.name));
        }
    }
}

#[derive(Deserialize)]
struct Intervals {
    name: String,
    x: Vec<f64>,
    level: f64,
    mean_low: f64,
    mean_high: f64,
    median_low: Option<f64>,
    median_high: Option<f64>,
    median_coverage: Option<f64>,
}

#[test]
fn intervals_of_mean_and_median_agree() {
    for c in cases::<Intervals>("intervals") {
        let what = format!("{} at {}", c.name, c.level);
        let mean = stats::mean_interval(&c.x, c.level).unwrap();
        // Bounds near zero are differences: their error is measured against the width.
        let width = c.mean_high - c.mean_low;
        assert!((mean.low - c.mean_low).abs() <= CLOSED * width.max(c.mean_low.abs()), "low {what}");
        assert!((mean.high - c.mean_high).abs() <= CLOSED * width.max(c.mean_high.abs()), "high {what}");
        let median = stats::median_interval(&c.x, c.level);
        match (c.median_low, c.median_high, c.median_coverage) {
            (Some(low), Some(high), Some(coverage)) => {
                let median = median.unwrap();
                assert_eq!((median.low, median.high), (low, high), "median {what}");
                close(stats::median_coverage(c.x.len(), c.level).unwrap(), coverage, CLOSED, &what);
            }
            _ => assert!(matches!(median, Err(stats::Error::TooFew { .. })), "median {what}"),
        }
    }
}

#[derive(Deserialize)]
struct Ratios {
    candidate: Vec<f64>,
    baseline: Vec<f64>,
    level: f64,
    ratio: f64,
    low: f64,
    high: f64,
    paired: Option<[f64; 3]>,
}

#[test]
fn ratios_agree() {
    for c in cases::<Ratios>("ratios") {
        let got = stats::ratio_interval(&c.candidate, &c.baseline, c.level).unwrap();
        for (what, got, wanted) in
            [("ratio", got.estimate, c.ratio), ("low", got.low, c.low), ("high", got.high, c.high)]
        {
            close(got, wanted, CLOSED, what);
        }
        if let Some(paired) = c.paired {
            let logs = stats::log_ratios(&c.candidate, &c.baseline).unwrap();
            let got = stats::paired_ratio(&logs, c.level).unwrap();
            for (got, wanted) in [got.estimate, got.low, got.high].into_iter().zip(paired) {
                close(got, wanted, CLOSED, "paired");
            }
        }
    }
}

#[derive(Deserialize)]
struct Effect {
    x: Vec<f64>,
    y: Vec<f64>,
    d: f64,
    g: f64,
}

#[test]
fn effect_sizes_agree() {
    for c in cases::<Effect>("effect") {
        close(stats::cohens_d(&c.x, &c.y).unwrap(), c.d, CLOSED, "Cohen's d");
        close(stats::hedges_g(&c.x, &c.y).unwrap(), c.g, CLOSED, "Hedges' g");
    }
}

#[derive(Deserialize)]
struct Law {
    x: Vec<f64>,
    y: Vec<f64>,
    level: f64,
    exponent: f64,
    low: f64,
    high: f64,
    coefficient: f64,
    r_squared: f64,
}

#[test]
fn power_laws_agree() {
    for c in cases::<Law>("power_law") {
        let fit = stats::fit::power_law(&c.x, &c.y, c.level).unwrap();
        for (what, got, wanted) in [
            ("exponent", fit.exponent.estimate, c.exponent),
            ("low", fit.exponent.low, c.low),
            ("high", fit.exponent.high, c.high),
            ("coefficient", fit.coefficient, c.coefficient),
            ("r squared", fit.r_squared, c.r_squared),
        ] {
            close(got, wanted, CLOSED, what);
        }
    }
}

#[derive(Deserialize)]
struct Family {
    p: Vec<f64>,
    adjusted: Vec<f64>,
}

#[test]
fn benjamini_hochberg_agrees() {
    for c in cases::<Family>("benjamini_hochberg") {
        for (got, wanted) in stats::benjamini_hochberg(&c.p).unwrap().into_iter().zip(c.adjusted) {
            close(got, wanted, CLOSED, "adjusted p");
        }
    }
}
