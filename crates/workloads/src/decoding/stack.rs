//! The decoders of `prefill` and `generate`: their sizes and their inputs.

use benchbook_core::{Array, DType, Inputs, Work};
use rayon::prelude::*;

use super::ids;
use crate::attention::sizes::{self, check_kv_heads, check_scores};
use crate::attention::window::BASE;
use crate::blocks::Architecture;
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
/// numbers of keys that are not turned; the turned ones, the last of each head, are the same for all keys, and neighbours are turned by one
/// angle. Each value is as wide as a key.
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
/// 2505.09388, section 2), or otherwise ([`Beside`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Experts {
    /// Experts.
    pub count: usize,
    /// Those of a position.
    pub chosen: usize,
    /// What those of a GLM have besides.
    pub beside: Option<Beside>,
}

/// Experts that are chosen by the logistic functions of their scores, to which a bias is added for the choice alone, and weighted by
/// their shares of these functions, beside one that every position goes through, behind blocks without experts (GLM: arXiv 2508.06471,
/// section 2.1; as DeepSeek-V3, arXiv 2412.19437, section 2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beside {
    /// First blocks, which have a feed-forward network instead.
    pub dense: usize,
    /// Numbers between the products of that.
    pub dense_hidden: usize,
    /// As how many experts the one is large that every position goes through.
    pub shared: usize,
    /// What the weights of those that are chosen are multiplied by, in percent.
    pub percent: usize,
}

/// Inputs of feed-forward networks: gate, up and down.
pub(super) const DENSE: [&str; 3] = ["w_gate", "w_up", "w_down"];

/// The same of experts beside a shared one, and of that.
pub(super) const ROUTED: [&str; 3] = ["expert_gate", "expert_up", "expert_down"];
pub(super) const SHARED: [&str; 3] = ["shared_gate", "shared_up", "shared_down"];

