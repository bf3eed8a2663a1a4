//! Where a decoder goes another way than the exact one, and how far it is believed.

use benchbook_core::Rounding;

use crate::attention::reference::dot;

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
    /// The layer whose attention is a scan: values are weighted by φ(query) · φ(key), with φ(x) = elu(x) + 1 (linear attention,
    /// Katharopoulos et al., arXiv 2006.16236, section 3.2).
    pub scan: Option<usize>,
    /// The experts that a feed-forward network is parted into.
    pub parted: Option<Parted<'a>>,
    /// How what matrices are multiplied by is rounded.
    pub rounding: Option<Rounding>,
}

impl Otherwise<'_> {
    /// The logarithm of the weight by which a query, in a layer, sees the value of a key of as many numbers, but for what is the same of
    /// all keys.
    pub fn score(&self, layer: usize, query: &[f64], key: &[f64]) -> f64 {
        if self.scan != Some(layer) {
            return dot(query, key) / (query.len() as f64).sqrt();
        }
        let feature = |x: &f64| if *x > 0.0 { x + 1.0 } else { x.exp() };
        query.iter().zip(key).map(|(query, key)| feature(query) * feature(key)).sum::<f64>().ln()
    }

    /// Leaves the gates `[channels]` of a position in a layer that are those of its experts, where it goes through some, and puts zeros in
    /// the place of all others; NaN where other experts were right.
    pub fn choose(&self, (layer, position): (usize, usize), gates: &mut [f64]) {
        if let Some(parted) = self.parted.filter(|parted| parted.layer == layer) {
            parted.choose(position, gates);
        }
    }
}

/// The channels of one layer's feed-forward network, parted into experts, of which a position goes through those with the largest gates
/// (Zhang et al., arXiv 2110.01786, section 3).
#[derive(Debug, Clone, Copy)]
pub struct Parted<'a> {
    /// The layer.
    pub layer: usize,
    /// Experts, of channels that lie together.
    pub experts: usize,
    /// Experts of a position.
    pub chosen: usize,
    /// Those that each position went through, the lowest bit the first.
    pub went: &'a [u64],
}

impl Parted<'_> {
    fn choose(&self, position: usize, gates: &mut [f64]) {
        let (hidden, went) = (gates.len(), self.went.get(position).copied().unwrap_or(0));
        let channels = |expert: usize| expert * hidden / self.experts..(expert + 1) * hidden / self.experts;
        let is_chosen = |expert: usize| (went >> expert) & 1 == 1;
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for expert in 0..self.experts {
            let norm = dot(&gates[channels(expert)], &gates[channels(expert)]);
            if is_chosen(expert) {
                least = least.min(norm);
            } else {
                most = most.max(norm);
                gates[channels(expert)].fill(0.0);
            }
        }
        if went.count_ones() as usize != self.chosen || least < (1.0 - NEAR) * most {
            gates.fill(f64::NAN);
        }
    }
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

/// By how much, of the larger, two sums of squares are not told apart.
const NEAR: f64 = 1e-3;

/// By how much, of a step of a whole number, rounding in `f32` may lie beyond the middle between two.
const SLACK: f64 = 1e-2;
