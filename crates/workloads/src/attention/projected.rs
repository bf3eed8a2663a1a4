//! Attention with the projections around it: of a sequence to itself, from its positions to what becomes of them.

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Work};

use super::reference::{average, dot};
use super::sizes::{check_kv_heads, check_scores, label, scores};
use crate::rows::{Place, Positions, times};
use crate::tolerance::tolerance_of_scores;

/// Multi-head attention with its projections (Vaswani et al., arXiv 1706.03762, section 3.2.2), without biases:
/// y = Attention(x W_q, x W_k, x W_v) W_out.
///
/// Inputs, with hidden = heads · head_dim: `input` `[batch, seq, hidden]`, standard normal; `w_query`
/// `[hidden, heads · head_dim]`, `w_key` and `w_value` `[hidden, kv_heads · head_dim]` and `w_out`
/// `[heads · head_dim, hidden]`, normal with variance 1 / hidden, so that queries, keys and values are standard normal too.
/// Weights stay from call to call: bringing them into another layout is preparation, as loading a model is.
pub struct ProjectedAttention;

/// Numbers of a position at most: four matrices of its square are the weights.
const MOST_HIDDEN: usize = 1 << 15;

benchbook_core::parameters! {
    /// Parameters of [`ProjectedAttention`].
    pub struct ProjectedAttentionParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// query heads
        heads: usize = 8, 1..=1 << 20;
        /// key and value heads; follows heads unless set
        kv_heads: usize = 8, 1..=1 << 20;
        /// positions of a sequence
        seq: usize = 512, 1..=1 << 20;
        /// width of a head; heads times this is the width of a position
        head_dim: usize = 64, 1..=1 << 20;
        /// a position sees none after itself
        causal: bool = false;
    }
}

