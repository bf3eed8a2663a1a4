//! What is known of the work and of the neighbour: extra shares are exact, bursts have their means.

use rivals::{Bursts, Error, OPERATIONS, Share, Side, Work};

#[test]
fn shares_are_exact_at_every_length() {
    for (extra, parts) in
        [(0.0, 0_u64), (0.01, 10_000), (0.05, 50_000), (1.0 / 3.0, 333_333), (1.0, 1_000_000), (2.5, 2_500_000)]
    {
        let mut share = Share::new(extra).unwrap();
        let mut calls = 0;
        for n in 1..=100_000_u64 {
            calls += share.calls();
            assert_eq!(calls, n + n * parts / 1_000_000, "{extra}, {n}");
        }
    }
}

#[test]
fn shares_out_of_range() {
    for extra in [-0.01, 10.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(Share::new(extra), Err(Error::OutOfRange { .. })), "{extra}");
        assert!(Side::new(Work::Dependent, extra, 1).is_err());
    }
}

/// Counts divisible by eight take whole rounds of the unrolled loop: see [`OPERATIONS`].
#[test]
fn operations_keep_their_ratio() {
    for extra in [0.0, 0.01, 0.02, 0.05, 0.1] {
        let operations = Side::new(Work::Dependent, extra, 1).unwrap().operations().unwrap();
        assert_eq!(operations as f64, (OPERATIONS as f64 * (1.0 + extra)).round());
        assert_eq!(operations % 8, 0, "{extra}");
    }
    assert_eq!(Side::new(Work::Gemm, 0.05, 1).unwrap().operations(), None);
}

#[test]
fn calls_of_both_sides_are_repeatable() {
    for work in [Work::Dependent, Work::Gemm] {
        let [mut a, mut same] = [1, 1].map(|seed| Side::new(work, 0.0, seed).unwrap());
        let mut other = Side::new(work, 0.0, 2).unwrap();
        assert_eq!(a.call(), same.call());
        assert_ne!(a.call(), other.call());
    }
}

/// The mean of n = 20,000 exponentials has a relative standard error of 1/√n = 0.71 %: 4 of them are 2.9 %.
#[test]
fn bursts_have_their_means() {
    let n = 20_000;
    for (load, off) in [(0.5, 0.05), (0.2, 0.2), (1.0, 0.0)] {
        let bursts: Vec<_> = Bursts::new(7, load, 50.0).unwrap().take(n).collect();
        let mean = |time: fn(&rivals::Burst) -> f64| bursts.iter().map(time).sum::<f64>() / n as f64;
        assert!((mean(|burst| burst.on.as_secs_f64()) / 0.05 - 1.0).abs() < 0.029);
        let mean_off = mean(|burst| burst.off.as_secs_f64());
        assert!((mean_off - off).abs() <= 0.029 * off, "{mean_off} is not {off}");
    }
}

#[test]
fn bursts_follow_their_seed() {
    let of = |seed| Bursts::new(seed, 0.5, 50.0).unwrap().take(10).collect::<Vec<_>>();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    for (load, burst_ms) in [(0.0, 50.0), (1.1, 50.0), (f64::NAN, 50.0), (0.5, 0.0), (0.5, f64::NAN)] {
        assert!(matches!(Bursts::new(1, load, burst_ms), Err(Error::OutOfRange { .. })));
    }
}
