//! Sparse attention: only a share of the scores may be computed.

use benchbook_core::{DType, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload};

use super::reference::attention_rows;
use super::sizes::{check_scores, check_sizes, wrong};

/// Attention `[batch, heads, seq, head_dim]` to every key, and a share of the scores that an implementation should leave
/// out.
///
/// The right answer is that of all scores. An implementation that leaves some out says which problem it solves instead and
/// is checked against that; its distance from the right answer is its figure `relative_error`.
/// Inputs: `query`, `key`, `value`. With the structure `topics` a query's weight lies on few keys, as in trained models;
/// with `random` it is spread, and nothing can be left out without loss.
pub struct SparseAttention;

const SIZES: [&str; 4] = ["batch", "heads", "seq", "head_dim"];

/// What inputs are made of.
const STRUCTURES: [&str; 2] = ["topics", "random"];

/// Topics of a head.
const TOPICS: usize = 16;

/// Positions that a topic lasts: no multiple of a block, so that blocks are mixed.
const STRETCH: usize = 96;

/// How much of a query or key is its topic, beside noise of variance 1.
const SHARE: f32 = 0.8;

impl Workload for SparseAttention {
    fn name(&self) -> &'static str {
        "sparse-attention"
    }

    fn about(&self) -> &'static str {
        "attention with a share of the scores left out: what it saves and what it loses"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![
            ParamSpec::int("batch", 1, "sequences in the batch"),
            ParamSpec::int("heads", 8, "heads"),
            ParamSpec::int("seq", 1024, "queries and keys of a sequence"),
            ParamSpec::int("head_dim", 64, "width of a head"),
            ParamSpec::float("sparsity", 0.75, "share of the scores that should be left out"),
            ParamSpec::text("structure", "topics", "topics: weight on few keys; random: weight spread over all"),
        ]
    }

    fn presets(&self) -> Vec<Preset> {
        let of = |seq: i64, sparsity: f64| {
            Params::default().with("seq", Value::Int(seq)).with("sparsity", Value::Float(sparsity))
        };
        let random = of(2048, 0.75).with("structure", Value::Text("random".into()));
        let full = [0.5, 0.75, 0.9].map(|sparsity| of(2048, sparsity)).into_iter().chain([random]);
        vec![
            Preset { name: "quick", cases: vec![of(512, 0.5), of(512, 0.9)] },
            Preset { name: "default", cases: full.collect() },
        ]
    }

    fn check(&self, params: &Params) -> Result<()> {
        check_sizes(self.name(), params, &SIZES, 1 << 16)?;
        let sparsity = params.float("sparsity");
        if !(0.0..1.0).contains(&sparsity) {
            return wrong(self.name(), "sparsity", format!("{sparsity} is no share to leave out, give 0 to below 1"));
        }
        let structure = params.text("structure");
        if !STRUCTURES.contains(&structure) {
            let reason = format!("there is no `{structure}`, give one of {}", STRUCTURES.join(", "));
            return wrong(self.name(), "structure", reason);
        }
        check_scores(self.name(), params, ["batch", "heads", "seq", "seq"])
    }

    fn case_name(&self, params: &Params) -> String {
        let [batch, heads, seq, head_dim] = SIZES.map(|name| params.int(name));
        let (sparsity, structure) = (100.0 * params.float("sparsity"), params.text("structure"));
        format!("{structure} b{batch} h{heads} s{seq} d{head_dim} {sparsity} % out")
    }

    /// Noise, plus a topic in the structure `topics`.
    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let [batch, heads, seq, d] = SIZES.map(|name| params.size(name));
        let shape = vec![batch, heads, seq, d];
        let mut inputs = Inputs::default();
        for (stream, name) in ["query", "key", "value"].into_iter().enumerate() {
            inputs.0.insert(name, HostArray::normal(shape.clone(), seed, stream as u64 + 1));
        }
        if params.text("structure") == "topics" {
            let topics = HostArray::normal(vec![batch * heads, TOPICS, d], seed, 4);
            for name in ["query", "key"] {
                if let Some(array) = inputs.0.get_mut(name) {
                    add_topics(array, &topics, seq, d);
                }
            }
        }
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        let seq = Value::Int(params.int("seq"));
        let plain = params.clone().with("seq_q", seq.clone()).with("seq_kv", seq);
        let heads = Value::Int(params.int("heads"));
        let plain = plain.with("kv_heads", heads).with("causal", Value::Bool(false));
        attention_rows(&plain.with("masked", Value::Bool(false)), inputs, seed)
    }

    /// All scores: so that throughputs compare, whatever is left out.
    fn work(&self, params: &Params, dtype: DType) -> Work {
        let [batch, heads, seq, head_dim] = SIZES.map(|name| params.int(name) as f64);
        let numbers = batch * heads * seq * head_dim;
        Work { flops: 4.0 * numbers * seq, bytes: 4.0 * numbers * dtype.bytes() as f64 }
    }

    fn tolerance(&self, _params: &Params, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

fn add_topics(array: &mut HostArray, topics: &HostArray, seq: usize, d: usize) {
    for (row, numbers) in array.data.chunks_exact_mut(d).enumerate() {
        let (unit, position) = (row / seq, row % seq);
        // Seven and sixteen share no factor: every topic comes back, far from where it was.
        let topic = position / STRETCH * 7 % TOPICS;
        let of_topic = &topics.data[(unit * TOPICS + topic) * d..];
        numbers.iter_mut().zip(of_topic).for_each(|(number, topic)| *number += SHARE * topic);
    }
}
