//! What holds for any series.

use benchbook_stats::change::{Rules, change_points};
use benchbook_stats::serial::{autocorrelation, drift, effective_sample_size, settled_from};
use benchbook_stats::*;
use proptest::prelude::*;

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
