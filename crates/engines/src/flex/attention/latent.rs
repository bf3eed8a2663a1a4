//! Multi-head latent attention in its two forms: as operations of burn, and hand-written.

use benchbook_core::{Array, DType, Inputs, Result, Row};
use benchbook_simd::{self as simd, Isa, LatentMatrices, LatentSizes, LatentWeights};
use benchbook_workloads::attention::window::BASE;
use benchbook_workloads::attention::{LatentAttention, LatentAttentionParams};
use benchbook_workloads::blocks::EPSILON;
use burn::tensor::{Bool, Tensor};

use super::naive::{attend_scaled, later};
use crate::flex::blocks::{angles, rms_normed, turned};
use crate::flex::calls::{Calls, room};
use crate::flex::row::{WIDE, burn_row, fused_row};
use crate::flex::subject::{NamedInputs, Rows, prepare};
use crate::flex::tensor::Target;
use crate::flex::weights::Weights;

/// Implementations of `latent-attention`.
pub const ROWS: [Row<LatentAttention>; 3] = [EXPANDED, ABSORBED, FUSED];

/// Keys and values of every head and position are made of the latents, those in the cache included, and attention is as ever
/// (DeepSeek-AI, arXiv 2405.04434, section 2.1.2): the form for a prompt. All scores are in memory.
const EXPANDED: Row<LatentAttention> = burn_row::<LatentAttention>(
    "expanded",
    "keys and values of every head are made of latents, matmul, softmax, matmul (arXiv 2405.04434, section 2.1)",
    &WIDE,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, whole, expanded),
)
.catalogue(&["AT12"]);

/// What makes keys goes to queries, and what makes values to what heads give (at the end of section 2.1.2): all heads attend to the
/// cache as it is, and what is read is a vector a position. The form for decoding. All scores are in memory.
const ABSORBED: Row<LatentAttention> = burn_row::<LatentAttention>(
    "absorbed",
    "what makes keys and values goes to queries and results, heads attend to latents (arXiv 2405.04434, section 2.1.2)",
    &WIDE,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, with_absorbed, absorbed),
)
.catalogue(&["AT12"]);

/// Our own, which takes the form of fewer operations: that of [`ABSORBED`] for decoding, with neither scores nor a copy of the cache
/// in memory. Weights are packed before timing: of the inputs, `input` and `cache` can be overwritten.
const FUSED: Row<LatentAttention> = fused_row::<LatentAttention>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, weights packed before timing, the form of fewer operations, without scores in memory",
    &[DType::F32],
    |name, setting, params, inputs| {
        let LatentAttentionParams { batch, seq_q, seq_kv, width, .. } = *params;
        let room = [width, params.entry()].map(|numbers| room::<f32>(vec![batch, seq_q, numbers]));
        let kernel = move |held: &mut Held, [out, entries]: &mut [Array; 2]| {
            let Held { input, cache, weights } = held;
            let cache = cache.as_ref().map(|cache| cache.of::<f32>()).unwrap_or_default();
            let call = simd::LatentAttention { batch, seq_q, seq_kv, input: input.of(), cache, weights };
            simd::latent_attention(&call, out.of_mut(), entries.of_mut())
        };
        Ok(Box::new(Calls::new(name, setting, || Held::of(params, inputs), &room, kernel)?))
    },
)
.catalogue(&["AT12"]);

/// Inputs of our own, and packed weights.
struct Held {
    input: Array,
    /// Where there are such positions.
    cache: Option<Array>,
    weights: LatentWeights,
}

impl NamedInputs for Held {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        match name {
            "input" => Some(&mut self.input),
            "cache" => self.cache.as_mut().map(|cache| cache as &mut dyn Rows),
            _ => None,
        }
    }
}

impl Held {
    fn of(params: &LatentAttentionParams, inputs: &Inputs) -> simd::Result<Self> {
        let LatentAttentionParams {
            seq_kv, heads, width, query_rank, kv_rank, head_dim, rotary_dim, value_dim, ..
        } = *params;
        let sizes = LatentSizes { heads, width, query_rank, kv_rank, head_dim, rotary_dim, value_dim };
        let matrices = LatentMatrices {
            query_down: inputs.numbers("w_dq"),
            query_up: inputs.numbers("w_uq"),
            query_rotary: inputs.numbers("w_qr"),
            kv_down: inputs.numbers("w_dkv"),
            key_rotary: inputs.numbers("w_kr"),
            key_up: inputs.numbers("w_uk"),
            value_up: inputs.numbers("w_uv"),
            out: inputs.numbers("w_out"),
            query_gain: inputs.numbers("query_gain"),
            kv_gain: inputs.numbers("kv_gain"),
        };
        let rotary = simd::Rotary::new(seq_kv, rotary_dim, BASE)?;
        let weights = LatentWeights::new(sizes, &matrices, rotary, EPSILON, Isa::detect())?;
        let cache = (params.cached() > 0).then(|| inputs.get("cache").clone());
        Ok(Self { input: inputs.get("input").clone(), cache, weights })
    }
}

