//! Tests against SciPy: statistics to 1e-9, p-values to 1e-6 in relative terms down to 1e-100.

use crate::help::{cases, close};
use benchbook_stats::{Error, Method, Moments, Zeros, mann_whitney, welch_from, welch_t, wilcoxon_signed_rank};
use serde::Deserialize;

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
