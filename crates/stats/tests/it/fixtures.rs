//! Closed forms, bootstrap intervals and tests against NumPy, SciPy and statsmodels.
//!
//! Closed forms and statistics agree to 1e-9, p-values to 1e-6 in relative terms down to 1e-100; bootstrap intervals
//! are those of SciPy on the same resamples.

use crate::help::{cases, close};
use benchbook_stats as stats;
use benchbook_stats::{
    Error, Method, Moments, Resamples, Statistic, Zeros, bca, bca_paired_ratio, bca_ratio, mann_whitney, welch_from,
    welch_t, wilcoxon_signed_rank,
};
use serde::Deserialize;

const CLOSED: f64 = 1e-9;

#[derive(Deserialize)]
struct Correlated {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    pearson: f64,
    spearman: f64,
}

#[test]
fn correlations_agree() {
    for c in cases::<Correlated>("correlation") {
        close(stats::pearson(&c.x, &c.y).unwrap(), c.pearson, CLOSED, &format!("Pearson, {}", c.name));
        close(stats::spearman(&c.x, &c.y).unwrap(), c.spearman, CLOSED, &format!("Spearman, {}", c.name));
    }
}

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

#[derive(Deserialize)]
struct Case {
    kind: String,
    data: Vec<Vec<f64>>,
    statistic: String,
    level: f64,
    indices: Vec<Vec<Vec<usize>>>,
    low: f64,
    high: f64,
}

#[test]
fn bca_agrees_on_committed_resamples() {
    for c in cases::<Case>("bca") {
        let statistic = if c.statistic == "mean" { Statistic::Mean } else { Statistic::Median };
        let drawn: Vec<Resamples> = c.indices.into_iter().map(Resamples::given).collect();
        let got = match c.kind.as_str() {
            "one" => bca(&c.data[0], statistic, c.level, &drawn[0]),
            "unpaired" => bca_ratio(&c.data[0], &c.data[1], statistic, c.level, &drawn[0], &drawn[1]),
            "paired" => bca_paired_ratio(&c.data[0], &c.data[1], statistic, c.level, &drawn[0]),
            other => panic!("kind {other}"),
        }
        .unwrap();
        close(got.low, c.low, 1e-9, &format!("low, {} {}", c.kind, c.statistic));
        close(got.high, c.high, 1e-9, &format!("high, {} {}", c.kind, c.statistic));
    }
}

#[test]
fn seeded_resamples_do_not_depend_on_threads() {
    let x: Vec<f64> = (0..40).map(|i| f64::from(i * i % 17)).collect();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| bca(&x, Statistic::Mean, 0.95, &Resamples::seeded(500, 1))).unwrap()
    };
    assert_eq!(with(1), with(4));
    assert_ne!(with(1), bca(&x, Statistic::Mean, 0.95, &Resamples::seeded(500, 2)).unwrap());
}

#[test]
fn what_bca_cannot_answer_is_an_error() {
    let some = Resamples::seeded(200, 1);
    let few = Resamples::seeded(39, 1);
    let x = [1.0, 2.0, 4.0, 8.0];
    assert_eq!(bca(&x, Statistic::Mean, 0.95, &few), Err(Error::TooFewResamples { needed: 40, got: 39 }));
    assert_eq!(bca(&[5.0; 4], Statistic::Mean, 0.95, &some), Err(Error::Constant));
    // Whatever is left out, the median of these stays 1, yet it varies between resamples.
    let tied = [1.0, 1.0, 1.0, 1.0, 9.0, 9.0];
    assert!(matches!(bca(&tied, Statistic::Median, 0.9, &some), Err(Error::Degenerate { .. })));
    let other = Resamples::seeded(201, 1);
    let unequal = bca_ratio(&x, &x, Statistic::Mean, 0.9, &some, &other);
    assert_eq!(unequal, Err(Error::UnequalLength { left: 200, right: 201 }));
    let wrong = Resamples::given(vec![vec![0, 1, 2, 4]; 40]);
    assert_eq!(bca(&x, Statistic::Mean, 0.95, &wrong), Err(Error::BadResample { row: 0, size: 4 }));
    let one_sided = Resamples::given((0..40).map(|i| vec![2 + i % 2, 3, 3, 2]).collect());
    assert!(matches!(bca(&x, Statistic::Mean, 0.95, &one_sided), Err(Error::Degenerate { .. })));
}

const STATISTIC: f64 = 1e-9;
const P_VALUE: f64 = 1e-6;

#[derive(Deserialize)]
struct Tail {
    t: f64,
    df: f64,
    p: f64,
}

