//! What the tests share.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use std::path::Path;

/// The cases of a fixture.
pub fn cases<T: DeserializeOwned>(name: &str) -> Vec<T> {
    #[derive(serde::Deserialize)]
    struct Fixture<T> {
        cases: Vec<T>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let fixture: Fixture<T> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(!fixture.cases.is_empty(), "{name} has no case");
    fixture.cases
}

/// That two numbers agree to a relative error.
#[track_caller]
pub fn close(got: f64, wanted: f64, relative: f64, what: &str) {
    let tolerance = relative * wanted.abs();
    assert!((got - wanted).abs() <= tolerance, "{what}: got {got:e}, wanted {wanted:e} to {relative:e}");
}

/// A generator for one simulation.
pub fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Standard normal values.
pub fn normals(n: usize, generator: &mut ChaCha8Rng) -> Vec<f64> {
    (0..n).map(|_| StandardNormal.sample(generator)).collect()
}

/// The share of `trials` simulations in which something holds, each with a seed of its own.
pub fn share(trials: u64, holds: impl Fn(&mut ChaCha8Rng) -> bool + Sync) -> f64 {
    let count = (0..trials).into_par_iter().filter(|&seed| holds(&mut generator(seed))).count();
    count as f64 / trials as f64
}

/// How far a share of `trials` may lie from its probability: four standard deviations of the
/// binomial share, √(p (1 - p) / trials), which a right method exceeds once in 16,000 seeds.
pub fn binomial_bound(probability: f64, trials: u64) -> f64 {
    4.0 * (probability * (1.0 - probability) / trials as f64).sqrt()
}
