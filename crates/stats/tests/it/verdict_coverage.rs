//! How often verdicts are right, by simulation with fixed seeds and binomial bounds.

use crate::help::{binomial_bound, normals, share};
use benchbook_stats::verdict::{Label, Rules, Verdict, paired_verdict};
use rand_chacha::ChaCha8Rng;

/// Replicates with their own effects, each of a few noisy blocks.
fn experiment(
    replicates: usize,
    blocks: usize,
    effect: f64,
    between: f64,
    within: f64,
    g: &mut ChaCha8Rng,
) -> Vec<(i64, f64)> {
    let own = normals(replicates, g);
    let noise = normals(replicates * blocks, g);
    let value = |i: usize, z: &f64| effect + between * own[i / blocks] + within * z;
    noise.iter().enumerate().map(|(i, z)| ((i / blocks) as i64, value(i, z))).collect()
}

fn covers(verdict: &Verdict, ratio: f64) -> bool {
    let (Some(low), Some(high)) = (verdict.low, verdict.high) else { return false };
    (low..=high).contains(&ratio)
}

#[test]
fn students_interval_over_replicates_covers_exactly() {
    let trials = 10_000;
    for replicates in [5, 8] {
        let got = share(trials, |g| {
            let blocks = experiment(replicates, 4, 0.05, 0.02, 0.03, g);
            covers(&paired_verdict(&blocks, &Rules::default()).unwrap(), 0.05_f64.exp())
        });
        assert!((got - 0.95).abs() <= binomial_bound(0.95, trials), "{replicates}: {got}");
    }
}

#[test]
fn equivalent_is_said_wrongly_at_most_once_in_twenty() {
    // At a true difference of exactly the margin, two one-sided tests at 5 % err at most 5 % of the
    // time; here the other test never matters, so the rate is 5 % itself.
    let trials = 10_000;
    let got = share(trials, |g| {
        let blocks = experiment(8, 4, 0.01_f64.ln_1p(), 0.002, 0.002, g);
        paired_verdict(&blocks, &Rules::default()).unwrap().label == Label::Equivalent
    });
    assert!((got - 0.05).abs() <= binomial_bound(0.05, trials), "{got}");
}

#[test]
fn the_minimum_detectable_effect_is_detected_nine_times_in_ten() {
    // The power at (t.975 + t.90) standard errors is that of a noncentral t, which for 11 degrees of
    // freedom is 0.8997 (SciPy: nct.sf(2.200985, 11, 3.564415)).
    let power = 0.8997;
    let trials = 10_000;
    let (replicates, between) = (12, 0.03);
    // The hierarchical bootstrap is not looked at here.
    let rules = Rules { hierarchical_replicates: usize::MAX, ..Rules::default() };
    let effect = (2.200_985 + 1.363_430) * between / f64::sqrt(12.0);
    let got = share(trials, |g| {
        let blocks = experiment(replicates, 1, effect, between, 0.0, g);
        paired_verdict(&blocks, &rules).unwrap().label == Label::Faster
    });
    assert!((got - power).abs() <= binomial_bound(power, trials), "{got}");
}

#[test]
fn the_block_bootstrap_covers_a_series_that_depends_on_itself() {
    // Independent blocks must be covered at the level at least (the block length costs degrees of
    // freedom, so it may be more). With an autocorrelation of 0.4 a block bootstrap covers less than
    // its level at these lengths: an allowance of 2 % at 100 blocks and 4 % at 30, one-sided.
    let trials = 4_000;
    for (n, correlation, allowance) in [(30, 0.0, 0.0), (100, 0.0, 0.0), (30, 0.4, 0.04), (100, 0.4, 0.02)] {
        let got = share(trials, |g| {
            let mut last = 0.0;
            let series = normals(n + 50, g).into_iter().map(|z| {
                last = correlation * last + z;
                last
            });
            let blocks: Vec<(i64, f64)> = series.skip(50).map(|v| (0, 0.1 + 0.01 * v)).collect();
            covers(&paired_verdict(&blocks, &Rules::default()).unwrap(), 0.1_f64.exp())
        });
        assert!(got >= 0.95 - allowance - binomial_bound(0.95, trials), "{n} {correlation}: {got}");
        assert!(got <= 0.99, "{n} {correlation}: {got}");
    }
}

#[test]
fn the_hierarchical_bootstrap_covers_nearly_from_ten_replicates() {
    // A percentile bootstrap of ten replicates covers some 90 % at a level of 95 %: an allowance of
    // 5 %, one-sided. This is why it only stands beside Student's interval.
    let trials = 1_000;
    let rules = Rules { draws: 300, ..Rules::default() };
    let got = share(trials, |g| {
        let blocks = experiment(10, 4, 0.05, 0.02, 0.02, g);
        let beside = paired_verdict(&blocks, &rules).unwrap().hierarchical.expect("ten replicates");
        beside.contains(0.05_f64.exp())
    });
    assert!(got >= 0.95 - 0.05 - binomial_bound(0.95, trials), "{got}");
    assert!(got <= 0.95 + binomial_bound(0.95, trials), "{got}");
}
