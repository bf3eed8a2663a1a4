//! The problem: softmax(Q·Kᵀ/√d + mask)·V.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

use super::reference::{average, dot};
use super::sizes::{check_kv_heads, check_scores, draw, label, scores};
use crate::named::NAMED;
use crate::rows::by_rows;
use crate::tolerance::tolerance_of_average;

/// Scaled dot-product attention (Vaswani et al., arXiv 1706.03762, section 3.2.1).
///
/// Inputs: `query` `[batch, heads, seq_q, head_dim]`, `key` and `value`
/// `[batch, kv_heads, seq_kv, head_dim]`; with `masked`, flags `mask` `[batch, 1, seq_q, seq_kv]`, where true
/// means *hidden*. `causal` is aligned to the bottom right: query `i` sees the keys up to
/// `i + seq_kv − seq_q`, as in decoding with a cache.
pub struct Attention;

/// Share of the keys that a random mask hides.
const HIDDEN: f32 = 0.25;

benchbook_core::parameters! {
    /// Parameters of [`Attention`].
    pub struct AttentionParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 24;
        /// query heads
        heads: usize = 8, 1..=1 << 24;
        /// key and value heads; follows heads unless set
        kv_heads: usize = 8, 1..=1 << 24;
        /// queries per sequence
        seq_q: usize = 512, 1..=1 << 24;
        /// keys per sequence; follows seq_q unless set
        seq_kv: usize = 512, 1..=1 << 24;
        /// width of a head
        head_dim: usize = 64, 1..=1 << 24;
        /// a query sees no key after its own position
        causal: bool = false;
        /// a random quarter of the keys is hidden from each query
        masked: bool = false;
    }
}

impl Problem for Attention {
    const NAME: &'static str = "attention";
    const ABOUT: &'static str =
        "scaled dot-product attention: plain, causal, masked, grouped-query, seq_q different from seq_kv";
    type Params = AttentionParams;

    fn presets() -> Vec<Preset> {
        let seq =
            |length: i64, causal: bool| Params::default().with("seq_q", length.into()).with("causal", causal.into());
        let quick = vec![seq(128, false), seq(512, false), seq(1024, false), seq(256, true)];
        let mut full: Vec<Params> =
            [128, 256, 512, 1024, 2048].into_iter().flat_map(|n| [seq(n, false), seq(n, true)]).collect();
        full.push(seq(512, false).with("kv_heads", 2.into()));
        full.push(seq(512, false).with("masked", true.into()));
        full.push(seq(128, true).with("seq_kv", 512.into()));
        let named = NAMED.iter().map(|one| {
            let sizes = [("batch", one.batch), ("heads", one.heads), ("head_dim", one.width / one.heads)];
            let of = |params: Params, (name, size): (&str, i64)| params.with(name, size.into());
            Preset { name: one.preset, cases: vec![sizes.into_iter().fold(seq(one.seq, false), of)] }
        });
        let usual = [Preset { name: "quick", cases: quick }, Preset { name: "default", cases: full }];
        usual.into_iter().chain(named).collect()
    }

    fn ugly() -> Vec<AttentionParams> {
        let of = |[heads, kv_heads, seq_q, seq_kv, head_dim]: [usize; 5]| AttentionParams {
            heads,
            kv_heads,
            seq_q,
            seq_kv,
            head_dim,
            ..Default::default()
        };
        vec![
            of([1, 1, 1, 1, 1]),
            of([1, 1, 3, 17, 5]),
            of([4, 2, 1, 1031, 17]),
            of([1, 1, 3, 33, 257]),
            AttentionParams { batch: 1031, ..of([3, 1, 1, 1, 1]) },
            // The first query sees one key.
            AttentionParams { batch: 2, causal: true, ..of([6, 2, 67, 67, 33]) },
            AttentionParams { causal: true, ..of([3, 3, 17, 33, 67]) },
            AttentionParams { masked: true, ..of([3, 1, 33, 130, 67]) },
            AttentionParams { causal: true, masked: true, ..of([2, 1, 3, 3, 17]) },
        ]
    }

