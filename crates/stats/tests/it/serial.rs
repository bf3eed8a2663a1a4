//! Series in the order of measurement: against SciPy, statsmodels and theory.

use crate::help::{binomial_bound, cases, close, generator, normals, share};
use benchbook_stats::serial::{autocorrelation, drift, effective_sample_size, settled_from};
use benchbook_stats::*;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

/// A stationary AR(1) series with innovations of standard deviation 1.
fn autoregressive(n: usize, phi: f64, generator: &mut ChaCha8Rng) -> Vec<f64> {
    let mut last = 0.0;
    let mut next = |step: f64| {
        last = phi * last + step;
        last
    };
    // The first 200 steps only bring the series into its stationary state.
    normals(n + 200, generator).into_iter().map(&mut next).skip(200).collect()
}

/// Times around 10 with relative noise, the first of them `slow` times as long.
fn warming(n: usize, first: usize, slow: f64, noise: f64, generator: &mut ChaCha8Rng) -> Vec<f64> {
    let time = |(i, z): (usize, f64)| 10.0 * (noise * z).exp() * if i < first { slow } else { 1.0 };
    normals(n, generator).into_iter().enumerate().map(time).collect()
}

#[derive(Deserialize)]
struct Correlations {
    x: Vec<f64>,
    acf: Vec<f64>,
}

#[test]
fn autocorrelations_agree() {
    for c in cases::<Correlations>("autocorrelation") {
        for (lag, wanted) in c.acf.iter().enumerate() {
            let got = autocorrelation(&c.x, lag).unwrap();
            assert!((got - wanted).abs() < 1e-9, "lag {lag}: {got}, not {wanted}");
        }
    }
}

#[derive(Deserialize)]
struct Trend {
    x: Vec<f64>,
    share: f64,
    p_value: f64,
}

#[test]
fn drifts_of_uncorrelated_series_agree() {
    for c in cases::<Trend>("mann_kendall") {
        let got = drift(&c.x).unwrap();
        assert!((got.share - c.share).abs() < 1e-9 * c.share.abs().max(1.0), "{} {}", got.share, c.share);
        close(got.p_value, c.p_value, 1e-9, "p");
    }
}

#[test]
fn effective_sizes_are_those_of_theory() {
    // An AR(1) series is worth n (1-φ) / (1+φ). Of n = 2,000 the estimate has a standard deviation of
    // 6 to 17 % and a bias of up to 5 % (1,000 simulations): 5 % and 4 standard errors of 100 means.
    let n = 2_000;
    for (phi, spread) in [(0.0, 0.06), (0.3, 0.10), (0.6, 0.13), (0.8, 0.17)] {
        let wanted = f64::from(n) * (1.0 - phi) / (1.0 + phi);
        let size = |seed| effective_sample_size(&autoregressive(n as usize, phi, &mut generator(seed))).unwrap();
        let mean = (0..100).map(size).sum::<f64>() / 100.0;
        assert!((mean / wanted - 1.0).abs() <= 0.05 + 4.0 * spread / 10.0, "phi = {phi}: {mean} for {wanted}");
    }
}

#[test]
fn thinned_series_have_the_size_of_the_whole() {
    let x = autoregressive(30_000, 0.6, &mut generator(5));
    // Some 4 % of spread for chunk means, 2.5 % for the theory's own variance: 4 of them together.
    close(effective_sample_size(&x).unwrap(), 7_500.0, 0.2, "thinned");
}

#[test]
fn a_rise_is_found() {
    // The power at a rise of 4 standard deviations in 100 values is 1 but for 1e-20.
    let found = share(200, |g| {
        let x: Vec<f64> = normals(100, g).iter().enumerate().map(|(i, z)| 100.0 + z + 0.04 * i as f64).collect();
        drift(&x).is_ok_and(|d| d.p_value < 0.001 && d.share > 0.02 && d.share < 0.06)
    });
    assert_eq!(found, 1.0);
}

#[test]
fn warm_ups_end_where_they_end() {
    // Ten standard deviations apart no value is on the wrong side (P = 3e-7), so the index is exact
    // wherever no false change follows: bound below.
    for (n, first) in [(100, 10), (100, 30), (1000, 100), (5000, 700)] {
        let got = share(200, |g| settled_from(&warming(n, first, 1.5, 0.02, g)) == Ok(Some(first)));
        assert!(got >= 0.9 - binomial_bound(0.9, 200), "n = {n}, {first}: {got}");
    }
}