/// Two samples with a given t and nearly a given number of degrees of freedom, as moments: the
/// second has a standard error so small that it neither adds to t's nor to the freedom.
fn moments_for(t: f64, df: f64) -> Option<(Moments, Moments)> {
    if df.fract() != 0.0 {
        return None;
    }
    let n = df as u64 + 1;
    // A mean of t, and a variance of the mean of 1.
    let here = Moments { n, mean: t, m2: df * n as f64 };
    Some((here, Moments { n: 1 << 40, mean: 0.0, m2: 0.0 }))
}

#[test]
fn students_tails_agree_to_1e_minus_100() {
    let mut smallest = 1.0_f64;
    let mut checked = 0;
    for c in cases::<Tail>("student_tails") {
        let Some((here, there)) = moments_for(c.t, c.df) else { continue };
        let test = welch_from(&here, &there).unwrap();
        close(test.df, c.df, STATISTIC, "degrees of freedom");
        close(test.p, c.p, P_VALUE, &format!("t = {}, df = {}", c.t, c.df));
        smallest = smallest.min(c.p);
        checked += 1;
    }
    assert!(checked >= 10 && smallest < 1e-100, "{checked} tails down to {smallest:e}");
}

#[derive(Deserialize)]
struct Welch {
    x: Vec<f64>,
    y: Vec<f64>,
    statistic: f64,
    df: f64,
    p: f64,
}

#[test]
fn welch_agrees() {
    for c in cases::<Welch>("welch") {
        let test = welch_t(&c.x, &c.y).unwrap();
        close(test.statistic, c.statistic, STATISTIC, "t");
        close(test.df, c.df, STATISTIC, "degrees of freedom");
        close(test.p, c.p, P_VALUE, &format!("p at t = {}", c.statistic));
    }
}

#[derive(Deserialize)]
struct MannWhitney {
    x: Vec<f64>,
    y: Vec<f64>,
    continuity: Option<bool>,
    statistic: f64,
    p: f64,
}

#[test]
fn mann_whitney_agrees() {
    for c in cases::<MannWhitney>("mann_whitney_exact") {
        let test = mann_whitney(&c.x, &c.y, Method::Exact).unwrap();
        close(test.statistic, c.statistic, STATISTIC, "U");
        close(test.p, c.p, P_VALUE, &format!("exact p of {} and {}", c.x.len(), c.y.len()));
        if c.x.len() * c.y.len() <= 2500 {
            assert_eq!(mann_whitney(&c.x, &c.y, Method::Auto).unwrap(), test);
        }
    }
    for c in cases::<MannWhitney>("mann_whitney_asymptotic") {
        let continuity = c.continuity.expect("named");
        let test = mann_whitney(&c.x, &c.y, Method::Asymptotic { continuity }).unwrap();
        close(test.statistic, c.statistic, STATISTIC, "U");
        close(test.p, c.p, P_VALUE, &format!("p of {} and {}, continuity {continuity}", c.x.len(), c.y.len()));
        assert_eq!(mann_whitney(&c.x, &c.y, Method::Exact), Err(Error::Ties));
        if continuity {
            assert_eq!(mann_whitney(&c.x, &c.y, Method::Auto).unwrap(), test);
        }
    }
}

#[derive(Deserialize)]
struct Wilcoxon {
    d: Vec<f64>,
    zeros: Option<String>,
    continuity: Option<bool>,
    statistic: f64,
    p: f64,
}

#[test]
fn wilcoxon_agrees() {
    for c in cases::<Wilcoxon>("wilcoxon_exact") {
        for zeros in [Zeros::Discard, Zeros::Pratt] {
            let test = wilcoxon_signed_rank(&c.d, zeros, Method::Exact).unwrap();
            close(test.statistic, c.statistic, STATISTIC, "W");
            close(test.p, c.p, P_VALUE, &format!("exact p of {}", c.d.len()));
        }
    }
    for c in cases::<Wilcoxon>("wilcoxon_asymptotic") {
        let continuity = c.continuity.expect("named");
        let zeros = match c.zeros.as_deref() {
            Some("wilcox") => Zeros::Discard,
            Some("pratt") => Zeros::Pratt,
            other => panic!("zeros {other:?}"),
        };
        let test = wilcoxon_signed_rank(&c.d, zeros, Method::Asymptotic { continuity }).unwrap();
        close(test.statistic, c.statistic, STATISTIC, "W");
        close(test.p, c.p, P_VALUE, &format!("p of {}, {zeros:?}, continuity {continuity}", c.d.len()));
    }
}
