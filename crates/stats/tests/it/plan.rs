//! Plans: variances recovered, the cheapest allocation, curves over time, and what cannot be planned.

use crate::help::{close, generator, normals};
use benchbook_stats::plan::*;
use benchbook_stats::{Error, student_interval};
use proptest::prelude::*;

/// Replicates with effects of their own; the blocks of each are an AR(1) series with a variance of 1.
fn pilot(sizes: &[usize], process: f64, correlation: f64, seed: u64) -> Vec<Vec<f64>> {
    let mut g = generator(seed);
    let own = normals(sizes.len(), &mut g);
    let innovation = (1.0 - correlation * correlation).sqrt();
    let mut series = |own: f64, n: usize| -> Vec<f64> {
        let z = normals(n, &mut g);
        let mut last = z[0];
        z.iter()
            .enumerate()
            .map(|(i, z)| {
                last = if i == 0 { *z } else { correlation * last + innovation * z };
                process * own + last
            })
            .collect()
    };
    sizes.iter().zip(own).map(|(&n, own)| series(own, n)).collect()
}

fn components_of(replicates: &[Vec<f64>]) -> Result<Components, Error> {
    components(&replicates.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[test]
fn planted_variances_are_recovered() {
    // The spread S² of 400 normal means has a relative standard deviation of √(2/399) = 7.1 %, and the
    // process variance is S² less what blocks explain: 4 of them on S². The pooled block variance has at
    // least 400 × (50/10 - 1) degrees of freedom: 4 × √(2/1600) = 14 %.
    let even: Vec<usize> = vec![50; 400];
    let uneven: Vec<usize> = (0..400).map(|i| if i % 2 == 0 { 8 } else { 60 }).collect();
    for sizes in [even, uneven] {
        for process in [0.0, 0.2, 1.0] {
            let got = components_of(&pilot(&sizes, process, 0.0, 3)).unwrap();
            let explained = sizes.iter().map(|n| 1.0 / *n as f64).sum::<f64>() / sizes.len() as f64;
            let bound = 4.0 * (2.0_f64 / 399.0).sqrt() * (process * process + explained) + 0.15 * explained;
            assert!((got.process - process * process).abs() < bound, "{process}: {got:?}");
            assert!((got.block - 1.0).abs() < 0.15, "{got:?}");
            assert_eq!((got.replicates, got.df), (400, 399.0));
        }
    }
}

#[test]
fn blocks_that_depend_on_each_other_count_for_fewer() {
    // An AR(1) series with φ = 0.6 has a mean with (1 + φ) / (1 - φ) = 4 times the variance of independent
    // values. A circular block bootstrap of length l falls short of that by Σ|k|R(k) / (l ΣR(k)) = 1.875 / l;
    // at 400 blocks l is about 13, so by 15 %, and twice that where the length is chosen too short.
    let got = components_of(&pilot(&[400; 60], 0.5, 0.6, 4)).unwrap();
    assert!((4.0 * 0.7..4.0 * 1.1).contains(&got.block), "{got:?}");
    // 4 standard deviations √(2/59) of the spread between means, 0.25 + 4/400.
    assert!((got.process - 0.25).abs() < 4.0 * 0.184 * 0.26, "{got:?}");
}

/// The multiplier of the standard error, with what a planned number costs.
fn multiplier(replicates: usize, pilot: usize, level: f64) -> f64 {
    let t = student_interval(0.0, 1.0, (replicates - 1) as f64, level).unwrap().high;
    let k = pilot as f64;
    t * (1.0 + 2.0 * (k - 1.0) / ((k - 3.0) * (replicates as f64).max(2.0 * k))).sqrt()
}

/// The variance bound: df / χ²(0.2, 7) for a pilot of eight, by scipy.stats.chi2.ppf(0.2, 7).
const EIGHT: f64 = 7.0 / 3.822_321_878_926_2;

fn costs(process_ns: f64, block_ns: f64) -> Costs {
    Costs { process_ns, block_ns }
}

fn limits(half_width: f64, budget_ns: Option<f64>) -> Limits {
    Limits {
        half_width,
        level: 0.95,
        least_replicates: 5,
        most_replicates: 60,
        least_blocks: 5,
        most_blocks: 300,
        budget_ns,
    }
}

/// Every plan in the limits, as (replicates, blocks, half-width, cost).
fn all_plans(c: &Components, costs: &Costs, limits: &Limits) -> Vec<(usize, usize, f64, f64)> {
    let mut plans = Vec::new();
    for replicates in limits.least_replicates..=limits.most_replicates {
        let t = multiplier(replicates, c.replicates, limits.level);
        for blocks in limits.least_blocks..=limits.most_blocks {
            let variance = EIGHT * (c.process + c.block / blocks as f64) / replicates as f64;
            let cost = replicates as f64 * (costs.process_ns + blocks as f64 * costs.block_ns);
            if limits.budget_ns.is_none_or(|budget| cost <= budget) {
                plans.push((replicates, blocks, t * variance.sqrt(), cost));
            }
        }
    }
    plans
}

#[test]
fn no_plan_of_a_grid_is_cheaper_or_narrower() {
    let (mut reached, mut missed) = (0, 0);
    for (process, block) in [(1e-4, 9e-4), (1e-6, 1e-3), (1e-4, 0.0), (0.0, 1e-3), (1e-4, 1e-5), (4e-4, 4e-3)] {
        for c in [costs(2e8, 1e6), costs(2e9, 1e6), costs(1e6, 1e8), costs(0.0, 1e6)] {
            for half_width in [0.02, 0.008, 0.003, 0.001] {
                for budget in [None, Some(2e9), Some(2e10)] {
                    let components = Components { process, block, replicates: 8, df: 7.0 };
                    let limits = limits(half_width, budget);
                    let plans = all_plans(&components, &c, &limits);
                    let got = allocate(&components, &c, &limits);
                    if plans.is_empty() {
                        assert!(matches!(got, Err(Error::OutOfRange { what: "budget_ns", .. })), "{got:?}");
                        continue;
                    }
                    let got = got.unwrap();
                    let what = format!("{components:?} {c:?} {limits:?}: {got:?}");
                    // The chi-square quantile is right to 1 %, so half-widths to 0.5 %.
                    let own = plans.iter().find(|p| (p.0, p.1) == (got.replicates, got.blocks)).expect(&what);
                    close(got.half_width, own.2, 0.005, &what);
                    close(got.cost_ns, own.3, 1e-12, &what);
                    let fine = plans.iter().filter(|p| p.2 <= half_width * 0.995).map(|p| p.3).reduce(f64::min);
                    if let Some(cheapest) = fine {
                        assert!(got.reached && got.half_width <= half_width, "{what}");
                        assert!(got.cost_ns <= 1.05 * cheapest, "{cheapest}: {what}");
                        reached += 1;
                    } else if !got.reached {
                        let narrowest = plans.iter().map(|p| p.2).fold(f64::INFINITY, f64::min);
                        assert!(got.half_width <= 1.016 * narrowest, "{narrowest}: {what}");
                        missed += 1;
                    }
                }
            }
        }
    }
    assert!(reached > 40 && missed > 40, "{reached} {missed}");
}

#[test]
fn many_replicates_get_the_closed_form() {
    // √(process cost / block cost × block variance / process variance) = √(200 × 9) = 42.4 (Kalibera & Jones
    // 2013); near its best the cost is flat, hence 15 %.
    let components = Components { process: 1e-4, block: 9e-4, replicates: 60, df: 59.0 };
    let limits = Limits { most_replicates: 100_000, most_blocks: 10_000, ..limits(2e-4, None) };
    let got = allocate(&components, &costs(2e8, 1e6), &limits).unwrap();
    assert!(got.reached && got.replicates > 5_000, "{got:?}");
    close(got.blocks as f64, 42.4, 0.15, "blocks");
}

#[test]
fn more_time_never_finds_less() {
    let components = Components { process: 1e-4, block: 9e-4, replicates: 8, df: 7.0 };
    let c = costs(2e8, 1e6);
    let mut last = (f64::INFINITY, f64::INFINITY);
    for step in 0..60 {
        let budget = 1.1e9 * 1.2_f64.powi(step);
        let width = half_width_after(&components, &c, budget, 0.95).unwrap();
        let effect = minimum_detectable_effect_after(&components, &c, budget, 0.95, 0.9).unwrap();
        assert!(width <= last.0 && effect <= last.1 && effect > width, "{budget}: {width} {effect}");
        last = (width, effect);
    }
    // At the least budget, five replicates of as many blocks as are left: 1.1e9 / 5 less 2e8, over 1e6.
    let t = student_interval(0.0, 1.0, 4.0, 0.95).unwrap().high;
    let least = t * ((1e-4_f64 + 9e-4 / 20.0) / 5.0).sqrt();
    close(half_width_after(&components, &c, 1.1e9, 0.95).unwrap(), least, 1e-9, "least");
}

#[test]
fn pilots_that_say_too_little_are_errors() {
    let of = |replicates: &[&[f64]]| components(replicates);
    assert_eq!(of(&[]), Err(Error::TooFew { needed: 2, got: 0 }));
    assert_eq!(of(&[&[0.1, 0.2, 0.3]]), Err(Error::TooFew { needed: 2, got: 1 }));
    assert_eq!(of(&[&[0.1, 0.2], &[]]), Err(Error::TooFew { needed: 1, got: 0 }));
    assert_eq!(of(&[&[0.1], &[0.2], &[0.3]]), Err(Error::TooFew { needed: 2, got: 1 }));
    assert_eq!(of(&[&[0.1, 0.1], &[0.1, 0.1]]), Err(Error::Constant));
    assert_eq!(of(&[&[0.1, 0.2], &[0.1, f64::INFINITY]]), Err(Error::NotFinite { index: 3 }));
    assert_eq!(of(&[&[1e300, -1e300], &[0.0, 1.0]]), Err(Error::Overflow));
    // A constant within each process is no block variance at all, and equal means no process variance.
    let apart = of(&[&[0.1, 0.1], &[0.2, 0.2, 0.2]]).unwrap();
    assert!((apart.process - 0.005).abs() < 1e-15 && apart.block == 0.0);
    assert_eq!(of(&[&[0.1, 0.3], &[0.3, 0.1]]).unwrap().process, 0.0);
}

#[test]
fn what_cannot_be_planned_is_an_error() {
    let good = Components { process: 1e-4, block: 1e-3, replicates: 8, df: 7.0 };
    let (c, l) = (costs(1e8, 1e6), limits(0.01, None));
    let named = |components: Components, costs: Costs, limits: Limits| match allocate(&components, &costs, &limits) {
        Err(Error::OutOfRange { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(named(Components { process: bad, ..good }, c, l), "the process variance");
        assert_eq!(named(Components { block: bad, ..good }, c, l), "the block variance");
        assert_eq!(named(Components { df: bad, ..good }, c, l), "df");
        assert_eq!(named(good, costs(bad, 1e6), l), "process_ns");
        assert_eq!(named(good, costs(1e8, bad), l), "block_ns");
        assert_eq!(named(good, c, limits(bad, None)), "half_width");
        assert_eq!(named(good, c, limits(0.01, Some(bad))), "budget_ns");
        assert_eq!(named(good, c, Limits { level: bad, ..l }), "level");
        assert!(half_width_after(&good, &c, bad, 0.95).is_err() && half_width_after(&good, &c, 1e9, bad).is_err());
        assert!(minimum_detectable_effect_after(&good, &c, 1e9, 0.95, bad).is_err());
    }
    assert_eq!(named(good, c, limits(0.01, Some(1e8))), "budget_ns");
    assert_eq!(named(good, c, Limits { least_replicates: 1, ..l }), "least_replicates");
    assert_eq!(named(good, c, Limits { most_replicates: 4, ..l }), "most_replicates");
    assert_eq!(named(good, c, Limits { least_blocks: 0, ..l }), "least_blocks");
    assert_eq!(named(good, c, Limits { most_blocks: 4, ..l }), "most_blocks");
    let none = Components { process: 0.0, block: 0.0, ..good };
    assert_eq!(allocate(&none, &c, &l), Err(Error::Constant));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn components_of_anything_are_numbers(
        replicates in proptest::collection::vec(proptest::collection::vec(
            prop_oneof![8 => -1.0..1.0_f64, 1 => any::<f64>(), 2 => Just(0.5)], 0..12), 0..9),
    ) {
        if let Ok(c) = components_of(&replicates) {
            prop_assert!(c.process >= 0.0 && c.process.is_finite() && c.block >= 0.0 && c.block.is_finite());
            prop_assert!(c.process > 0.0 || c.block > 0.0);
        }
    }

    #[test]
    fn plans_from_anything_are_numbers(
        process in -1e-3..1.0_f64, block in prop_oneof![0.0..1.0_f64, any::<f64>()], df in 0.5..50.0_f64,
        process_ns in prop_oneof![0.0..1e10_f64, any::<f64>()], block_ns in prop_oneof![1.0..1e9_f64, any::<f64>()],
        half_width in prop_oneof![1e-6..1.0_f64, any::<f64>()], level in 0.5..0.9999_f64,
        least in 0_usize..30, more in prop_oneof![0_usize..100, Just(usize::MAX / 2)],
        budget in prop_oneof![Just(None), (1e6..1e13_f64).prop_map(Some), any::<f64>().prop_map(Some)],
    ) {
        let c = Components { process, block, replicates: 8, df };
        let costs = costs(process_ns, block_ns);
        let limits = Limits { half_width, level, least_replicates: least, most_replicates: least + more,
            least_blocks: least, most_blocks: least + more, budget_ns: budget };
        if let Ok(plan) = allocate(&c, &costs, &limits) {
            prop_assert!(plan.half_width.is_finite() && plan.cost_ns.is_finite());
            prop_assert!((least..=least + more).contains(&plan.replicates) && plan.blocks >= least);
            prop_assert!(budget.is_none_or(|b| plan.cost_ns <= b) && (!plan.reached || plan.half_width <= half_width));
        }
        for time in [budget.unwrap_or(1e10), 1e11] {
            let effect = minimum_detectable_effect_after(&c, &costs, time, level, 0.9);
            for answer in [half_width_after(&c, &costs, time, level), effect] {
                prop_assert!(answer.map_or(true, |w| w.is_finite() && w >= 0.0));
            }
        }
    }
}