#[test]
fn steady_series_have_settled_at_once() {
    // Each search at 0.01: of the whole, of its half and so on down to 20 values, and of the second half.
    for (n, searches) in [(50, 3.0), (300, 5.0), (3000, 9.0)] {
        let bound = 0.01 * searches;
        let got = share(400, |g| settled_from(&warming(n, 0, 1.0, 0.1, g)) != Ok(Some(0)));
        assert!(got <= bound + binomial_bound(bound, 400), "n = {n}: {got}");
        // Only in two of them a change may be too late for anything to have settled.
        let unsettled = share(400, |g| settled_from(&warming(n, 0, 1.0, 0.1, g)) == Ok(None));
        assert!(unsettled <= 0.02 + binomial_bound(0.02, 400), "n = {n}: {unsettled}");
    }
}

#[test]
fn spikes_are_no_change() {
    let mut x = vec![10.0; 200];
    for at in [0, 7, 50, 120, 121, 199] {
        x[at] = 1e6;
        assert_eq!(settled_from(&x), Ok(Some(0)), "spikes up to {at}");
    }
    // 3 % of values five times as long (P(z > 1.88)), in 1 % of noise.
    let got = share(400, |g| {
        let spikes = normals(300, g);
        let mut x = warming(300, 0, 1.0, 0.01, g);
        x.iter_mut().zip(spikes).filter(|(_, z)| *z > 1.88).for_each(|(v, _)| *v *= 5.0);
        settled_from(&x) != Ok(Some(0))
    });
    assert!(got <= 0.05 + binomial_bound(0.05, 400), "{got}");
}

#[test]
fn a_change_too_late_leaves_nothing_settled() {
    let late = |first: usize| settled_from(&warming(90, first, 1.5, 0.01, &mut generator(3)));
    assert_eq!((late(60), late(70)), (Ok(Some(60)), Ok(None)));
    // Less than 1 % is no change, however clear.
    let small = |slow| settled_from(&warming(90, 30, slow, 1e-4, &mut generator(4)));
    assert_eq!((small(1.009), small(1.011)), (Ok(Some(0)), Ok(Some(30))));
}

#[test]
fn bad_input_is_named() {
    let x: Vec<f64> = (1..=12).map(f64::from).collect();
    assert_eq!(settled_from(&[]), Err(Error::TooFew { needed: 1, got: 0 }));
    assert_eq!(settled_from(&[1.0, 0.0]), Err(Error::NotPositive { index: 1 }));
    assert_eq!((settled_from(&[3.0]), settled_from(&[3.0; 50])), (Ok(Some(0)), Ok(Some(0))));
    assert_eq!(settled_from(&x[..9]), Ok(None));
    assert_eq!(effective_sample_size(&[1.0]), Err(Error::TooFew { needed: 2, got: 1 }));
    assert_eq!(drift(&x[..9]), Err(Error::TooFew { needed: 10, got: 9 }));
    assert_eq!(autocorrelation(&[2.0; 5], 1), Err(Error::Constant));
    assert_eq!(autocorrelation(&x, usize::MAX), Err(Error::TooFew { needed: usize::MAX, got: 12 }));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut x = x.clone();
        x[4] = bad;
        let wanted = Error::NotFinite { index: 4 };
        assert_eq!(settled_from(&x), Err(wanted.clone()));
        assert_eq!(effective_sample_size(&x), Err(wanted.clone()));
        assert_eq!(drift(&x), Err(wanted.clone()));
        assert_eq!(autocorrelation(&x, 1), Err(wanted));
    }
    let below: Vec<f64> = x.iter().map(|v| -v).collect();
    assert!(matches!(drift(&below), Err(Error::Degenerate { .. })));
    let huge: Vec<f64> = x.iter().map(|v| v * 2.0_f64.powi(1020)).collect();
    assert_eq!((drift(&huge), autocorrelation(&huge, 1)), (drift(&x), autocorrelation(&x, 1)));
}