impl Problem for ProjectedAttention {
    const NAME: &'static str = "projected-attention";
    const ABOUT: &'static str = "attention with the projections of queries, keys, values and the result";
    type Params = ProjectedAttentionParams;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64, causal: bool| Params::default().with("seq", seq.into()).with("causal", causal.into());
        let full = vec![
            of(128, false).with("batch", 8.into()),
            of(512, false),
            of(512, true),
            of(512, true).with("kv_heads", 2.into()),
            of(2048, false),
            of(2048, true),
        ];
        vec![
            Preset { name: "quick", cases: vec![of(128, false), of(256, true)] },
            Preset { name: "default", cases: full },
        ]
    }

    fn ugly() -> Vec<ProjectedAttentionParams> {
        let of = |causal, [batch, heads, kv_heads, seq, head_dim]: [usize; 5]| ProjectedAttentionParams {
            batch,
            heads,
            kv_heads,
            seq,
            head_dim,
            causal,
        };
        vec![
            of(false, [1, 1, 1, 1, 1]),
            of(false, [3, 1, 1, 1, 67]),
            of(false, [1, 5, 5, 3, 3]),
            // The first position sees itself alone.
            of(true, [2, 3, 1, 17, 17]),
            of(true, [1, 4, 2, 67, 33]),
            of(false, [1, 2, 2, 130, 33]),
        ]
    }

    fn derive(given: Params) -> Params {
        given.following("kv_heads", "heads")
    }

    fn check(params: &ProjectedAttentionParams) -> Result<(), (&'static str, String)> {
        let ProjectedAttentionParams { batch, heads, kv_heads, seq, head_dim, .. } = *params;
        check_kv_heads(heads, kv_heads)?;
        let hidden = heads * head_dim;
        if hidden > MOST_HIDDEN {
            let reason = format!("heads × head_dim is {hidden}, weights are made for {MOST_HIDDEN} at most");
            return Err(("head_dim", reason));
        }
        check_scores("seq", [batch, heads, seq, seq])
    }

    fn label(params: &ProjectedAttentionParams) -> String {
        let ProjectedAttentionParams { batch, heads, kv_heads, seq, head_dim, causal } = *params;
        let causal = if causal { " causal" } else { "" };
        format!("b{batch} {} s{seq} d{head_dim}{causal}", label(heads, kv_heads))
    }

    fn inputs(params: &ProjectedAttentionParams, seed: u64) -> Inputs {
        let ProjectedAttentionParams { batch, heads, kv_heads, seq, head_dim, .. } = *params;
        let (hidden, kv) = (heads * head_dim, kv_heads * head_dim);
        let factor = 1.0 / (hidden as f32).sqrt();
        let mut inputs = Inputs::from([("input", Array::normal(vec![batch, seq, hidden], seed, 1))]);
        let weights = [("w_query", hidden), ("w_key", kv), ("w_value", kv), ("w_out", hidden)];
        for ((name, columns), stream) in weights.into_iter().zip(2..) {
            let mut array = Array::normal(vec![hidden, columns], seed, stream);
            array.of_mut::<f32>().iter_mut().for_each(|number| *number *= factor);
            inputs.insert(name, array);
        }
        inputs
    }

    /// By plain loops; a row is one position of one sequence.
    ///
    /// A row needs the keys and values of its whole sequence, which cost seq · hidden · kv_heads · head_dim twice: those of
    /// the first and the last sequence are always computed. They may cost as much as the rows: above that, seeded subsets of
    /// sequences and of their rows are computed.
    fn reference(params: &ProjectedAttentionParams, inputs: &Inputs, seed: u64) -> Reference {
        let ProjectedAttentionParams { batch, heads, kv_heads, seq, head_dim: d, causal } = *params;
        let (hidden, kv) = (heads * d, kv_heads * d);
        let [input, w_query, w_key, w_value, w_out] =
            ["input", "w_query", "w_key", "w_value", "w_out"].map(|name| inputs.numbers(name));
        let positions = Positions::choose([batch, seq], 2 * seq * hidden * kv, 2 * hidden * (hidden + seq), seed);
        let at = |row: usize| input[row * hidden..][..hidden].iter().map(|x| f64::from(*x));
        let [keys, values] = [w_key, w_value].map(|weights| positions.all(|row| times(at(row), weights, kv)));
        let (rows, found) = positions.solve(|Place { first, step, row }| {
            let query = times(at(row), w_query, hidden);
            let seen = if causal { step + 1 } else { seq };
            let gathered = query.chunks_exact(d).enumerate().flat_map(|(head, query)| {
                let of = |j: usize| (first + j) * kv + head / (heads / kv_heads) * d;
                let scores: Vec<f64> = (0..seen).map(|j| dot(query, &keys[of(j)..]) / (d as f64).sqrt()).collect();
                average(&scores, d, |j| &values[of(j)..])
            });
            times(gathered, w_out, hidden)
        });
        Reference::of(vec![batch, seq, hidden], rows, found)
    }

    /// Operations of four products and of attention to what is visible; bytes of the input, the result and the weights, each
    /// once: queries, keys, values and what heads give need not cross the memory interface.
    fn work(params: &ProjectedAttentionParams, dtype: DType) -> Work {
        let ProjectedAttentionParams { batch, heads, kv_heads, seq, head_dim, .. } = *params;
        let [positions, hidden, kv] = [batch * seq, heads * head_dim, kv_heads * head_dim].map(|size| size as f64);
        let numbers = 2.0 * positions * hidden + 2.0 * hidden * (hidden + kv);
        let [projections, attention] = operations(params);
        Work { flops: projections + attention, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &ProjectedAttentionParams, dtype: DType) -> f64 {
        tolerance_of_scores(dtype)
    }

    fn metrics(params: &ProjectedAttentionParams, _inputs: &Inputs) -> Vec<Metric> {
        let [projections, attention] = operations(params);
        vec![Metric::modelled("projection_share", projections / (projections + attention), "share")]
    }
}

/// Operations of the four products, and of attention.
fn operations(params: &ProjectedAttentionParams) -> [f64; 2] {
    let ProjectedAttentionParams { batch, heads, kv_heads, seq, head_dim, causal } = *params;
    let pairs = batch as f64 * scores(seq, seq, causal);
    let [positions, hidden, kv] = [batch * seq, heads * head_dim, kv_heads * head_dim].map(|size| size as f64);
    [4.0 * positions * hidden * (hidden + kv), 4.0 * hidden * pairs]
}
