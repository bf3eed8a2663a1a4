//! BCa intervals against SciPy on the same resamples.

use crate::help::{cases, close};
use benchbook_stats::{Error, Resamples, Statistic, bca, bca_paired_ratio, bca_ratio};
use serde::Deserialize;

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
