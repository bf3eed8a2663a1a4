//! Coverage of the verdict's interval where a pilot fixes how much is measured.

use benchbook_stats::Error;
use benchbook_stats::plan::{Costs, Limits};
use benchbook_stats::simulate::{Coverage, Design, Model, Noise, Simulator, coverage};
use benchbook_stats::verdict::Rules;

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