/// Inputs of a call.
struct Latent {
    params: LatentAttentionParams,
    /// `[batch, seq_q, width]`
    input: Tensor<3>,
    /// `[batch, seq_kv − seq_q, kv_rank + rotary_dim]`, where there are such positions
    cache: Option<Tensor<3>>,
    weights: Weights,
    /// Cosines and sines of the new positions, `[1, 1, seq_q, rotary_dim / 2]`.
    turn: [Tensor<4>; 2],
}

impl NamedInputs for Latent {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        match name {
            "input" => Some(&mut self.input),
            "cache" => self.cache.as_mut().map(|cache| cache as &mut dyn Rows),
            _ => self.weights.input(name),
        }
    }
}

impl Latent {
    fn upload(on: &Target, params: &LatentAttentionParams, inputs: &Inputs, but: &[&str]) -> Self {
        let LatentAttentionParams { seq_q, seq_kv, rotary_dim, .. } = *params;
        let turn = [f64::cos as fn(f64) -> f64, f64::sin]
            .map(|of| angles(on, [seq_kv, rotary_dim], of).narrow(2, params.cached(), seq_q));
        Self {
            params: params.clone(),
            input: on.upload(inputs.get("input")),
            cache: (params.cached() > 0).then(|| on.upload(inputs.get("cache"))),
            weights: Weights::upload(on, inputs, but),
            turn,
        }
    }

    /// Positions `[batch · positions, …]`.
    fn flat(tensor: Tensor<3>) -> Tensor<2> {
        let [batch, positions, width] = tensor.dims();
        tensor.reshape([batch * positions, width])
    }

    /// Heads `[batch, heads, positions, …]` of positions `[batch · positions, …]`.
    fn heads(&self, tensor: Tensor<2>) -> Tensor<4> {
        let [rows, width] = tensor.dims();
        let LatentAttentionParams { batch, heads, .. } = self.params;
        tensor.reshape([batch, rows / batch, heads, width / heads]).swap_dims(1, 2)
    }

    fn product(&self, x: Tensor<2>, name: &str) -> Tensor<2> {
        x.matmul(self.weights.matrix(name))
    }

    fn normed(&self, x: Tensor<2>, gain: &str) -> Tensor<2> {
        match self.weights.vector(gain) {
            Some(gain) => rms_normed(x, gain.unsqueeze()),
            None => x,
        }
    }

    fn turned(&self, tensor: &Tensor<4>) -> Tensor<4> {
        turned(tensor, &self.turn[0], &self.turn[1])
    }

    /// What the cache grows by, `[batch, seq_q, kv_rank + rotary_dim]`.
    fn entries(&self) -> Tensor<3> {
        let LatentAttentionParams { batch, seq_q, kv_rank, rotary_dim, .. } = self.params;
        let x = Self::flat(self.input.clone());
        let latents = self.normed(self.product(x.clone(), "w_dkv"), "kv_gain");
        let key = self.product(x, "w_kr").reshape([batch, 1, seq_q, rotary_dim]);
        let key = self.turned(&key).reshape([batch, seq_q, rotary_dim]);
        Tensor::cat(vec![latents.reshape([batch, seq_q, kv_rank]), key], 2)
    }

    /// Queries `[batch, heads, seq_q, …]`: those for keys, and those that carry their place.
    fn queries(&self) -> [Tensor<4>; 2] {
        let latents = self.normed(self.product(Self::flat(self.input.clone()), "w_dq"), "query_gain");
        let placed = self.heads(self.product(latents.clone(), "w_qr"));
        [self.heads(self.product(latents, "w_uq")), self.turned(&placed)]
    }

    /// All entries, `[batch, seq_kv, …]`.
    fn all(&self, entries: &Tensor<3>) -> Tensor<3> {
        match &self.cache {
            Some(cache) => Tensor::cat(vec![cache.clone(), entries.clone()], 1),
            None => entries.clone(),
        }
    }

