//! The decoders of `prefill` and `generate` in `f64`, a position at a time.

use benchbook_core::Inputs;
use rayon::prelude::*;

use super::axes::Axes;
use super::choice::Advance;
use super::otherwise::{Depths, Otherwise};
use super::stack::{DENSE, Experts, Latent, ROUTED, SHARED, Sizes};
use crate::attention::reference::{add, average, average_above, dot};
use crate::attention::window::{turned_at, turned_by};
use crate::blocks::{Activation, rms_normed};
use crate::experts::{logistic, share};

/// Numbers of a matrix from which on threads share its rows.
const LARGE: usize = 1 << 18;

/// By how much a cosine is not told from a bound.
const NEAR: f64 = 1e-4;

/// The product of two long vectors in eight sums, since one waits for itself.
fn long_dot(x: &[f64], row: &[f32]) -> f64 {
    let ((parts, rest), (others, other_rest)) = (x.as_chunks::<8>(), row.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (part, other) in parts.iter().zip(others) {
        for (sum, (x, weight)) in sums.iter_mut().zip(part.iter().zip(other)) {
            *sum += x * f64::from(*weight);
        }
    }
    sums.into_iter().sum::<f64>() + dot(rest, other_rest)
}

/// A decoder that has seen some positions.
pub struct Model<'a> {
    sizes: Sizes,
    inputs: &'a Inputs,
    /// Keys, turned, and values of each layer, `[positions, kv_heads · head_dim]`.
    keys: Vec<Vec<f64>>,
    values: Vec<Vec<f64>>,
    positions: usize,
    /// Where the newest position stands, if it is not behind all that came before it.
    axes: Option<Axes>,
    otherwise: Otherwise<'a>,
}

impl<'a> Model<'a> {
    /// A decoder that has seen nothing.
    pub fn new(sizes: Sizes, inputs: &'a Inputs) -> Self {
        let empty = vec![Vec::new(); sizes.layers];
        let (keys, values, otherwise) = (empty.clone(), empty, Otherwise::default());
        Self { sizes, inputs, keys, values, positions: 0, axes: None, otherwise }
    }

    /// The same, which goes another way.
    pub fn going(self, otherwise: Otherwise<'a>) -> Self {
        Self { otherwise, ..self }
    }

