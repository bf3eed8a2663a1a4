//! The decoders of `prefill` and `generate`: their sizes, their inputs, and themselves in `f64`, a position at a time.

use benchbook_core::{Array, DType, Inputs, Work};
use rayon::prelude::*;

use super::choice::Advance;
use super::ids;
use super::otherwise::{Depths, Otherwise};
use crate::attention::reference::{add, average, average_above, dot};
use crate::attention::sizes::{self, check_kv_heads, check_scores};
use crate::attention::window::{BASE, turned_by};
use crate::blocks::{Activation, Architecture, rms_normed};
use crate::draw::{check_numbers, normal};

/// Architectures of these decoders.
pub const NAMES: [&str; 2] = ["llama", "qwen3"];

/// The base of the angles by which queries and keys are turned, where a problem has no other.
pub const ROTARY_BASE: usize = BASE as usize;

/// Deviation of embeddings: small beside what blocks add.
const EMBEDDED: f32 = 0.1;

/// Sizes of a decoder: RMS norms, grouped-query heads that are turned, SwiGLU, and a head of its own; in Qwen3 each head's query and
/// key has a norm besides. Constants are those of [`TransformerBlock`](crate::blocks::TransformerBlock).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Whose blocks.
    pub architecture: Architecture,
    /// Blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Numbers of a head.
    pub head_dim: usize,
    /// Numbers of a position.
    pub width: usize,
    /// Numbers between the products of the feed-forward network.
    pub hidden: usize,
    /// Tokens that there are.
    pub vocabulary: usize,
    /// The base of the angles by which queries and keys are turned.
    pub rotary_base: usize,
    /// Experts in the place of each feed-forward network, of so many numbers between products each.
    pub experts: Option<Experts>,
    /// Latents on the way to queries, keys and values.
    pub latent: Option<Latent>,
}

/// Multi-head latent attention (arXiv 2405.04434, section 2.1): queries come out of a latent with a norm, and so do the values and those
/// numbers of keys that are not turned; the turned ones, the last of each head, are the same for all keys. Each value is as wide as a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latent {
    /// Numbers of the latent of queries.
    pub query_rank: usize,
    /// Numbers of that of keys and values.
    pub kv_rank: usize,
    /// Numbers of a query and of a key that are turned.
    pub rotated: usize,
}

/// Experts of a block, of which a position goes through those with the largest scores, weighted by the softmax of these (arXiv
/// 2505.09388, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Experts {
    /// Experts.
    pub count: usize,
    /// Those of a position.
    pub chosen: usize,
}

/// Says the sizes of a decoder by the parameters that have them; the base of angles is a parameter where one is named.
macro_rules! sized {
    ($params:ty $(, $base:ident)?) => {
        impl $params {
            /// The sizes of the model.
            pub fn sizes(&self) -> $crate::decoding::Sizes {
                let Self { layers, heads, kv_heads, head_dim, width, hidden, vocabulary, .. } = *self;
                let architecture = $crate::blocks::Architecture::of(&self.architecture);
                let [rotary_base, ..] = [$(self.$base,)? $crate::decoding::ROTARY_BASE];
                let (experts, latent) = (None, None);
                $crate::decoding::Sizes {
                    architecture,
                    layers,
                    heads,
                    kv_heads,
                    head_dim,
                    width,
                    hidden,
                    vocabulary,
                    rotary_base,
                    experts,
                    latent,
                }
            }
        }
    };
}
pub(super) use sized;

impl Sizes {
    /// Numbers of all queries, and of all keys, of a position.
    pub fn projected(&self) -> [usize; 2] {
        [self.heads * self.head_dim, self.kv_heads * self.head_dim]
    }

    /// Feed-forward networks of a block.
    fn networks(&self) -> usize {
        self.experts.map_or(1, |experts| experts.count)
    }

    /// Matrices of a block, `[outer, inner]`; those of experts stand one below the other.
    fn matrices(&self) -> Vec<(&'static str, [usize; 2])> {
        let (width, hidden, [query, kv]) = (self.width, self.hidden, self.projected());
        let each = self.networks();
        let mut matrices = match self.latent {
            Some(Latent { query_rank, kv_rank, rotated }) => vec![
                ("w_query_down", [query_rank, width]),
                ("w_query", [query, query_rank]),
                ("w_latent", [kv_rank + rotated, width]),
                ("w_key_value", [2 * query - self.heads * rotated, kv_rank]),
            ],
            None => vec![("w_query", [query, width]), ("w_key", [kv, width]), ("w_value", [kv, width])],
        };
        matrices.extend([
            ("w_out", [width, query]),
            ("w_gate", [each * hidden, width]),
            ("w_up", [each * hidden, width]),
            ("w_down", [each * width, hidden]),
        ]);
        matrices.extend(self.experts.map(|experts| ("w_router", [experts.count, width])));
        matrices
    }