    /// The result of what heads give, `[batch, heads, seq_q, value_dim]`.
    fn out(&self, given: Tensor<4>) -> Tensor<3> {
        let LatentAttentionParams { batch, heads, seq_q, width, value_dim, .. } = self.params;
        let together = given.swap_dims(1, 2).reshape([batch * seq_q, heads * value_dim]);
        self.product(together, "w_out").reshape([batch, seq_q, width])
    }
}

/// Inputs, and where a key is hidden from a query.
type Whole = (Latent, Option<Tensor<4, Bool>>);

fn whole(on: &Target, params: &LatentAttentionParams, inputs: &Inputs) -> Result<Whole> {
    Ok((Latent::upload(on, params, inputs, &["input", "cache"]), hidden(on, params)))
}

/// The keys after each query, `[1, 1, seq_q, seq_kv]`; nothing where there are none.
fn hidden(on: &Target, params: &LatentAttentionParams) -> Option<Tensor<4, Bool>> {
    (params.seq_q > 1).then(|| later([params.seq_q, params.seq_kv], &on.device))
}

fn expanded((latent, hidden): &Whole) -> Result<[Tensor<3>; 2]> {
    let LatentAttentionParams { batch, heads, seq_kv, kv_rank, rotary_dim, .. } = latent.params;
    let (entries, [query, placed]) = (latent.entries(), latent.queries());
    let all = latent.all(&entries);
    let latents = Latent::flat(all.clone().narrow(2, 0, kv_rank));
    let shared = all.narrow(2, kv_rank, rotary_dim).reshape([batch, 1, seq_kv, rotary_dim]);
    let shared = shared.expand([batch, heads, seq_kv, rotary_dim]);
    let key = Tensor::cat(vec![latent.heads(latent.product(latents.clone(), "w_uk")), shared], 3);
    let value = latent.heads(latent.product(latents, "w_uv"));
    let query = Tensor::cat(vec![query, placed], 3);
    let given = attend_scaled([&query, &key, &value], hidden.as_ref(), latent.params.scale());
    Ok([latent.out(given), entries])
}

/// What makes keys and values, as queries and results take it, made before timing.
struct Absorbed {
    /// `[1, heads, head_dim, kv_rank]`
    key: Tensor<4>,
    /// `[1, heads, kv_rank, value_dim]`
    value: Tensor<4>,
    /// Where a key is hidden from a query of a head, `[1, 1, heads · seq_q, seq_kv]`.
    hidden: Option<Tensor<4, Bool>>,
}

fn with_absorbed(on: &Target, params: &LatentAttentionParams, inputs: &Inputs) -> Result<(Latent, Absorbed)> {
    let LatentAttentionParams { heads, kv_rank, head_dim, value_dim, .. } = *params;
    let [up_key, up_value] = ["w_uk", "w_uv"].map(|name| inputs.numbers(name));
    let key = (0..heads * head_dim * kv_rank).map(|index| {
        let (column, row) = (index / kv_rank, index % kv_rank);
        f64::from(up_key[row * heads * head_dim + column])
    });
    let value = (0..heads * kv_rank * value_dim).map(|index| {
        let (head, row, column) = (index / value_dim / kv_rank, index / value_dim % kv_rank, index % value_dim);
        f64::from(up_value[(row * heads + head) * value_dim + column])
    });
    let absorbed = Absorbed {
        key: on.upload_numbers(key, [1, heads, head_dim, kv_rank]),
        value: on.upload_numbers(value, [1, heads, kv_rank, value_dim]),
        // Heads lie one after another, each with all queries.
        hidden: hidden(on, params).map(|hidden| hidden.repeat_dim(2, heads)),
    };
    Ok((Latent::upload(on, params, inputs, &["input", "cache", "w_uk", "w_uv"]), absorbed))
}

fn absorbed((latent, weights): &(Latent, Absorbed)) -> Result<[Tensor<3>; 2]> {
    let LatentAttentionParams { batch, heads, seq_q, seq_kv, kv_rank, .. } = latent.params;
    let (entries, [query, placed]) = (latent.entries(), latent.queries());
    let entry = latent.params.entry();
    let query = Tensor::cat(vec![query.matmul(weights.key.clone()), placed], 3);
    // Heads are queries of one head.
    let query = query.reshape([batch, 1, heads * seq_q, entry]);
    let all = latent.all(&entries).reshape([batch, 1, seq_kv, entry]);
    let latents = all.clone().narrow(3, 0, kv_rank);
    let mixed = attend_scaled([&query, &all, &latents], weights.hidden.as_ref(), latent.params.scale());
    let given = mixed.reshape([batch, heads, seq_q, kv_rank]).matmul(weights.value.clone());
    Ok([latent.out(given), entries])
}
