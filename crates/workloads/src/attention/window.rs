//! Sliding-window attention with rotary positions: causal attention to the last keys alone.

use benchbook_core::{DType, Inputs, Metric, Params, Preset, Problem, Reference, Work};

use super::reference::{average, dot};
use super::sizes::{check_kv_heads, check_scores, draw, label};
use crate::rows::by_rows;

/// Sliding-window attention (Beltagy et al., arXiv 2004.05150, section 3.1; as in Mistral 7B, arXiv 2310.06825, section 2)
/// with rotary position embedding (Su et al., arXiv 2104.09864).
///
/// Inputs: `query` `[batch, heads, seq, head_dim]`, `key` and `value` `[batch, kv_heads, seq, head_dim]`, none of them
/// rotated: the rotation is part of the problem. Query `i` sees keys `i − window + 1` to `i`.
pub struct WindowAttention;

/// The base of the angles, as in the paper.
pub const BASE: f64 = 10_000.0;

benchbook_core::parameters! {
    /// Parameters of [`WindowAttention`].
    pub struct WindowAttentionParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// query heads
        heads: usize = 8, 1..=1 << 20;
        /// key and value heads; follows heads unless set
        kv_heads: usize = 8, 1..=1 << 20;
        /// queries and keys of a sequence
        seq: usize = 512, 1..=1 << 20;
        /// width of a head, even
        head_dim: usize = 64, 1..=1 << 20;
        /// keys that a query sees at most, its own included
        window_size: usize = 128, 1..=1 << 20;
    }
}

impl Problem for WindowAttention {
    const NAME: &'static str = "window-attention";
    const ABOUT: &'static str = "causal attention to a window of keys, with rotary position embedding";
    type Params = WindowAttentionParams;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64, window: i64| Params::default().with("seq", seq.into()).with("window_size", window.into());
        vec![
            Preset { name: "quick", cases: vec![of(512, 64), of(512, 512)] },
            Preset { name: "default", cases: [64, 256, 1024, 2048].map(|window| of(2048, window)).into() },
        ]
    }

    fn ugly() -> Vec<WindowAttentionParams> {
        let of = |batch, [heads, kv_heads, seq, head_dim, window_size]: [usize; 5]| WindowAttentionParams {
            batch,
            heads,
            kv_heads,
            seq,
            head_dim,
            window_size,
        };
        vec![
            of(1, [1, 1, 1, 2, 1]),
            // Everything but the own key is hidden.
            of(1, [3, 1, 67, 34, 1]),
            of(2, [4, 2, 67, 18, 17]),
            of(1, [2, 2, 130, 66, 129]),
            of(1, [1, 1, 33, 34, 1 << 20]),
        ]
    }

    fn derive(given: Params) -> Params {
        given.following("kv_heads", "heads")
    }

    fn check(params: &WindowAttentionParams) -> Result<(), (&'static str, String)> {
        let WindowAttentionParams { batch, heads, kv_heads, seq, head_dim, .. } = *params;
        check_kv_heads(heads, kv_heads)?;
        if !head_dim.is_multiple_of(2) {
            return Err(("head_dim", format!("{head_dim} is odd: numbers are rotated in pairs")));
        }
        check_scores("seq", [batch, heads, seq, seq])
    }

    fn label(params: &WindowAttentionParams) -> String {
        let WindowAttentionParams { batch, heads, kv_heads, seq, head_dim, window_size } = *params;
        format!("b{batch} {} s{seq} d{head_dim} window {window_size}", label(heads, kv_heads))
    }

    fn inputs(params: &WindowAttentionParams, seed: u64) -> Inputs {
        let WindowAttentionParams { batch, heads, kv_heads, seq, head_dim, .. } = *params;
        draw([batch, heads, seq, head_dim], [batch, kv_heads, seq, head_dim], seed)
    }

    /// By plain loops; a row is one query of one head of one sequence.
    fn reference(params: &WindowAttentionParams, inputs: &Inputs, seed: u64) -> Reference {
        let WindowAttentionParams { batch, heads, kv_heads, seq, head_dim: d, window_size } = *params;
        let [query, key, value] = ["query", "key", "value"].map(|name| inputs.numbers(name));
        let scale = 1.0 / (d as f64).sqrt();
        // Turning a key costs three times its two products.
        by_rows(vec![batch, heads, seq, d], 8 * window_size.min(seq) * d, seed, |row| {
            let (b, h, i) = (row / (heads * seq), row / seq % heads, row % seq);
            let kv = (b * kv_heads + h / (heads / kv_heads)) * seq;
            let first = (i + 1).saturating_sub(window_size);
            let mine = turned(&query[row * d..][..d], i);
            let score = |j: usize| scale * dot(&mine, &turned(&key[(kv + j) * d..][..d], j));
            let scores: Vec<f64> = (first..=i).map(score).collect();
            average(&scores, d, |j| &value[(kv + first + j) * d..])
        })
    }

    fn work(params: &WindowAttentionParams, dtype: DType) -> Work {
        let visible = visible(params);
        let WindowAttentionParams { batch, heads, kv_heads, seq, head_dim, .. } = *params;
        let [batch, heads, kv_heads, seq, head_dim] = [batch, heads, kv_heads, seq, head_dim].map(|size| size as f64);
        // Three operations a number for the rotation of queries and keys.
        let rotation = 3.0 * batch * (heads + kv_heads) * seq * head_dim;
        let bytes = 2.0 * batch * (heads + kv_heads) * seq * head_dim * dtype.bytes() as f64;
        Work { flops: 4.0 * batch * heads * visible * head_dim + rotation, bytes }
    }

    fn tolerance(_params: &WindowAttentionParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(params: &WindowAttentionParams, _inputs: &Inputs) -> Vec<Metric> {
        vec![Metric::modelled("visible_scores", visible(params) / (params.seq as f64).powi(2), "share")]
    }
}

/// Scores of one head that are not hidden.
fn visible(params: &WindowAttentionParams) -> f64 {
    let [seq, window] = [params.seq, params.window_size.min(params.seq)].map(|size| size as f64);
    // The first queries see fewer: 1, 2, … up to the window.
    window * (window + 1.0) / 2.0 + (seq - window) * window
}

/// A vector at its position: pair (i, i + d/2) turned by position · base^(−2 i / d).
pub(crate) fn turned<T: Copy + Into<f64>>(vector: &[T], position: usize) -> Vec<f64> {
    turned_by(vector, position, BASE)
}

/// The same by angles of another base.
pub fn turned_by<T: Copy + Into<f64>>(vector: &[T], position: usize, base: f64) -> Vec<f64> {
    turned_at(vector, |_| position, base)
}

/// The same where each pair has a position of its own.
pub fn turned_at<T: Copy + Into<f64>>(vector: &[T], position: impl Fn(usize) -> usize, base: f64) -> Vec<f64> {
    let d = vector.len();
    let number = |index: usize| {
        let pair = index % (d / 2);
        let angle = position(pair) as f64 * base.powf(-2.0 * pair as f64 / d as f64);
        let (x, y): (f64, f64) = (vector[pair].into(), vector[pair + d / 2].into());
        if index < d / 2 { x * angle.cos() - y * angle.sin() } else { y * angle.cos() + x * angle.sin() }
    };
    (0..d).map(number).collect()
}
