//! Intervals cover what they promise, by simulation with fixed seeds.
//!
//! Each share of N simulations is compared with its level within four standard deviations of a
//! binomial share (`binomial_bound`). Where a method is known to cover less than its level in small
//! samples, the bound is the level less the stated allowance less that deviation.

use crate::help::{binomial_bound, normals, share};
use benchbook_stats::*;

const TRIALS: u64 = 20_000;

#[test]
fn students_interval_covers_exactly() {
    for (n, level) in [(2, 0.95), (5, 0.95), (30, 0.9)] {
        let got = share(TRIALS, |g| mean_interval(&normals(n, g), level).unwrap().contains(0.0));
        assert!((got - level).abs() <= binomial_bound(level, TRIALS), "n = {n}: {got}");
    }
}

#[test]
fn the_medians_interval_covers_what_it_says() {
    // Exact for any continuous distribution: here a skewed one with median 1.
    for n in [6, 11, 40] {
        let real = median_coverage(n, 0.95).unwrap();
        let got = share(TRIALS, |g| {
            let x: Vec<f64> = normals(n, g).into_iter().map(f64::exp).collect();
            median_interval(&x, 0.95).unwrap().contains(1.0)
        });
        assert!((got - real).abs() <= binomial_bound(real, TRIALS), "n = {n}: {got}, not {real}");
    }
}

#[test]
fn over_replicates_the_interval_covers_and_over_pooled_samples_it_does_not() {
    // Eight processes of 20 samples; processes differ by 3 %, samples within one by 1 %.
    let processes = |g: &mut rand_chacha::ChaCha8Rng| -> Vec<Vec<f64>> {
        let own = normals(8, g);
        own.into_iter().map(|own| normals(20, g).iter().map(|z| (0.03 * own + 0.01 * z).exp()).collect()).collect()
    };
    let got = share(TRIALS, |g| {
        let medians: Vec<f64> = processes(g).iter().map(|samples| median(samples).unwrap()).collect();
        replicate_interval(&medians, 0.95).unwrap().contains(1.0)
    });
    assert!((got - 0.95).abs() <= binomial_bound(0.95, TRIALS), "{got}");
    let pooled = share(TRIALS, |g| median_interval(&processes(g).concat(), 0.95).unwrap().contains(1.0));
    assert!(pooled < 0.75, "{pooled}");
}

#[test]
fn the_ratios_interval_covers() {
    // The delta method is asymptotic: at coefficients of variation of 10 % its own error is far
    // below the binomial deviation, so no allowance is made.
    let got = share(TRIALS, |g| {
        let times = |mean: f64, z: Vec<f64>| -> Vec<f64> { z.into_iter().map(|z| mean * (1.0 + 0.1 * z)).collect() };
        let (candidate, baseline) = (times(2.0, normals(15, g)), times(3.0, normals(25, g)));
        ratio_interval(&candidate, &baseline, 0.95).unwrap().contains(1.5)
    });
    assert!((got - 0.95).abs() <= binomial_bound(0.95, TRIALS), "{got}");
}

#[test]
fn the_paired_ratios_interval_covers_exactly() {
    let got = share(TRIALS, |g| {
        let logs: Vec<f64> = normals(10, g).into_iter().map(|z| 0.2 + 0.05 * z).collect();
        paired_ratio(&logs, 0.95).unwrap().contains(0.2_f64.exp())
    });
    assert!((got - 0.95).abs() <= binomial_bound(0.95, TRIALS), "{got}");
}

#[test]
fn blocks_cover_a_series_and_single_values_do_not() {
    // AR(1) with φ = 0.5: blocks of l values see 1 - 2φ / (1 - φ²) / l of the variance of the mean. The best l for a
    // thousand values is (3 / 2 (4 / 3)² 1000)^(1/3) = 13.9, so that is 0.90, and t with 71 degrees of freedom covers
    // 0.942; the length is estimated, for which another 0.01 is allowed. Student's interval takes the mean to be
    // √((1 + φ) / (1 - φ)) = √3 times better known than it is, and covers P(|Z| < 1.96 / √3) = 0.742.
    let trials = 4_000;
    let series = |g: &mut rand_chacha::ChaCha8Rng| -> Vec<f64> {
        let mut last = 0.0;
        let mut values: Vec<f64> = normals(1_100, g);
        for value in &mut values {
            last = 0.5 * last + *value;
            *value = last;
        }
        values.split_off(100)
    };
    let got = share(trials, |g| series_interval(&series(g), 0.95).unwrap().contains(0.0));
    assert!(got >= 0.942 - 0.01 - binomial_bound(0.942, trials), "{got}");
    assert!(got <= 0.95 + binomial_bound(0.95, trials), "{got}");
    let single = share(trials, |g| mean_interval(&series(g), 0.95).unwrap().contains(0.0));
    assert!((single - 0.742).abs() <= binomial_bound(0.742, trials), "{single}");
}