    /// Numbers of the matrices of a block that a position is multiplied by.
    fn multiplied(&self) -> f64 {
        let numbers = |[outer, inner]: [usize; 2]| (outer * inner) as f64;
        let all: f64 = self.matrices().into_iter().map(|(_, size)| numbers(size)).sum();
        let passed_by = self.experts.map_or(0, |experts| experts.count - experts.chosen);
        all - 3.0 * passed_by as f64 * numbers([self.width, self.hidden])
    }

    /// Gains of norms of a block.
    fn gains(&self) -> Vec<(&'static str, usize)> {
        let mut gains = vec![("norm_1", self.width), ("norm_2", self.width)];
        if self.architecture.head_norms() {
            gains.extend([("query_gain", self.head_dim), ("key_gain", self.head_dim)]);
        }
        if let Some(Latent { query_rank, kv_rank, .. }) = self.latent {
            gains.extend([("query_latent_gain", query_rank), ("latent_gain", kv_rank)]);
        }
        gains
    }

    /// Refuses sizes that do not go together, or are too many for so many positions.
    ///
    /// # Errors
    /// A parameter, and what would be right.
    pub fn check(&self, positions: usize) -> Result<(), (&'static str, String)> {
        check_kv_heads(self.heads, self.kv_heads)?;
        if !self.head_dim.is_multiple_of(2) {
            return Err(("head_dim", format!("{} is odd: numbers are rotated in pairs", self.head_dim)));
        }
        if let Some(Experts { count, chosen }) = self.experts
            && !(1..=count).contains(&chosen)
        {
            return Err((
                "chosen",
                format!("a position goes through {chosen} of {count} experts: give 1 at least, and no more"),
            ));
        }
        if let Some(Latent { query_rank, kv_rank, rotated }) = self.latent {
            let fits =
                query_rank > 0 && kv_rank > 0 && rotated > 0 && rotated <= self.head_dim && rotated.is_multiple_of(2);
            if !fits || self.kv_heads != self.heads {
                let words = "latents need numbers, an even number of turned ones in each head, and a key head for each query head";
                return Err(("rotated", words.to_owned()));
            }
        }
        let widest = (self.networks() * self.hidden).max(self.projected()[0]);
        check_numbers("hidden", &[self.layers, self.width, widest])?;
        check_numbers("vocabulary", &[self.vocabulary, self.width])?;
        check_scores("prompt", [self.layers, self.heads, positions, positions])
    }

    /// The beginning of a label.
    pub fn label(&self) -> String {
        let Self { layers, heads, kv_heads, head_dim, width, hidden, vocabulary, .. } = *self;
        let name = match self.latent {
            Some(_) => "glm-4",
            None if self.architecture.head_norms() => "qwen3",
            None => "llama",
        };
        let base = match self.rotary_base {
            ROTARY_BASE => String::new(),
            other => format!(" θ{other}"),
        };
        let of = |Latent { query_rank, kv_rank, rotated }| format!(" q{query_rank} kv{kv_rank}+{rotated}");
        let latent = self.latent.map(of).unwrap_or_default();
        let experts = self.experts.map(|Experts { count, chosen }| format!(" e{chosen}/{count}")).unwrap_or_default();
        let heads = sizes::label(heads, kv_heads);
        format!("{name} l{layers} {heads} d{head_dim} w{width}→{hidden} v{vocabulary}{base}{latent}{experts}")
    }

    /// The `prompt` of [`Sizes::inputs`] alone.
    pub fn prompt(&self, prompt: usize, seed: u64) -> Array {
        Array::new(vec![prompt], &ids(prompt, self.vocabulary, seed))
    }