/// The matrices of so many feed-forward networks in each of so many blocks.
fn networks(names: [&'static str; 3], [layers, each]: [usize; 2], [width, hidden]: [usize; 2]) -> [Matrices; 3] {
    let sizes = [[each * hidden, width], [each * hidden, width], [each * width, hidden]];
    [0, 1, 2].map(|at| (names[at], layers, sizes[at]))
}

/// An input: in so many blocks a matrix `[outer, inner]` each.
type Matrices = (&'static str, usize, [usize; 2]);

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

    /// First blocks that have no experts, where others have.
    fn dense(&self) -> usize {
        self.experts.and_then(|experts| experts.beside).map_or(0, |beside| beside.dense)
    }

    /// Matrices of all blocks that have them, `[outer, inner]` each; those of experts stand one below the other.
    fn matrices(&self) -> Vec<Matrices> {
        let (layers, width, hidden, [query, kv]) = (self.layers, self.width, self.hidden, self.projected());
        let of_attention = match self.latent {
            Some(Latent { query_rank, kv_rank, rotated }) => vec![
                ("w_query_down", [query_rank, width]),
                ("w_query", [query, query_rank]),
                ("w_latent", [kv_rank + rotated, width]),
                ("w_key_value", [2 * query - self.heads * rotated, kv_rank]),
            ],
            None => vec![("w_query", [query, width]), ("w_key", [kv, width]), ("w_value", [kv, width])],
        };
        let mut matrices: Vec<Matrices> = of_attention.into_iter().map(|(name, size)| (name, layers, size)).collect();
        matrices.push(("w_out", layers, [width, query]));
        match self.experts {
            Some(Experts { count, beside: Some(beside), .. }) => {
                let routed = layers - beside.dense.min(layers);
                matrices.extend(networks(DENSE, [beside.dense, 1], [width, beside.dense_hidden]));
                matrices.extend(networks(ROUTED, [routed, count], [width, hidden]));
                matrices.extend(networks(SHARED, [routed, 1], [width, beside.shared * hidden]));
                matrices.push(("w_router", routed, [count, width]));
            }
            Some(Experts { count, beside: None, .. }) => {
                matrices.extend(networks(DENSE, [layers, count], [width, hidden]));
                matrices.push(("w_router", layers, [count, width]));
            }
            None => matrices.extend(networks(DENSE, [layers, 1], [width, hidden])),
        }
        // Nobody has matrices of no block, or of no numbers.
        matrices.retain(|(_, layers, [outer, inner])| layers * outer * inner > 0);
        matrices
    }

    /// Numbers of all matrices.
    fn numbers(&self) -> f64 {
        self.matrices().into_iter().map(|(_, layers, [outer, inner])| (layers * outer * inner) as f64).sum()
    }

    /// Numbers of matrices that a position is multiplied by.
    fn multiplied(&self) -> f64 {
        let passed_by = self.experts.map_or(0, |experts| experts.count - experts.chosen);
        let routed = self.layers - self.dense().min(self.layers);
        self.numbers() - 3.0 * (routed * passed_by * self.width * self.hidden) as f64
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
        if let Some(Beside { dense, dense_hidden, percent, .. }) = self.experts.and_then(|experts| experts.beside)
            && (dense > self.layers || (dense > 0 && dense_hidden == 0) || percent == 0)
        {
            let words = format!("{dense} dense blocks of {dense_hidden} numbers are no beginning of {}", self.layers);
            return Err(("dense_layers", words));
        }
        if let Some(Experts { count, chosen, .. }) = self.experts
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
        let beside = self.experts.and_then(|experts| experts.beside);
        let [dense, shared] = beside.map_or([0; 2], |beside| [beside.dense_hidden, beside.shared]);
        let widest = (self.networks() * self.hidden).max(self.projected()[0]).max(dense);
        check_numbers("hidden", &[self.layers, self.width, widest])?;
        check_numbers("shared", &[self.layers, self.width, shared * self.hidden])?;
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
        let beside = |Beside { dense, dense_hidden, shared, percent }| {
            format!("+{shared} ×{percent}% dense{dense}→{dense_hidden}")
        };
        let of = |Experts { count, chosen, beside: own }| {
            format!(" e{chosen}/{count}{}", own.map(beside).unwrap_or_default())
        };
        let experts = self.experts.map(of).unwrap_or_default();
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
        let deviation = |terms: usize| 1.0 / (terms as f32).sqrt();
        // Name, shape, mean and deviation of what is drawn, each from a stream of its own.
        let mut drawn = vec![
            ("embedding", vec![vocabulary, width], [0.0, EMBEDDED]),
            ("head", vec![vocabulary, width], [0.0, deviation(width)]),
            ("last_norm", vec![width], [1.0, 0.1]),
        ];
        let matrices = self.matrices().into_iter();
        drawn.extend(
            matrices.map(|(name, layers, [outer, inner])| (name, vec![layers, outer, inner], [0.0, deviation(inner)])),
        );
        drawn.extend(self.gains().into_iter().map(|(name, numbers)| (name, vec![layers, numbers], [1.0, 0.1])));
        if let Some(Experts { count, beside: Some(beside), .. }) = self.experts
            && layers > beside.dense
        {
            drawn.push(("router_bias", vec![layers - beside.dense, count], [0.0, 0.1]));
        }
        let of = |(stream, (name, shape, of)): (u64, (&'static str, Vec<usize>, [f32; 2]))| {
            (name, normal(shape, of, seed, stream))
        };
        let drawn: Vec<(&str, Array)> = (2..).zip(drawn).collect::<Vec<_>>().into_par_iter().map(of).collect();
        let mut inputs = Inputs::from([("prompt", self.prompt(prompt, seed))]);
        drawn.into_iter().for_each(|(name, array)| inputs.insert(name, array));
        inputs
    }

    /// Operations of so many positions, of which `heads` have logits, each seeing itself and all before; bytes of the weights, once,
    /// and of the embeddings that are read.
    pub fn work(&self, positions: usize, heads: usize, dtype: DType) -> Work {
        let Self { layers, width, vocabulary, .. } = *self;
        let [layers, width, vocabulary] = [layers, width, vocabulary].map(|size| size as f64);
        let [positions, heads, query] = [positions, heads, self.projected()[0]].map(|size| size as f64);
        let matrices = self.numbers();
        let gains = layers * self.gains().iter().map(|(_, numbers)| *numbers as f64).sum::<f64>();
        let products = 2.0 * self.multiplied() * positions + 2.0 * width * vocabulary * heads;
        let attention = 2.0 * layers * query * positions * (positions + 1.0);
        let weights = matrices + gains + width + width * vocabulary + width * positions.min(vocabulary);
        Work { flops: products + attention, bytes: weights * dtype.bytes() as f64 }
    }
}
