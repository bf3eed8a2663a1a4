//! Attention with the projections around it: of a sequence to itself, from its positions to what becomes of them.

use benchbook_core::{
    DType, Figure, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload, sample_rows,
};
use rayon::prelude::*;

use super::sizes::{check_kv_heads, check_scores, check_sizes, follow, wrong};

/// Multi-head attention with its projections (Vaswani et al., arXiv 1706.03762, section 3.2.2), without biases:
/// y = Attention(x W_q, x W_k, x W_v) W_out.
///
/// Inputs, with hidden = heads · head_dim: `input` `[batch, seq, hidden]`, standard normal; `w_query`
/// `[hidden, heads · head_dim]`, `w_key` and `w_value` `[hidden, kv_heads · head_dim]` and `w_out`
/// `[heads · head_dim, hidden]`, normal with variance 1 / hidden, so that queries, keys and values are standard normal too.
/// Weights stay from call to call: bringing them into another layout is preparation, as loading a model is.
pub struct ProjectedAttention;

const SIZES: [&str; 5] = ["batch", "heads", "kv_heads", "seq", "head_dim"];

/// Numbers of a position at most: four matrices of its square are the weights.
const MOST_HIDDEN: i64 = 1 << 15;

impl Workload for ProjectedAttention {
    fn name(&self) -> &'static str {
        "projected-attention"
    }

    fn about(&self) -> &'static str {
        "attention with the projections of queries, keys, values and the result"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![
            ParamSpec::int("batch", 1, "sequences in the batch"),
            ParamSpec::int("heads", 8, "query heads"),
            ParamSpec::int("kv_heads", 8, "key and value heads; follows heads unless set"),
            ParamSpec::int("seq", 512, "positions of a sequence"),
            ParamSpec::int("head_dim", 64, "width of a head; heads times this is the width of a position"),
            ParamSpec::bool("causal", false, "a position sees none after itself"),
        ]
    }

    fn presets(&self) -> Vec<Preset> {
        let of =
            |seq: i64, causal: bool| Params::default().with("seq", Value::Int(seq)).with("causal", Value::Bool(causal));
        let full = vec![
            of(128, false).with("batch", Value::Int(8)),
            of(512, false),
            of(512, true),
            of(512, true).with("kv_heads", Value::Int(2)),
            of(2048, false),
            of(2048, true),
        ];
        vec![
            Preset { name: "quick", cases: vec![of(128, false), of(256, true)] },
            Preset { name: "default", cases: full },
        ]
    }

    fn derive(&self, given: Params) -> Params {
        follow(given, "kv_heads", "heads")
    }

    fn check(&self, params: &Params) -> Result<()> {
        check_sizes(self.name(), params, &SIZES, 1 << 20)?;
        check_kv_heads(self.name(), params)?;
        let hidden = params.int("heads") * params.int("head_dim");
        if hidden > MOST_HIDDEN {
            let reason = format!("heads × head_dim is {hidden}, weights are made for {MOST_HIDDEN} at most");
            return wrong(self.name(), "head_dim", reason);
        }
        check_scores(self.name(), params, ["batch", "heads", "seq", "seq"])
    }

    fn case_name(&self, params: &Params) -> String {
        let [batch, heads, kv_heads, seq, head_dim] = SIZES.map(|name| params.int(name));
        let kv = if kv_heads == heads { String::new() } else { format!(" kv{kv_heads}") };
        let causal = if params.flag("causal") { " causal" } else { "" };
        format!("b{batch} h{heads}{kv} s{seq} d{head_dim}{causal}")
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let [batch, heads, kv_heads, seq, head_dim] = SIZES.map(|name| params.size(name));
        let (hidden, kv) = (heads * head_dim, kv_heads * head_dim);
        let factor = 1.0 / (hidden as f32).sqrt();
        let mut inputs = Inputs::default();
        inputs.0.insert("input", HostArray::normal(vec![batch, seq, hidden], seed, 1));
        let weights = [("w_query", hidden), ("w_key", kv), ("w_value", kv), ("w_out", hidden)];
        for (stream, (name, columns)) in weights.into_iter().enumerate() {
            let mut array = HostArray::normal(vec![hidden, columns], seed, stream as u64 + 2);
            array.data.iter_mut().for_each(|number| *number *= factor);
            inputs.0.insert(name, array);
        }
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        projected_rows(params, inputs, seed)
    }

    /// Operations of four products and of attention to what is visible; bytes of the input, the result and the weights, each
    /// once: queries, keys, values and what heads give need not cross the memory interface.
    fn work(&self, params: &Params, dtype: DType) -> Work {
        let [batch, heads, kv_heads, seq, head_dim] = SIZES.map(|name| params.int(name) as f64);
        let (hidden, kv) = (heads * head_dim, kv_heads * head_dim);
        let numbers = 2.0 * batch * seq * hidden + 2.0 * hidden * (hidden + kv);
        let [projections, attention] = operations(params);
        Work { flops: projections + attention, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(&self, _params: &Params, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn figures(&self, params: &Params, _inputs: &Inputs) -> Vec<Figure> {
        let [projections, attention] = operations(params);
        vec![Figure::modelled("projection_share", projections / (projections + attention), "share")]
    }
}

/// Operations of the four products, and of attention.
fn operations(params: &Params) -> [f64; 2] {
    let [batch, heads, kv_heads, seq, head_dim] = SIZES.map(|name| params.int(name) as f64);
    let (hidden, kv) = (heads * head_dim, kv_heads * head_dim);
    // Position i sees i + 1 of them.
    let pairs = if params.flag("causal") { seq * (seq + 1.0) / 2.0 } else { seq * seq };
    [4.0 * batch * seq * hidden * (hidden + kv), 4.0 * batch * hidden * pairs]
}

/// Multiply-adds spent on keys and values, and as many on rows; above it, seeded subsets of sequences and of their rows are
/// computed.
const BUDGET: usize = 1 << 27;

/// Rows of the right answer; a row is one position of one sequence.
///
/// A row needs the keys and values of its whole sequence, which cost seq · hidden · kv_heads · head_dim twice: those of the
/// first and the last sequence are always computed.
fn projected_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [batch, heads, kv_heads, seq, d] =
        ["batch", "heads", "kv_heads", "seq", "head_dim"].map(|name| params.size(name));
    let (hidden, kv) = (heads * d, kv_heads * d);
    let of = |name: &str| &inputs.get(name).data[..];
    let input = of("input");
    let sequences = sample_rows(batch, (BUDGET / (2 * seq * hidden * kv)).max(1), seed);
    let limit = (BUDGET / (2 * hidden * (hidden + seq))).max(16);
    let rows: Vec<usize> = sample_rows(sequences.len() * seq, limit, seed);

    // Of the sequences that were chosen, one after another: `[sequences, seq, kv_heads, head_dim]`.
    let project = |weights: &[f32]| -> Vec<f64> {
        let one = |at: usize| {
            let row = sequences[at / seq] * seq + at % seq;
            times(input[row * hidden..][..hidden].iter().map(|x| f64::from(*x)), weights, kv)
        };
        (0..sequences.len() * seq).into_par_iter().flat_map_iter(one).collect()
    };
    let (keys, values) = (project(of("w_key")), project(of("w_value")));

    let one = |at: &usize| -> Vec<f64> {
        let (sequence, i) = (at / seq, at % seq);
        let row = sequences[sequence] * seq + i;
        let query = times(input[row * hidden..][..hidden].iter().map(|x| f64::from(*x)), of("w_query"), hidden);
        let seen = if params.flag("causal") { i + 1 } else { seq };
        let gathered = query.chunks_exact(d).enumerate().flat_map(|(head, query)| {
            let place = |j: usize| (sequence * seq + j) * kv + head / (heads / kv_heads) * d;
            let score = |j: usize| {
                let pairs = query.iter().zip(&keys[place(j)..]);
                pairs.map(|(query, key)| query * key).sum::<f64>() / (d as f64).sqrt()
            };
            let scores: Vec<f64> = (0..seen).map(score).collect();
            average(&scores, d, |j| &values[place(j)..])
        });
        times(gathered, of("w_out"), hidden)
    };
    let found = rows.par_iter().flat_map_iter(one).collect();
    let rows = rows.into_iter().map(|at| sequences[at / seq] * seq + at % seq).collect();
    Reference { shape: vec![batch, seq, hidden], rows, values: found }
}

/// A row times `weights` `[_, columns]`.
fn times(row: impl Iterator<Item = f64>, weights: &[f32], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    for (left, right) in row.zip(weights.chunks_exact(columns)) {
        sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * f64::from(*right));
    }
    sums
}

/// Values weighted by the softmax of their scores: `value(j)` begins with the `head_dim` numbers of value `j`.
fn average<'a>(scores: &[f64], head_dim: usize, value: impl Fn(usize) -> &'a [f64]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
    let mut sums = vec![0.0; head_dim];
    for (j, score) in scores.iter().enumerate() {
        let weight = (score - largest).exp() / total;
        sums.iter_mut().zip(value(j)).for_each(|(sum, number)| *sum += weight * number);
    }
    sums
}
