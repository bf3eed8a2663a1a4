//! The problem: softmax(Q·Kᵀ/√d + mask)·V.

use benchbook_core::{DType, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload};

use super::reference::attention_rows;
use super::sizes::{check_kv_heads, check_scores, check_sizes, follow, tolerance_of_average, wrong};

/// Scaled dot-product attention (Vaswani et al., arXiv 1706.03762, section 3.2.1).
///
/// Inputs: `query` `[batch, heads, seq_q, head_dim]`, `key` and `value`
/// `[batch, kv_heads, seq_kv, head_dim]`; with `masked`, `mask` `[batch, 1, seq_q, seq_kv]`, where 1
/// means *hidden*. `causal` is aligned to the bottom right: query `i` sees the keys up to
/// `i + seq_kv − seq_q`, as in decoding with a cache.
pub struct Attention;

/// Share of the keys that a random mask hides.
const HIDDEN: f32 = 0.25;

/// Names of the parameters that must be at least 1.
const SIZES: [&str; 6] = ["batch", "heads", "kv_heads", "seq_q", "seq_kv", "head_dim"];

impl Workload for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn about(&self) -> &'static str {
        "scaled dot-product attention: plain, causal, masked, grouped-query, seq_q different from seq_kv"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![
            ParamSpec::int("batch", 1, "sequences in the batch"),
            ParamSpec::int("heads", 8, "query heads"),
            ParamSpec::int("kv_heads", 8, "key and value heads; follows heads unless set"),
            ParamSpec::int("seq_q", 512, "queries per sequence"),
            ParamSpec::int("seq_kv", 512, "keys per sequence; follows seq_q unless set"),
            ParamSpec::int("head_dim", 64, "width of a head"),
            ParamSpec::bool("causal", false, "a query sees no key after its own position"),
            ParamSpec::bool("masked", false, "a random quarter of the keys is hidden from each query"),
        ]
    }

    fn presets(&self) -> Vec<Preset> {
        let seq = |length: i64, causal: bool| {
            Params::default().with("seq_q", Value::Int(length)).with("causal", Value::Bool(causal))
        };
        let quick = vec![seq(128, false), seq(512, false), seq(1024, false), seq(256, true)];
        let mut full: Vec<Params> =
            [128, 256, 512, 1024, 2048].into_iter().flat_map(|n| [seq(n, false), seq(n, true)]).collect();
        full.push(seq(512, false).with("kv_heads", Value::Int(2)));
        full.push(seq(512, false).with("masked", Value::Bool(true)));
        full.push(seq(128, true).with("seq_kv", Value::Int(512)));
        vec![Preset { name: "quick", cases: quick }, Preset { name: "default", cases: full }]
    }

    fn derive(&self, given: Params) -> Params {
        follow(follow(given, "kv_heads", "heads"), "seq_kv", "seq_q")
    }

    fn check(&self, params: &Params) -> Result<()> {
        check_sizes(self.name(), params, &SIZES, 1 << 24)?;
        check_kv_heads(self.name(), params)?;
        let (seq_q, seq_kv) = (params.int("seq_q"), params.int("seq_kv"));
        if params.flag("causal") && seq_q > seq_kv {
            let reason = format!("with causal, {seq_q} queries need at least as many keys, not {seq_kv}");
            return wrong(self.name(), "seq_kv", reason);
        }
        check_scores(self.name(), params, ["batch", "heads", "seq_q", "seq_kv"])
    }

    fn case_name(&self, params: &Params) -> String {
        let [batch, heads, kv_heads, seq_q, seq_kv, head_dim] = SIZES.map(|name| params.int(name));
        let mut name = format!("b{batch} h{heads}");
        if kv_heads != heads {
            name += &format!(" kv{kv_heads}");
        }
        name += &if seq_q == seq_kv { format!(" s{seq_q}") } else { format!(" q{seq_q} s{seq_kv}") };
        name += &format!(" d{head_dim}");
        for flag in ["causal", "masked"] {
            if params.flag(flag) {
                name += &format!(" {flag}");
            }
        }
        name
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let [batch, heads, kv_heads, seq_q, seq_kv, head_dim] = SIZES.map(|name| params.size(name));
        let mut inputs = Inputs::default();
        inputs.0.insert("query", HostArray::normal(vec![batch, heads, seq_q, head_dim], seed, 1));
        inputs.0.insert("key", HostArray::normal(vec![batch, kv_heads, seq_kv, head_dim], seed, 2));
        inputs.0.insert("value", HostArray::normal(vec![batch, kv_heads, seq_kv, head_dim], seed, 3));
        if params.flag("masked") {
            let mut mask = HostArray::bernoulli(vec![batch, 1, seq_q, seq_kv], HIDDEN, seed, 4);
            // The first key stays visible: a query that sees nothing has no defined answer.
            mask.data.iter_mut().step_by(seq_kv).for_each(|first| *first = 0.0);
            inputs.0.insert("mask", mask);
        }
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        attention_rows(params, inputs, seed)
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let [batch, heads, kv_heads, seq_q, seq_kv, head_dim] = SIZES.map(|name| params.int(name) as f64);
        let pairs = if params.flag("causal") {
            // Query i sees i + 1 + (seq_kv − seq_q) keys.
            seq_q * (seq_kv - seq_q) + seq_q * (seq_q + 1.0) / 2.0
        } else {
            seq_q * seq_kv
        };
        let elements = 2.0 * batch * head_dim * (heads * seq_q + kv_heads * seq_kv);
        let mask = if params.flag("masked") { batch * seq_q * seq_kv } else { 0.0 };
        Work { flops: 4.0 * batch * heads * pairs * head_dim, bytes: elements * dtype.bytes() as f64 + mask }
    }

    fn tolerance(&self, params: &Params, dtype: DType) -> f64 {
        tolerance_of_average(dtype, params.int("seq_kv"))
    }
}
