//! How often the tests of series err, and how often they find what is there, as the table
//! `datasets/series_tests.csv`:
//!
//!     cargo run --release -p benchbook-stats --example series_tests > datasets/series_tests.csv
//!
//! Each row is a share of simulated autoregressive series (order 1, standard deviation 1, mean 100): a
//! `size` of 0 has nothing to find, so that every alarm is false. Elsewhere a change of that many standard
//! deviations lies in the middle, or the series drifts by as much from its beginning to its end.

use benchbook_stats::change::{Rules, change_points};
use benchbook_stats::serial::drift;
use benchbook_stats::simulate::{Model, Noise, Simulator};
use rayon::prelude::*;
use std::error::Error;
use std::io::Write;

const NOISES: [(&str, Noise); 3] =
    [("normal", Noise::Normal), ("log-normal", Noise::LogNormal), ("t3", Noise::StudentT3)];
const CORRELATIONS: [f64; 4] = [0.0, 0.3, 0.6, 0.8];
const LENGTHS: [usize; 6] = [10, 20, 50, 100, 300, 1000];
const SIZES: [f64; 5] = [0.0, 1.0, 2.0, 3.0, 10.0];

/// A test of a series, the level it promises, and whether it raises an alarm.
struct Tested {
    name: &'static str,
    level: f64,
    alarm: fn(&[f64]) -> benchbook_stats::Result<bool>,
    /// How far the value at `place`, from 0 to 1, lies above the first, as a share of the size.
    shape: fn(place: f64) -> f64,
}

const TESTS: [Tested; 2] = [
    Tested {
        name: "change_points",
        level: 0.01,
        alarm: |x| Ok(!change_points(x, &Rules::default())?.is_empty()),
        shape: |place| if place < 0.5 { 0.0 } else { 1.0 },
    },
    Tested { name: "drift", level: 0.05, alarm: |x| Ok(drift(x)?.p_value <= 0.05), shape: |place| place },
];

/// How many of the series raise an alarm.
fn alarms(test: &Tested, model: &Model, n: usize, size: f64, series: u64) -> benchbook_stats::Result<u64> {
    let one = |seed: u64| {
        let noise = Simulator::new(model, 21, seed)?.replicate(n);
        let place = |i: usize| i as f64 / n as f64;
        let values: Vec<f64> =
            noise.iter().enumerate().map(|(i, v)| 100.0 + v + size * (test.shape)(place(i))).collect();
        (test.alarm)(&values).map(u64::from)
    };
    (0..series).into_par_iter().map(one).sum()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "test,level,noise,autocorrelation,n,size,series,alarms,share")?;
    for test in &TESTS {
        for (name, noise) in NOISES {
            for autocorrelation in CORRELATIONS {
                for (n, size) in LENGTHS.into_iter().flat_map(|n| SIZES.map(|size| (n, size))) {
                    // What nothing is found in wants more series, and long ones take longer.
                    let series = if size == 0.0 { 4_000 } else { 1_000 } / if n >= 300 { 4 } else { 1 };
                    let alarms = alarms(test, &Model::noise(noise, autocorrelation), n, size, series)?;
                    let share = alarms as f64 / series as f64;
                    let (test, level) = (test.name, test.level);
                    writeln!(out, "{test},{level},{name},{autocorrelation},{n},{size},{series},{alarms},{share:.4}")?;
                }
            }
        }
    }
    Ok(())
}
