//! Where a decoder goes another way than the exact one, and how far it is believed.

use benchbook_core::Rounding;

/// Where a decoder goes another way than the exact one. What it has rounded or decided it is believed as far as rounding in `f32` could
/// have led it there; elsewhere its answers are NaN, and so are never right.
#[derive(Debug, Clone, Copy, Default)]
pub struct Otherwise<'a> {
    /// The first positions that a query sees, and how many of the newest.
    pub window: Option<[usize; 2]>,
    /// What a cache gives back.
    pub cache: Option<Rounded<'a>>,
    /// How deep positions go.
    pub depths: Option<Depths<'a>>,
    /// The share of a query's largest weight by which each of its weights is made less.
    pub least: Option<f64>,
    /// How what matrices are multiplied by is rounded.
    pub rounding: Option<Rounding>,
}

/// Keys and values as a cache of whole numbers gives them back.
#[derive(Debug, Clone, Copy)]
pub struct Rounded<'a> {
    /// By layer, keys and values `[positions, kv_heads · head_dim]`.
    pub layers: &'a [[Vec<f32>; 2]],
    /// The largest whole number, with a scale for each head of a position.
    pub levels: f64,
}

impl Rounded<'_> {
    /// What a cache gives back of the keys (0) or values (1) of a position in a layer, whose heads have `d` numbers: as it was rounded,
    /// where each is a whole number beside what it should be, and NaN elsewhere.
    pub fn believed(&self, (layer, which, position): (usize, usize, usize), numbers: &[f64], d: usize) -> Vec<f64> {
        let kv = numbers.len();
        let given = self.layers.get(layer).and_then(|both| both[which].get(position * kv..)?.get(..kv));
        let Some(given) = given else { return vec![f64::NAN; kv] };
        let of_head = |(numbers, given): (&[f64], &[f32])| {
            let step = numbers.iter().fold(0.0_f64, |most, number| most.max(number.abs())) / self.levels;
            let one = |(number, given): (&f64, &f32)| {
                let given = f64::from(*given);
                if (given - number).abs() <= (0.5 + SLACK) * step { given } else { f64::NAN }
            };
            numbers.iter().zip(given).map(one).collect::<Vec<f64>>()
        };
        numbers.chunks_exact(d).zip(given.chunks_exact(d)).flat_map(of_head).collect()
    }
}

/// Layers of each position.
#[derive(Debug, Clone, Copy)]
pub struct Depths<'a> {
    /// Of each position.
    pub of: &'a [usize],
    /// The first position that may leave before the last layer.
    pub first: usize,
    /// Layers that every position goes through.
    pub least: usize,
    /// The cosine between a position before a layer and behind it from which on it leaves.
    pub alike: f64,
}

/// By how much, of a step of a whole number, rounding in `f32` may lie beyond the middle between two.
const SLACK: f64 = 1e-2;