    /// Row `row` of an input whose rows have so many numbers.
    fn row(&self, name: &str, row: usize, width: usize) -> &'a [f32] {
        &self.inputs.numbers(name)[row * width..][..width]
    }

    /// A matrix of a layer, times `x`.
    fn product(&self, name: &str, layer: usize, x: &[f64], outer: usize) -> Vec<f64> {
        let rounded = self.otherwise.rounding.map(|rounding| rounding.of(x));
        let x = rounded.as_deref().unwrap_or(x);
        let matrix = self.row(name, layer, outer * x.len());
        if matrix.len() < LARGE {
            return matrix.chunks_exact(x.len()).map(|row| dot(x, row)).collect();
        }
        matrix.par_chunks_exact(x.len()).map(|row| long_dot(x, row)).collect()
    }

    fn norm(&self, name: &str, layer: usize, x: &[f64]) -> Vec<f64> {
        rms_normed(x, self.row(name, layer, x.len()))
    }

    /// Numbers of a head at the newest position, turned.
    fn turned(&self, head: &[f64]) -> Vec<f64> {
        let base = self.sizes.rotary_base as f64;
        match &self.axes {
            Some(axes) => turned_at(head, |pair| axes.of(pair), base),
            None => turned_by(head, self.positions, base),
        }
    }

    /// Numbers that lie in pairs, each turned: the first of all pairs, and behind these the second ones.
    fn turned_pairs(&self, numbers: &[f64]) -> Vec<f64> {
        let of_pairs = |which: usize| numbers.iter().skip(which).step_by(2).copied();
        self.turned(&of_pairs(0).chain(of_pairs(1)).collect::<Vec<f64>>())
    }

    /// Queries or keys of the newest position, behind the norms of heads, turned.
    fn placed(&self, heads: &[f64], gain: &str, layer: usize) -> Vec<f64> {
        let one = |head: &[f64]| {
            if self.sizes.architecture.head_norms() {
                self.turned(&self.norm(gain, layer, head))
            } else {
                self.turned(head)
            }
        };
        heads.chunks_exact(self.sizes.head_dim).flat_map(one).collect()
    }

    /// Keeps key and value of the newest position of a layer, as a cache gives them back.
    fn keep(&mut self, layer: usize, seen: &[f64]) {
        let [_, kv] = self.sizes.projected();
        let [key, value] = match self.sizes.latent {
            Some(latent) => self.out_of_latent(latent, layer, seen),
            None => {
                let key = self.placed(&self.product("w_key", layer, seen, kv), "key_gain", layer);
                [key, self.product("w_value", layer, seen, kv)]
            }
        };
        let [key, value] = [(0, key), (1, value)].map(|(which, numbers)| self.rounded(layer, which, numbers));
        self.keys[layer].extend(key);
        self.values[layer].extend(value);
    }

    /// Key and value of the newest position, head by head, out of their latent.
    fn out_of_latent(&self, Latent { kv_rank, rotated, .. }: Latent, layer: usize, seen: &[f64]) -> [Vec<f64>; 2] {
        let Sizes { heads, head_dim: d, .. } = self.sizes;
        let down = self.product("w_latent", layer, seen, kv_rank + rotated);
        let shared = self.turned_pairs(&down[kv_rank..]);
        let latent = self.norm("latent_gain", layer, &down[..kv_rank]);
        let plain = d - rotated;
        let both = self.product("w_key_value", layer, &latent, heads * (plain + d));
        let key = both.chunks_exact(plain + d).flat_map(|both| [&both[..plain], &shared[..]].concat()).collect();
        [key, both.chunks_exact(plain + d).flat_map(|both| both[plain..].to_vec()).collect()]
    }

    /// Queries of the newest position.
    fn queries(&self, layer: usize, seen: &[f64]) -> Vec<f64> {
        let ([all, _], d) = (self.sizes.projected(), self.sizes.head_dim);
        let Some(Latent { query_rank, rotated, .. }) = self.sizes.latent else {
            return self.placed(&self.product("w_query", layer, seen, all), "query_gain", layer);
        };
        let down = self.product("w_query_down", layer, seen, query_rank);
        let queries = self.product("w_query", layer, &self.norm("query_latent_gain", layer, &down), all);
        let of_head = |query: &[f64]| {
            let (plain, last) = query.split_at(d - rotated);
            [plain, &self.turned_pairs(last)[..]].concat()
        };
        queries.chunks_exact(d).flat_map(of_head).collect()
    }

    /// Numbers of the newest position as a cache gives them back, where each is a whole number beside what it should be.
    fn rounded(&self, layer: usize, which: usize, numbers: Vec<f64>) -> Vec<f64> {
        match self.otherwise.cache {
            Some(cache) => cache.believed((layer, which, self.positions), &numbers, self.sizes.head_dim),
            None => numbers,
        }
    }

    /// What attention of a layer makes of what the newest position sees, itself included.
    fn mixed(&self, layer: usize, seen: &[f64]) -> Vec<f64> {
        let Sizes { heads, kv_heads, head_dim: d, .. } = self.sizes;
        let [_, kv] = self.sizes.projected();
        let query = self.queries(layer, seen);
        let (keys, values) = (&self.keys[layer], &self.values[layer]);
        let is_seen = |position: &usize| match self.otherwise.window {
            Some([sinks, window]) => *position < sinks || self.positions - position < window,
            None => true,
        };
        let seen: Vec<usize> = (0..=self.positions).filter(is_seen).collect();
        let of_head = |(head, query): (usize, &[f64])| {
            let at = head / (heads / kv_heads) * d;
            let score = |position: &usize| self.otherwise.score(layer, query, &keys[position * kv + at..][..d]);
            let scores: Vec<f64> = seen.iter().map(score).collect();
            let value = |place: usize| &values[seen[place] * kv + at..];
            match self.otherwise.least {
                Some(least) => average_above(&scores, least, d, value),
                None => average(&scores, d, value),
            }
        };
        query.chunks_exact(d).enumerate().flat_map(of_head).collect()
    }

    /// What the feed-forward network of a layer makes of a position, or those experts of it that have the largest scores.
    fn fed(&self, layer: usize, seen: &[f64]) -> Vec<f64> {
        let hidden = self.sizes.hidden;
        let Some(Experts { count, chosen, beside }) = self.sizes.experts else {
            return self.network(layer, (DENSE, layer), seen, hidden);
        };
        let (dense, names) = beside.map_or((0, DENSE), |beside| (beside.dense, ROUTED));
        let Some(routed) = layer.checked_sub(dense) else {
            return self.network(layer, (DENSE, layer), seen, beside.map_or(hidden, |beside| beside.dense_hidden));
        };
        let mut scores = self.product("w_router", routed, seen, count);
        let mut by = scores.clone();
        if beside.is_some() {
            scores.iter_mut().for_each(|score| *score = logistic(*score));
            let bias = self.row("router_bias", routed, count);
            by = scores.iter().zip(bias).map(|(score, bias)| score + f64::from(*bias)).collect();
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|one, other| by[*other].total_cmp(&by[*one]));
        let taken = &order[..chosen];
        let weight = |expert: &usize| match beside {
            Some(_) => scores[*expert],
            None => (scores[*expert] - scores[taken[0]]).exp(),
        };
        let mut weights: Vec<f64> = taken.iter().map(weight).collect();
        share(&mut weights);
        let mut fed = match beside {
            Some(beside) if beside.shared > 0 => self.network(layer, (SHARED, routed), seen, beside.shared * hidden),
            _ => vec![0.0; seen.len()],
        };
        let scale = beside.map_or(1.0, |beside| beside.percent as f64 / 100.0);
        for (expert, weight) in taken.iter().zip(weights) {
            let made = self.network(layer, (names, routed * count + expert), seen, hidden);
            fed.iter_mut().zip(made).for_each(|(fed, made)| *fed += scale * weight * made);
        }
        fed
    }

    /// The same of one network of a layer, by the names of its inputs and its place among all in these.
    fn network(
        &self,
        layer: usize,
        ([gate, up, down], place): ([&str; 3], usize),
        seen: &[f64],
        hidden: usize,
    ) -> Vec<f64> {
        let gate = self.product(gate, place, seen, hidden);
        let mut gates: Vec<f64> = gate.into_iter().map(|gate| Activation::Silu.apply(gate)).collect();
        self.otherwise.choose((layer, self.positions), &mut gates);
        let up = self.product(up, place, seen, hidden);
        let between: Vec<f64> = up.iter().zip(gates).map(|(up, gate)| up * gate).collect();
        self.product(down, place, &between, self.sizes.width)
    }

    /// Whether the newest position leaves behind a layer; nothing where it was right neither to leave nor to stay.
    fn leaves(&self, layer: usize, [before, behind]: [&[f64]; 2]) -> Option<bool> {
        let Some(Depths { of, first, least, alike }) = self.otherwise.depths else { return Some(false) };
        if self.positions < first || layer + 1 < least {
            return Some(false);
        }
        let cosine = dot(before, behind) / (dot(before, before) * dot(behind, behind)).sqrt();
        let left = of.get(self.positions).is_some_and(|depth| *depth == layer + 1);
        // Behind the last layer, it comes to the same.
        let is_last = layer + 1 == self.sizes.layers;
        (is_last || left == (cosine >= alike) || (cosine - alike).abs() < NEAR).then_some(left)
    }
}

