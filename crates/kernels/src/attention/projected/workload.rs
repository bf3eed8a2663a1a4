//! The problem: attention of a sequence to itself, from its positions to what becomes of them.

use benchbook_core::{
    DType, Figure, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload,
};

use super::reference::projected_rows;
use crate::attention::sizes::{check_kv_heads, check_scores, check_sizes, follow, wrong};

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
        crate::matmul::tolerance(dtype)
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
