//! Series in the order of measurement: against SciPy, statsmodels and theory, and what holds for any of them.

use crate::help::{binomial_bound, cases, close, generator, normals, share};
use benchbook_stats::change::{Rules, change_points};
use benchbook_stats::serial::{autocorrelation, drift, effective_sample_size, settled_from};
use benchbook_stats::*;
use proptest::prelude::*;
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

/// Anything a double can be, and plain numbers that make ties.
fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![
        2 => proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO,
        2 => (1_i32..4).prop_map(f64::from),
        2 => 0.01..100.0_f64,
        1 => prop_oneof![Just(f64::MAX), Just(f64::MIN), Just(5e-324), Just(-0.0), Just(f64::NAN), Just(f64::INFINITY)],
    ]
}

fn series() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        proptest::collection::vec(anything(), 0..90),
        proptest::collection::vec(0.01..100.0_f64, 0..90),
        proptest::collection::vec((1_i32..4).prop_map(f64::from), 0..90),
        proptest::collection::vec(0.0..f64::MAX, 0..40),
    ]
}

/// A few levels with a little noise, so that there are changes to find.
fn levels() -> impl Strategy<Value = Vec<f64>> {
    let level = (1_i32..40, proptest::collection::vec(0.0..1.0_f64, 2..40));
    let around = |(mean, noise): (i32, Vec<f64>)| noise.into_iter().map(move |v| v + f64::from(mean));
    proptest::collection::vec(level, 1..5).prop_map(move |all| all.into_iter().flat_map(around).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn change_points_lie_inside_and_in_order(x in prop_oneof![series(), levels()], significance in 1e-9..0.999_f64,
                                             least_effect in 0.0..0.5_f64, least_segment in 2_usize..9) {
        let rules = Rules { significance, least_effect, least_segment };
        match change_points(&x, &rules) {
            Ok(points) => {
                let mut last = 0;
                for p in &points {
                    prop_assert!(p.index >= last + least_segment && p.index + least_segment <= x.len(), "{:?}", points);
                    prop_assert!((0.0..=significance).contains(&p.p_value) && p.before.is_finite() && p.after.is_finite());
                    last = p.index;
                }
                prop_assert!(points.windows(2).all(|w| w[0].after == w[1].before));
            }
            Err(error) => prop_assert!(matches!(error, Error::NotFinite { .. }), "{:?}", error),
        }
    }

    #[test]
    fn series_never_give_nan_nor_panic(x in series(), lag in 0_usize..100) {
        if let Ok(rho) = autocorrelation(&x, lag) {
            prop_assert!(rho.abs() <= 1.0 + 1e-9, "{}", rho);
        }
        if let Ok(size) = effective_sample_size(&x) {
            prop_assert!((1.0..=x.len() as f64).contains(&size), "{}", size);
        }
        if let Ok(found) = drift(&x) {
            prop_assert!(found.share.is_finite() && (0.0..=1.0).contains(&found.p_value), "{:?}", found);
        }
        if let Ok(Some(index)) = settled_from(&x) {
            prop_assert!(index == 0 || (x.len() - index) * 3 >= x.len(), "{}", index);
        }
    }

    #[test]
    fn scale_changes_nothing_but_the_unit(x in levels(), exponent in -900_i32..900) {
        let unit = 2.0_f64.powi(exponent);
        let scaled: Vec<f64> = x.iter().map(|v| v * unit).collect();
        let (here, there) = (change_points(&x, &Rules::default()).unwrap(), change_points(&scaled, &Rules::default()).unwrap());
        prop_assert_eq!(here.len(), there.len());
        for (a, b) in here.iter().zip(&there) {
            prop_assert_eq!((a.index, a.p_value, a.before * unit, a.after * unit), (b.index, b.p_value, b.before, b.after));
        }
        prop_assert_eq!(settled_from(&x), settled_from(&scaled));
        prop_assert_eq!(drift(&x), drift(&scaled));
        prop_assert_eq!(effective_sample_size(&x), effective_sample_size(&scaled));
    }

    #[test]
    fn a_shift_moves_no_change_point(x in proptest::collection::vec(0_i32..1000, 0..120), at in 0_usize..120, step in 0_i32..5000, shift in -4096_i32..4096) {
        // Whole numbers: the shift itself does not round, and distances are the same to the last bit.
        let stepped = |shift: i32| -> Vec<f64> {
            x.iter().enumerate().map(|(i, v)| f64::from(v + shift + if i >= at { step } else { 0 })).collect()
        };
        let index = |x: Vec<f64>| -> Vec<usize> {
            change_points(&x, &Rules::default()).unwrap().into_iter().map(|p| p.index).collect()
        };
        prop_assert_eq!(index(stepped(0)), index(stepped(shift)));
    }
}