#[test]
fn pairs_of_one_text_cover_what_tells_two_models_apart() {
    // The losses of two models share the difficulty of the text, which goes with neighbours; what tells them apart does
    // not, and Student's interval of single values would cover 0.95. Blocks of at least 500^(1/3) = 8 values lose a
    // little: 0.01.
    let trials = 4_000;
    let got = share(trials, |g| {
        let (own, text) = (normals(500, g), normals(500, g));
        let mut hard = 0.0;
        let losses: Vec<(f64, f64)> = own
            .iter()
            .zip(&text)
            .map(|(own, text)| {
                hard = 0.9 * hard + text;
                (3.0 + hard, 3.1 + hard + 0.3 * own)
            })
            .collect();
        let differences: Vec<f64> = losses.iter().map(|(baseline, candidate)| candidate - baseline).collect();
        series_interval(&differences, 0.95).unwrap().contains(0.1)
    });
    assert!((got - 0.95).abs() <= 0.01 + binomial_bound(0.95, trials), "{got}");
}

#[test]
fn items_cover_a_ratio_of_sums() {
    // Errors over words of 200 utterances: the percentile interval of a ratio covers less than its level by terms of
    // 1/√n times the skewness (Efron & Tibshirani 1993, section 13.4), here below 0.02.
    let trials = 1_000;
    let draws = Resamples::seeded(400, 3);
    let got = share(trials, |g| {
        let z = normals(400, g);
        let words: Vec<f64> = z[..200].iter().map(|z| 10.0 * (0.5 * z).exp()).collect();
        let errors: Vec<f64> =
            z[200..].iter().zip(&words).map(|(z, words)| 0.2 * words * (0.5 * z - 0.125).exp()).collect();
        let rate = |items: &[usize]| {
            Ok(items.iter().map(|&i| errors[i]).sum::<f64>() / items.iter().map(|&i| words[i]).sum::<f64>())
        };
        items_interval(200, 0.95, &draws, rate).unwrap().contains(0.2)
    });
    assert!(got >= 0.95 - 0.02 - binomial_bound(0.95, trials), "{got}");
    assert!(got <= 0.95 + binomial_bound(0.95, trials), "{got}");
}

#[test]
fn bca_covers_nearly() {
    // Of 40 values from a skewed distribution BCa covers the mean less than its level, by 1/n terms
    // of some 2 % (Efron & Tibshirani 1993, section 14.3): the allowance, one-sided.
    let trials = 1_000;
    let draws = Resamples::seeded(400, 1);
    let got = share(trials, |g| {
        let x: Vec<f64> = normals(40, g).into_iter().map(|z| (0.5 * z).exp()).collect();
        bca(&x, Statistic::Mean, 0.9, &draws).unwrap().contains(0.125_f64.exp())
    });
    assert!(got >= 0.9 - 0.025 - binomial_bound(0.9, trials), "{got}");
    assert!(got <= 0.9 + binomial_bound(0.9, trials), "{got}");
}

#[test]
fn bca_of_ratios_covers_nearly() {
    let trials = 1_000;
    let (draws, others) = (Resamples::seeded(400, 1), Resamples::seeded(400, 2));
    let skewed = |z: Vec<f64>| -> Vec<f64> { z.into_iter().map(|z| (0.3 * z).exp()).collect() };
    let unpaired = share(trials, |g| {
        let (candidate, baseline) = (skewed(normals(40, g)), skewed(normals(40, g)));
        bca_ratio(&candidate, &baseline, Statistic::Mean, 0.9, &draws, &others).unwrap().contains(1.0)
    });
    let paired = share(trials, |g| {
        let candidate = skewed(normals(40, g));
        let baseline: Vec<f64> =
            candidate.iter().zip(skewed(normals(40, g))).map(|(c, noise)| 2.0 * c * noise).collect();
        // The ratio of the means: 2 exp(0.3² / 2).
        bca_paired_ratio(&candidate, &baseline, Statistic::Mean, 0.9, &draws).unwrap().contains(2.0 * 0.045_f64.exp())
    });
    for got in [unpaired, paired] {
        assert!(got >= 0.9 - 0.025 - binomial_bound(0.9, trials), "{got}");
        assert!(got <= 0.9 + binomial_bound(0.9, trials), "{got}");
    }
}

#[test]
fn p_values_are_uniform_where_nothing_differs() {
    let welch = share(TRIALS, |g| welch_t(&normals(9, g), &normals(9, g)).unwrap().p <= 0.05);
    // Welch's approximation at 9 and 9 equal variances is right to a fraction of the deviation.
    assert!((welch - 0.05).abs() <= binomial_bound(0.05, TRIALS), "{welch}");
    // Exact tests are never too often significant; their p-values come in steps.
    let ranks = share(TRIALS, |g| mann_whitney(&normals(8, g), &normals(9, g), Method::Exact).unwrap().p <= 0.05);
    assert!((0.03..=0.05 + binomial_bound(0.05, TRIALS)).contains(&ranks), "{ranks}");
    let signs =
        share(TRIALS, |g| wilcoxon_signed_rank(&normals(12, g), Zeros::Discard, Method::Exact).unwrap().p <= 0.05);
    assert!((0.03..=0.05 + binomial_bound(0.05, TRIALS)).contains(&signs), "{signs}");
}

#[test]
fn the_exponents_interval_covers_exactly() {
    let x: Vec<f64> = (4..12).map(|i| f64::from(1 << i)).collect();
    let got = share(TRIALS, |g| {
        let noise = normals(x.len(), g);
        let y: Vec<f64> = x.iter().zip(noise).map(|(x, z)| 3.0 * x.powf(1.7) * (0.1 * z).exp()).collect();
        fit::power_law(&x, &y, 0.95).unwrap().exponent.contains(1.7)
    });
    assert!((got - 0.95).abs() <= binomial_bound(0.95, TRIALS), "{got}");
}
