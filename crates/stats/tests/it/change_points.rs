//! Change points against Apache Otava, planted ones, and how many are found in noise.

use crate::help::{binomial_bound, cases, close, generator, normals, share};
use benchbook_stats::change::{ChangePoint, Rules, change_points};
use benchbook_stats::*;
use serde::Deserialize;

fn found(x: &[f64]) -> Vec<ChangePoint> {
    change_points(x, &Rules::default()).unwrap()
}

/// Noise of standard deviation 1 around a mean.
fn noise(n: usize, mean: f64, seed: u64) -> Vec<f64> {
    normals(n, &mut generator(seed)).into_iter().map(|z| z + mean).collect()
}

#[derive(Deserialize)]
struct Changes {
    name: String,
    x: Vec<f64>,
    least_effect: f64,
    index: Vec<usize>,
    before: Vec<f64>,
    after: Vec<f64>,
    p_value: Vec<f64>,
}

#[test]
fn change_points_are_those_of_otava() {
    for c in cases::<Changes>("change_points") {
        let rules = Rules { least_effect: c.least_effect, ..Rules::default() };
        let got = change_points(&c.x, &rules).unwrap();
        assert_eq!(got.iter().map(|p| p.index).collect::<Vec<_>>(), c.index, "{} {}", c.name, c.least_effect);
        for (i, point) in got.iter().enumerate() {
            close(point.before, c.before[i], 1e-12, &c.name);
            close(point.after, c.after[i], 1e-12, &c.name);
            close(point.p_value, c.p_value[i], 1e-9, &c.name);
        }
    }
}

#[test]
fn planted_shifts_are_found_where_they_are() {
    // At a shift of 6 standard deviations a value next to the change is on the wrong side of the
    // middle with P(z > 3) = 0.13 %, two with its square: over 200 seeds none is missed by more than 2.
    for seed in 0..200 {
        let at = 15 + (seed as usize * 7) % 170;
        let x = [noise(at, 50.0, seed), noise(200 - at, 44.0, seed + 1_000)].concat();
        assert!(found(&x).iter().any(|p| p.index.abs_diff(at) <= 2 && p.before > p.after), "seed {seed}");
    }
}

#[test]
fn noise_has_few_change_points() {
    // In one window every false point needs one of the n - 3 splits to pass at 0.001 by itself: by the
    // union bound at most 4.7 % of series of 50 have one.
    let bound = 0.001 * 47.0;
    let got = share(400, |g| !found(&normals(50, g)).is_empty());
    assert!(got <= bound + binomial_bound(bound, 400), "{got}");
    // Several windows: each may have its own, and there are at most n / 25 windows.
    let bound = bound * 8.0;
    let got = share(400, |g| !found(&normals(200, g)).is_empty());
    assert!(got <= bound + binomial_bound(bound, 400), "{got}");
}

#[test]
fn points_that_are_too_small_to_matter_are_merged_away() {
    let x = [noise(60, 1000.0, 1), noise(60, 1004.0, 2), noise(60, 1100.0, 3)].concat();
    let points = change_points(&x, &Rules { least_effect: 0.01, ..Rules::default() }).unwrap();
    assert_eq!(points.iter().map(|p| p.index).collect::<Vec<_>>(), [120]);
    close(points[0].before, 1002.0, 1e-3, "the mean of both levels before");
}

#[test]
fn series_without_a_level_to_leave_have_no_point() {
    for x in [vec![], vec![1.0], vec![1.0, 1.0, 9.0], vec![4.0; 300], vec![0.0, -0.0, 0.0, -0.0], vec![-f64::MAX; 9]] {
        assert_eq!(found(&x), [], "{x:?}");
    }
}

#[test]
fn a_step_without_noise_is_found_at_any_size_of_number() {
    for unit in [1.0, -1.0, 1e-300, 5e-324, 8e307] {
        let x = [[unit; 10], [2.0 * unit; 10]].concat();
        let wanted = ChangePoint { index: 10, p_value: 0.0, before: unit, after: 2.0 * unit };
        assert_eq!(found(&x), [wanted]);
    }
    let points = found(&[[-f64::MAX; 20], [f64::MAX; 20]].concat());
    assert_eq!(points.iter().map(|p| (p.before, p.after)).collect::<Vec<_>>(), [(-f64::MAX, f64::MAX)]);
}

#[test]
fn bad_rules_and_values_are_named() {
    let good = Rules::default();
    for (rules, wanted) in [
        (Rules { significance: 0.0, ..good }, "significance"),
        (Rules { significance: f64::NAN, ..good }, "significance"),
        (Rules { least_effect: -0.1, ..good }, "least_effect"),
        (Rules { least_effect: f64::INFINITY, ..good }, "least_effect"),
        (Rules { least_segment: 1, ..good }, "least_segment"),
        (Rules { window: 3, ..good }, "window"),
        (Rules { least_segment: 26, ..good }, "window"),
    ] {
        let error = change_points(&[1.0; 60], &rules).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { what, .. } if what == wanted), "{wanted}: {error:?}");
    }
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(change_points(&[1.0, 2.0, bad], &good), Err(Error::NotFinite { index: 2 }));
    }
}

#[test]
fn long_series_take_no_longer_than_their_length() {
    // 10,000 values with a change every 500, exact but for the values next to each.
    let x: Vec<f64> = (0..20).flat_map(|i| noise(500, f64::from(i % 3) * 20.0 + 50.0, i as u64)).collect();
    let indices: Vec<usize> = found(&x).iter().map(|p| p.index).collect();
    for at in (500..10_000).step_by(500) {
        assert!(indices.contains(&at), "{at}: {indices:?}");
    }
}
