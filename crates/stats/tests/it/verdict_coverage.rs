//! How often verdicts are right, by simulation with fixed seeds and binomial bounds: with a fixed number of
//! replicates, and where a pilot fixes how much is measured.

use crate::help::{binomial_bound, normals, share};
use benchbook_stats::Error;
use benchbook_stats::plan::{Costs, Limits};
use benchbook_stats::simulate::{Coverage, Design, Model, Noise, Simulator, coverage};
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
fn one_value_a_replicate_is_covered_exactly() {
    // What is measured once in a process: its bytes, its error, its time to the first step. The values of both sides
    // are log-normal and share what the process is like, so that the log ratios are normal.
    let trials = 10_000;
    for replicates in [5, 8, 22] {
        let got = share(trials, |g| {
            let shared = normals(replicates, g);
            let of = |mean: f64, own: Vec<f64>| -> Vec<f64> {
                own.iter().zip(&shared).map(|(z, s)| (mean + 0.3 * s + 0.04 * z).exp()).collect()
            };
            let (baseline, candidate) = (of(9.0, normals(replicates, g)), of(8.9, normals(replicates, g)));
            let pairs = (0_i64..).zip(baseline.iter().zip(&candidate));
            let blocks: Vec<(i64, f64)> = pairs.map(|(replicate, (b, c))| (replicate, (b / c).ln())).collect();
            let rules = Rules { exact: true, hierarchical_replicates: usize::MAX, ..Rules::default() };
            covers(&paired_verdict(&blocks, &rules).unwrap(), 0.1_f64.exp())
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

/// Processes that differ by 1 %, blocks by 3 %, neighbours that resemble each other, and drift.
const MODEL: Model = Model {
    effect: 0.05,
    process: 0.01,
    block: 0.03,
    noise: Noise::StudentT3,
    autocorrelation: 0.6,
    drift: 0.002,
    slope: 0.0003,
};

fn design(pilot: usize, stop: bool) -> Design {
    let costs = Costs { process_ns: 2e8, block_ns: 1e7 };
    let limits = Limits {
        half_width: 0.008,
        level: 0.95,
        least_replicates: pilot,
        most_replicates: 40,
        least_blocks: 5,
        most_blocks: 200,
        budget_ns: None,
    };
    Design { pilot, blocks: 20, stop: stop.then_some((costs, limits)) }
}

fn counts(model: &Model, design: &Design, trials: u64) -> Coverage {
    let rules = Rules { hierarchical_replicates: usize::MAX, ..Rules::default() };
    coverage(model, design, &rules, trials, 1).unwrap()
}

#[test]
fn verdict_coverage_with_stop_rule() {
    // Of 1,000 intervals at 95 %, 950 hold the truth with a standard deviation of √(1000 × 0.95 × 0.05) =
    // 6.9: 930 to 970 is 2.9 of them.
    for noise in [Noise::StudentT3, Noise::LogNormal] {
        for (replicates, stop) in [(5, false), (8, true), (10, true), (20, true)] {
            let got = counts(&Model { noise, ..MODEL }, &design(replicates, stop), 1_000);
            assert!((930..=970).contains(&got.covered), "{noise:?} from {replicates}: {got:?}");
            assert_eq!((got.trials, got.without), (1_000, 0));
            assert_eq!(got.covered + got.below + got.above, 1_000);
            // The stop rule must have had something to decide.
            let mean = got.replicates as f64 / 1_000.0;
            assert!(if stop { mean > 1.2 * replicates as f64 && mean < 39.0 } else { mean == 5.0 }, "{mean}");
        }
    }
}

#[test]
fn the_simulator_has_the_variances_that_it_says() {
    // 20,000 replicates of one block: the variance of a normal sample has a relative standard deviation of
    // √(2/20,000) = 1 %, here 4 of them. Heavier tails have no such bound.
    let model = Model { noise: Noise::Normal, drift: 0.02, slope: 0.0, ..MODEL };
    let mut simulator = Simulator::new(&model, 1, 0).unwrap();
    let values: Vec<[f64; 2]> = (0..20_000)
        .map(|_| match simulator.replicate(2)[..] {
            [first, second] => [first, second],
            _ => unreachable!("two blocks were asked for"),
        })
        .collect();
    let firsts: Vec<f64> = values.iter().map(|v| v[0]).collect();
    let (mean, variance) = (benchbook_stats::mean(&firsts).unwrap(), benchbook_stats::variance(&firsts).unwrap());
    let wanted = 1e-4 + 9e-4 + 1e-4;
    assert!((variance / wanted - 1.0).abs() < 0.04, "{variance}");
    assert!((mean - 0.05).abs() < 4.0 * (wanted / 20_000.0_f64).sqrt(), "{mean}");
    // Neighbours share their process and 0.6 of the noise: a covariance of 1e-4 + 0.6 × 9e-4, its standard
    // deviation at most √2 × the variance / √20,000.
    let shared: f64 = values.iter().map(|v| (v[0] - 0.05) * (v[1] - 0.05)).sum::<f64>() / 20_000.0;
    assert!((shared - 6.4e-4).abs() < 4.0 * 1.5 * wanted / 20_000.0_f64.sqrt(), "{shared}");
}

#[test]
fn a_seed_gives_the_same_on_any_number_of_threads() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| counts(&MODEL, &design(8, true), 40))
    };
    assert_eq!(with(1), with(4));
    let replicate = |seed, comparison| Simulator::new(&MODEL, seed, comparison).unwrap().replicate(9);
    assert_eq!(replicate(1, 2), replicate(1, 2));
    assert_ne!(replicate(1, 2), replicate(1, 3));
    assert_ne!(replicate(1, 2), replicate(2, 2));
}

#[test]
fn models_and_designs_that_make_no_sense_are_errors() {
    let of = |model: Model| Simulator::new(&model, 1, 0).err();
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        for model in [
            Model { process: bad, ..MODEL },
            Model { block: bad, ..MODEL },
            Model { drift: bad, ..MODEL },
            Model { slope: bad, ..MODEL },
        ] {
            assert!(matches!(of(model), Some(Error::OutOfRange { .. })), "{model:?}");
        }
    }
    for bad in [1.0, -1.0, f64::NAN] {
        assert!(matches!(of(Model { autocorrelation: bad, ..MODEL }), Some(Error::OutOfRange { .. })), "{bad}");
    }
    assert_eq!(of(Model { effect: f64::NAN, ..MODEL }), Some(Error::NotFinite { index: 0 }));
    let rules = Rules::default();
    let few = |pilot, blocks| coverage(&MODEL, &Design { pilot, blocks, stop: None }, &rules, 2, 1);
    assert_eq!(few(0, 20), Err(Error::TooFew { needed: 1, got: 0 }));
    // One process of one block has no interval.
    assert_eq!(few(1, 1).map(|c| c.without), Ok(2));
    assert_eq!(coverage(&MODEL, &design(8, true), &rules, 0, 1), Ok(Coverage::default()));
}
