//! How often series in which nothing changes seem to change: never more often than promised, whatever their
//! noise. `examples/series_tests.rs` makes the whole table, with how often a change is found.

use crate::help::binomial_bound;
use benchbook_stats::change::{Rules, change_points};
use benchbook_stats::serial::drift;
use benchbook_stats::simulate::{Model, Noise, Simulator};
use rayon::prelude::*;
use std::path::Path;

const NOISES: [Noise; 3] = [Noise::Normal, Noise::LogNormal, Noise::StudentT3];
const TRIALS: u64 = 1_000;

/// How many of the series around 100 raise an alarm.
fn alarms(model: &Model, n: usize, trials: u64, seed: u64, alarm: impl Fn(&[f64]) -> bool + Sync) -> u64 {
    let one = |trial: &u64| {
        let noise = Simulator::new(model, seed, *trial).unwrap().replicate(n);
        alarm(&noise.iter().map(|v| 100.0 + v).collect::<Vec<_>>())
    };
    (0..trials).into_par_iter().filter(one).count() as u64
}

/// Fails where more of the series than `promised` allows raise an alarm, beyond what chance does.
#[track_caller]
fn at_most(promised: f64, correlations: &[f64], lengths: &[usize], alarm: fn(&[f64]) -> bool) {
    for noise in NOISES {
        for &autocorrelation in correlations {
            for &n in lengths {
                let count = alarms(&Model::noise(noise, autocorrelation), n, TRIALS, 11, alarm);
                let share = count as f64 / TRIALS as f64;
                let bound = promised + binomial_bound(promised, TRIALS);
                assert!(share <= bound, "{noise:?}, autocorrelation {autocorrelation}, n = {n}: {share}");
            }
        }
    }
}

fn changes(x: &[f64]) -> bool {
    !change_points(x, &Rules::default()).unwrap().is_empty()
}

fn drifts(x: &[f64]) -> bool {
    drift(x).unwrap().p_value <= 0.05
}

#[test]
fn a_whole_series_seldom_has_a_false_change() {
    at_most(0.01, &[0.0, 0.3], &[10, 20, 50, 100, 300], changes);
}

#[test]
fn correlated_series_have_few_false_changes() {
    at_most(0.03, &[0.6], &[10, 20, 50, 100, 300], changes);
}

#[test]
fn steady_series_seldom_drift() {
    at_most(0.05, &[0.0, 0.3, 0.6], &[10, 20, 50, 100], drifts);
}

#[test]
fn any_level_is_that_of_the_whole_series() {
    for significance in [0.001, 0.2] {
        let rules = Rules { significance, ..Rules::default() };
        for n in [12, 60] {
            let found = |x: &[f64]| !change_points(x, &rules).unwrap().is_empty();
            let share = alarms(&Model::noise(Noise::LogNormal, 0.0), n, TRIALS, 12, found) as f64 / TRIALS as f64;
            assert!(share <= significance + binomial_bound(significance, TRIALS), "{significance}, n = {n}: {share}");
        }
    }
}

#[test]
fn equal_values_make_no_change() {
    // Most values are equal and few are not: tied ranks have a skewed distribution.
    for n in [50, 100, 200] {
        for beyond in [2.0, 1.3, 0.0] {
            let found = |x: &[f64]| changes(&x.iter().map(|v| f64::from(v - 100.0 > beyond)).collect::<Vec<_>>());
            let share = alarms(&Model::noise(Noise::Normal, 0.0), n, TRIALS, 13, found) as f64 / TRIALS as f64;
            assert!(share <= 0.01 + binomial_bound(0.01, TRIALS), "n = {n}, beyond {beyond}: {share}");
        }
    }
}

#[test]
fn the_committed_table_is_of_these_tests_and_keeps_the_promise() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/series_tests.csv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (mut promised, mut repeated) = (0, 0);
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [test, _, noise, autocorrelation, n, size, series, count, _] = cells[..] else { panic!("{line}") };
        let (autocorrelation, series): (f64, u64) = (autocorrelation.parse().unwrap(), series.parse().unwrap());
        if size != "0" || autocorrelation > 0.6 {
            continue;
        }
        let count: u64 = count.parse().unwrap();
        let promise = match test {
            "drift" => 0.05,
            _ if autocorrelation > 0.3 => 0.03,
            _ => 0.01,
        };
        assert!(count as f64 / series as f64 <= promise + binomial_bound(promise, series), "{line}");
        promised += 1;
        if (noise, n) == ("normal", "20") {
            let alarm = if test == "drift" { drifts } else { changes };
            let again = alarms(&Model::noise(Noise::Normal, autocorrelation), 20, series, 21, alarm);
            // Another machine's logarithm may round otherwise; more says that the table is of other tests.
            assert!(again.abs_diff(count) <= 2, "{line}: now {again}");
            repeated += 1;
        }
    }
    // Two tests, three noises, three correlations and six lengths.
    assert_eq!((promised, repeated), (108, 6));
}
