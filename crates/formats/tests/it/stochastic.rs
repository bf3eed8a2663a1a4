//! Stochastic rounding: its mean is the number, as far as that many draws can tell.

use benchbook_formats::{E2M1, E4M3FN, Minifloat, Overflow, Rounding};

const DRAWS: usize = 1 << 16;

/// How far a share of [`DRAWS`] may be from its probability: farther with a chance below 2e-12, whatever the probability, by
/// Hoeffding's inequality (J. Amer. Statist. Assoc. 58, 1963), in which exp(−2 n t²) is 1e-12.
fn bound() -> f64 {
    (1e12_f64.ln() / (2.0 * DRAWS as f64)).sqrt()
}

/// The share of the way from one code to the next that a number is on, and the share of the draws that go to the next.
fn shares(format: &Minifloat, number: f32, seed: u64) -> [f64; 2] {
    let at = |place: usize| {
        let code = format.encode(number, Overflow::Saturate, Rounding::Stochastic { seed }.at(place)).unwrap();
        f64::from(format.decode(code))
    };
    let found: Vec<f64> = (0..DRAWS).map(at).collect();
    let [low, high] = [f64::min, f64::max].map(|end| found.iter().copied().reduce(end).unwrap());
    assert!(low < high, "{number} becomes {low} always");
    let up = found.iter().filter(|one| **one == high).count();
    assert_eq!(up + found.iter().filter(|one| **one == low).count(), DRAWS, "{number} has two neighbours");
    [(f64::from(number) - low) / (high - low), up as f64 / DRAWS as f64]
}

#[test]
fn the_mean_is_the_number() {
    // Between normal numbers, just beyond a power of two, between subnormal ones, and of the other sign.
    let of_both = [1.01_f32, 3.3, 0.7, 2.03, 0.011, -1.2, -0.3].map(|number| [(E4M3FN, number), (E2M1, number)]);
    // Below the smallest.
    let numbers = of_both.into_iter().flatten().chain([(E4M3FN, 0.0005), (E2M1, 0.1)]);
    for (seed, (format, number)) in numbers.enumerate() {
        let [right, found] = shares(&format, number, seed as u64);
        assert!((right - found).abs() <= bound(), "{} {number}: {found} for {right}", format.name);
    }
}

#[test]
fn rounding_to_nearest_would_not_pass() {
    // 1.01 is 0.08 of the way to 1.125, and always becomes 1.
    let [right, _] = shares(&E4M3FN, 1.01, 1);
    assert!(right > 2.0 * bound(), "{right}");
}

#[test]
fn a_place_has_its_draw_and_a_seed_its_own() {
    let of = |seed: u64, places: std::ops::Range<usize>| {
        let code = |place| E4M3FN.encode(1.06, Overflow::Special, Rounding::Stochastic { seed }.at(place));
        places.map(code).collect::<Vec<_>>()
    };
    assert_eq!(of(1, 0..1000)[300..], of(1, 300..1000));
    assert_ne!(of(1, 0..1000), of(2, 0..1000));
}
