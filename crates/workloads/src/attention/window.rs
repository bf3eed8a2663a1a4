//! Sliding-window attention with rotary positions: causal attention to the last keys alone.

use benchbook_core::{
    DType, Figure, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload, sample_rows,
};
use rayon::prelude::*;

use super::reference::average;
use super::sizes::{check_kv_heads, check_scores, check_sizes, follow, wrong};

/// Sliding-window attention (Beltagy et al., arXiv 2004.05150, section 3.1; as in Mistral 7B, arXiv 2310.06825, section 2)
/// with rotary position embedding (Su et al., arXiv 2104.09864).
///
/// Inputs: `query` `[batch, heads, seq, head_dim]`, `key` and `value` `[batch, kv_heads, seq, head_dim]`, none of them
/// rotated: the rotation is part of the problem. Query `i` sees keys `i − window + 1` to `i`.
pub struct WindowAttention;

const SIZES: [&str; 6] = ["batch", "heads", "kv_heads", "seq", "head_dim", "window_size"];

/// The base of the angles, as in the paper.
pub const BASE: f64 = 10_000.0;

impl Workload for WindowAttention {
    fn name(&self) -> &'static str {
        "window-attention"
    }

    fn about(&self) -> &'static str {
        "causal attention to a window of keys, with rotary position embedding"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![
            ParamSpec::int("batch", 1, "sequences in the batch"),
            ParamSpec::int("heads", 8, "query heads"),
            ParamSpec::int("kv_heads", 8, "key and value heads; follows heads unless set"),
            ParamSpec::int("seq", 512, "queries and keys of a sequence"),
            ParamSpec::int("head_dim", 64, "width of a head, even"),
            ParamSpec::int("window_size", 128, "keys that a query sees at most, its own included"),
        ]
    }

    fn presets(&self) -> Vec<Preset> {
        let of = |seq: i64, window: i64| {
            Params::default().with("seq", Value::Int(seq)).with("window_size", Value::Int(window))
        };
        vec![
            Preset { name: "quick", cases: vec![of(512, 64), of(512, 512)] },
            Preset { name: "default", cases: [64, 256, 1024, 2048].map(|window| of(2048, window)).into() },
        ]
    }

    fn derive(&self, given: Params) -> Params {
        follow(given, "kv_heads", "heads")
    }

    fn check(&self, params: &Params) -> Result<()> {
        check_sizes(self.name(), params, &SIZES, 1 << 20)?;
        check_kv_heads(self.name(), params)?;
        if params.int("head_dim") % 2 != 0 {
            let reason = format!("{} is odd: numbers are rotated in pairs", params.int("head_dim"));
            return wrong(self.name(), "head_dim", reason);
        }
        check_scores(self.name(), params, ["batch", "heads", "seq", "seq"])
    }

    fn case_name(&self, params: &Params) -> String {
        let [batch, heads, kv_heads, seq, head_dim, window] = SIZES.map(|name| params.int(name));
        let kv = if kv_heads == heads { String::new() } else { format!(" kv{kv_heads}") };
        format!("b{batch} h{heads}{kv} s{seq} d{head_dim} window {window}")
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let [batch, heads, kv_heads, seq, head_dim, _] = SIZES.map(|name| params.size(name));
        let mut inputs = Inputs::default();
        for (stream, (name, heads)) in
            [("query", heads), ("key", kv_heads), ("value", kv_heads)].into_iter().enumerate()
        {
            let shape = vec![batch, heads, seq, head_dim];
            inputs.0.insert(name, HostArray::normal(shape, seed, stream as u64 + 1));
        }
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        window_rows(params, inputs, seed)
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let [batch, heads, kv_heads, seq, head_dim, _] = SIZES.map(|name| params.int(name) as f64);
        // Three operations a number for the rotation of queries and keys.
        let rotation = 3.0 * batch * (heads + kv_heads) * seq * head_dim;
        let bytes = 2.0 * batch * (heads + kv_heads) * seq * head_dim * dtype.bytes() as f64;
        Work { flops: 4.0 * batch * heads * visible(params) * head_dim + rotation, bytes }
    }

    fn tolerance(&self, _params: &Params, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn figures(&self, params: &Params, _inputs: &Inputs) -> Vec<Figure> {
        vec![Figure::modelled("visible_scores", visible(params) / (params.int("seq") as f64).powi(2), "share")]
    }
}

/// Scores of one head that are not hidden.
fn visible(params: &Params) -> f64 {
    let (seq, window) = (params.int("seq") as f64, params.int("window_size").min(params.int("seq")) as f64);
    // The first queries see fewer: 1, 2, … up to the window.
    window * (window + 1.0) / 2.0 + (seq - window) * window
}

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 26;

/// Rows of the right answer; a row is one query of one head of one sequence.
fn window_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [batch, heads, kv_heads, seq, d, window] =
        ["batch", "heads", "kv_heads", "seq", "head_dim", "window_size"].map(|name| params.size(name));
    let (query, key, value) = (inputs.get("query"), inputs.get("key"), inputs.get("value"));
    let scale = 1.0 / (d as f64).sqrt();
    let rows = sample_rows(batch * heads * seq, (BUDGET / (4 * window.min(seq) * d)).max(16), seed);
    let one = |row: &usize| -> Vec<f64> {
        let (b, h, i) = (row / (heads * seq), row / seq % heads, row % seq);
        let kv = (b * kv_heads + h / (heads / kv_heads)) * seq;
        let seen = (i + 1).saturating_sub(window)..i + 1;
        let mine = turned(&query.data[row * d..][..d], i);
        let score = |j: usize| {
            scale * mine.iter().zip(turned(&key.data[(kv + j) * d..][..d], j)).map(|(q, k)| q * k).sum::<f64>()
        };
        let scores: Vec<f64> = seen.clone().map(score).collect();
        average(&scores, d, |j| &value.data[(kv + seen.start + j) * d..])
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![batch, heads, seq, d], rows, values }
}

/// A vector at its position: pair (i, i + d/2) turned by position · base^(−2 i / d).
fn turned(vector: &[f32], position: usize) -> Vec<f64> {
    let d = vector.len();
    let number = |index: usize| {
        let pair = index % (d / 2);
        let angle = position as f64 * BASE.powf(-2.0 * pair as f64 / d as f64);
        let (x, y) = (f64::from(vector[pair]), f64::from(vector[pair + d / 2]));
        if index < d / 2 { x * angle.cos() - y * angle.sin() } else { y * angle.cos() + x * angle.sin() }
    };
    (0..d).map(number).collect()
}