impl Model<'_> {
    /// What a token comes in as, `[width]`.
    pub fn embedded(&self, token: usize) -> Vec<f64> {
        self.row("embedding", token, self.sizes.width).iter().map(|x| f64::from(*x)).collect()
    }

    /// Takes what comes in at the next position, `[width]`, where that stands, and what is added behind each of the first layers; gives
    /// what the last norm makes of it.
    pub fn pass(&mut self, mut stream: Vec<f64>, axes: Option<Axes>, deep: &[&[f64]]) -> Vec<f64> {
        let Sizes { layers, width, .. } = self.sizes;
        self.axes = axes;
        let mut gone = false;
        for layer in 0..layers {
            let seen = self.norm("norm_1", layer, &stream);
            self.keep(layer, &seen);
            if gone {
                continue;
            }
            let before = stream.clone();
            let mixed = self.mixed(layer, &seen);
            add(&mut stream, &self.product("w_out", layer, &mixed, width));
            let seen = self.norm("norm_2", layer, &stream);
            add(&mut stream, &self.fed(layer, &seen));
            if let Some(deep) = deep.get(layer) {
                add(&mut stream, deep);
            }
            match self.leaves(layer, [&before, &stream]) {
                Some(leaves) => gone = leaves,
                None => stream.fill(f64::NAN),
            }
        }
        self.positions += 1;
        self.norm("last_norm", 0, &stream)
    }
}

impl Advance for Model<'_> {
    fn advance(&mut self, token: usize) -> Vec<f64> {
        self.pass(self.embedded(token), None, &[])
    }

    fn logits(&self, hidden: &[f64]) -> Vec<f64> {
        self.product("head", 0, hidden, self.sizes.vocabulary)
    }
}