    fn derive(given: Params) -> Params {
        given.following("kv_heads", "heads").following("seq_kv", "seq_q")
    }

    fn check(params: &AttentionParams) -> Result<(), (&'static str, String)> {
        let AttentionParams { batch, heads, kv_heads, seq_q, seq_kv, causal, .. } = *params;
        check_kv_heads(heads, kv_heads)?;
        if causal && seq_q > seq_kv {
            return Err(("seq_kv", format!("with causal, {seq_q} queries need at least as many keys, not {seq_kv}")));
        }
        check_scores("seq_q", [batch, heads, seq_q, seq_kv])
    }

    fn label(params: &AttentionParams) -> String {
        let AttentionParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim, causal, masked } = *params;
        let seq = if seq_q == seq_kv { format!("s{seq_q}") } else { format!("q{seq_q} s{seq_kv}") };
        let causal = if causal { " causal" } else { "" };
        let masked = if masked { " masked" } else { "" };
        format!("b{batch} {} {seq} d{head_dim}{causal}{masked}", label(heads, kv_heads))
    }

    fn inputs(params: &AttentionParams, seed: u64) -> Inputs {
        let AttentionParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim, .. } = *params;
        let mut inputs = draw([batch, heads, seq_q, head_dim], [batch, kv_heads, seq_kv, head_dim], seed);
        if params.masked {
            let shape = vec![batch, 1, seq_q, seq_kv];
            let drawn = Array::bernoulli(shape.clone(), HIDDEN, seed, 4);
            // The first key stays visible: a query that sees nothing has no defined answer.
            let hidden = drawn.as_flags().enumerate().map(|(at, hidden)| hidden && !at.is_multiple_of(seq_kv));
            inputs.insert("mask", Array::flags(shape, hidden));
        }
        inputs
    }

    /// By plain loops; a row is one query of one head of one sequence.
    fn reference(params: &AttentionParams, inputs: &Inputs, seed: u64) -> Reference {
        let AttentionParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim: d, causal, masked } = *params;
        let [query, key, value] = ["query", "key", "value"].map(|name| inputs.numbers(name));
        let mask: Option<Vec<bool>> = masked.then(|| inputs.get("mask").as_flags().collect());
        let scale = 1.0 / (d as f64).sqrt();
        by_rows(vec![batch, heads, seq_q, d], 2 * seq_kv * d, seed, |row| {
            let (b, h, i) = (row / (heads * seq_q), row / seq_q % heads, row % seq_q);
            let kv = (b * kv_heads + h / (heads / kv_heads)) * seq_kv;
            let visible = if causal { i + 1 + seq_kv - seq_q } else { seq_kv };
            let score = |j: usize| {
                if mask.as_ref().is_some_and(|mask| mask[(b * seq_q + i) * seq_kv + j]) {
                    return f64::NEG_INFINITY;
                }
                scale * dot(&query[row * d..][..d], &key[(kv + j) * d..])
            };
            let scores: Vec<f64> = (0..visible).map(score).collect();
            average(&scores, d, |j| &value[(kv + j) * d..])
        })
    }

    fn work(params: &AttentionParams, dtype: DType) -> Work {
        let pairs = scores(params.seq_q, params.seq_kv, params.causal);
        let AttentionParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim, masked, .. } = *params;
        let [batch, heads, kv_heads, seq_q, seq_kv, head_dim] =
            [batch, heads, kv_heads, seq_q, seq_kv, head_dim].map(|size| size as f64);
        let elements = 2.0 * batch * head_dim * (heads * seq_q + kv_heads * seq_kv);
        let mask = if masked { batch * seq_q * seq_kv } else { 0.0 };
        Work { flops: 4.0 * batch * heads * pairs * head_dim, bytes: elements * dtype.bytes() as f64 + mask }
    }

    fn tolerance(params: &AttentionParams, dtype: DType) -> f64 {
        tolerance_of_average(dtype, params.seq_kv)
    }
}