    /// `prompt` `[prompt]` of `i32`; `embedding` and `head` `[vocabulary, width]`, `last_norm` `[width]`; of all layers matrices
    /// `[layers, outer, inner]`, as checkpoints have them, and gains `[layers, numbers]`.
    pub fn inputs(&self, prompt: usize, seed: u64) -> Inputs {
        let Self { layers, width, vocabulary, .. } = *self;
        let mut streams = 2..;
        let mut stream = || streams.next().unwrap_or_default();
        let deviation = |terms: usize| 1.0 / (terms as f32).sqrt();
        let mut inputs = Inputs::from([
            ("prompt", self.prompt(prompt, seed)),
            ("embedding", normal(vec![vocabulary, width], [0.0, EMBEDDED], seed, stream())),
            ("head", normal(vec![vocabulary, width], [0.0, deviation(width)], seed, stream())),
            ("last_norm", normal(vec![width], [1.0, 0.1], seed, stream())),
        ]);
        for (name, [outer, inner]) in self.matrices() {
            inputs.insert(name, normal(vec![layers, outer, inner], [0.0, deviation(inner)], seed, stream()));
        }
        for (name, numbers) in self.gains() {
            inputs.insert(name, normal(vec![layers, numbers], [1.0, 0.1], seed, stream()));
        }
        inputs
    }

    /// Operations of so many positions, of which `heads` have logits, each seeing itself and all before; bytes of the weights, once,
    /// and of the embeddings that are read.
    pub fn work(&self, positions: usize, heads: usize, dtype: DType) -> Work {
        let Self { layers, width, vocabulary, .. } = *self;
        let [layers, width, vocabulary] = [layers, width, vocabulary].map(|size| size as f64);
        let [positions, heads, query] = [positions, heads, self.projected()[0]].map(|size| size as f64);
        let matrices = layers * self.matrices().iter().map(|(_, [outer, inner])| (outer * inner) as f64).sum::<f64>();
        let gains = layers * self.gains().iter().map(|(_, numbers)| *numbers as f64).sum::<f64>();
        let products = 2.0 * layers * self.multiplied() * positions + 2.0 * width * vocabulary * heads;
        let attention = 2.0 * layers * query * positions * (positions + 1.0);
        let weights = matrices + gains + width + width * vocabulary + width * positions.min(vocabulary);
        Work { flops: products + attention, bytes: weights * dtype.bytes() as f64 }
    }
}

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
    otherwise: Otherwise<'a>,
}

impl<'a> Model<'a> {
    /// A decoder that has seen nothing.
    pub fn new(sizes: Sizes, inputs: &'a Inputs) -> Self {
        let empty = vec![Vec::new(); sizes.layers];
        Self { sizes, inputs, keys: empty.clone(), values: empty, positions: 0, otherwise: Otherwise::default() }
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
        turned_by(head, self.positions, self.sizes.rotary_base as f64)
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
        let shared = self.turned(&down[kv_rank..]);
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
            [plain, &self.turned(last)[..]].concat()
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
        let Some(Experts { count, chosen }) = self.sizes.experts else { return self.network(layer, seen) };
        let scores = self.product("w_router", layer, seen, count);
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
        let taken = &order[..chosen];
        let share = |expert: &usize| (scores[*expert] - scores[taken[0]]).exp();
        let sum: f64 = taken.iter().map(share).sum();
        let mut fed = vec![0.0; seen.len()];
        for expert in taken {
            let made = self.network(layer * count + expert, seen);
            fed.iter_mut().zip(made).for_each(|(fed, made)| *fed += share(expert) / sum * made);
        }
        fed
    }

    /// The same of one network, by its place among all.
    fn network(&self, place: usize, seen: &[f64]) -> Vec<f64> {
        let Sizes { width, hidden, .. } = self.sizes;
        let gate = self.product("w_gate", place, seen, hidden);
        let mut gates: Vec<f64> = gate.into_iter().map(|gate| Activation::Silu.apply(gate)).collect();
        self.otherwise.choose((place, self.positions), &mut gates);
        let up = self.product("w_up", place, seen, hidden);
        let between: Vec<f64> = up.iter().zip(gates).map(|(up, gate)| up * gate).collect();
        self.product("w_down", place, &between, width)
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

impl Advance for Model<'_> {
    fn advance(&mut self, token: usize) -> Vec<f64> {
        let Sizes { layers, width, .. } = self.sizes;
        let mut stream: Vec<f64> = self.row("embedding", token, width).iter().map(|x| f64::from(*x)).collect();
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
            match self.leaves(layer, [&before, &stream]) {
                Some(leaves) => gone = leaves,
                None => stream.fill(f64::NAN),
            }
        }
        self.positions += 1;
        self.norm("last_norm", 0, &stream)
    }

    fn logits(&self, hidden: &[f64]) -> Vec<f64> {
        self.product("head", 0, hidden, self.sizes.vocabulary)
    }
}
