//! Programmable attention: a program changes scores and hides keys.

use benchbook_core::{
    DType, Figure, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload, sample_rows,
};
use rayon::prelude::*;

use super::reference::{average, dot};
use super::sizes::{check_scores, check_sizes, wrong};

/// Attention with a score modification and a block mask (the idea of FlexAttention: Dong et al., arXiv 2412.05496).
///
/// Programs: `alibi`, causal with a penalty that grows with distance, steeper in each head (arXiv 2108.12409); `softcap`,
/// scores bounded by a tanh (arXiv 2408.00118); `document`, four documents packed into a sequence, causal within each.
/// Inputs: `query`, `key`, `value` `[batch, heads, seq, head_dim]`.
pub struct ProgrammableAttention;

const SIZES: [&str; 4] = ["batch", "heads", "seq", "head_dim"];

/// Names of the programs.
const NAMES: [&str; 3] = ["alibi", "softcap", "document"];

/// The bound of `softcap`, as Gemma 2's (arXiv 2408.00118, section 2).
pub const CAP: f32 = 20.0;

/// Documents that are packed into a sequence, of equal length but for the last.
pub const DOCUMENTS: usize = 4;

impl Workload for ProgrammableAttention {
    fn name(&self) -> &'static str {
        "programmable-attention"
    }

    fn about(&self) -> &'static str {
        "attention whose scores a program changes: ALiBi, a soft cap, packed documents"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![
            ParamSpec::int("batch", 1, "sequences in the batch"),
            ParamSpec::int("heads", 8, "heads"),
            ParamSpec::int("seq", 512, "queries and keys of a sequence"),
            ParamSpec::int("head_dim", 64, "width of a head"),
            ParamSpec::text("program", "alibi", "what becomes of scores: alibi, softcap or document"),
        ]
    }

    fn presets(&self) -> Vec<Preset> {
        let of = |name: &str, seq: i64| {
            Params::default().with("program", Value::Text(name.into())).with("seq", Value::Int(seq))
        };
        let full = NAMES.into_iter().flat_map(|name| [of(name, 512), of(name, 2048)]).collect();
        vec![
            Preset { name: "quick", cases: NAMES.map(|name| of(name, 256)).into() },
            Preset { name: "default", cases: full },
        ]
    }

    fn check(&self, params: &Params) -> Result<()> {
        check_sizes(self.name(), params, &SIZES, 1 << 20)?;
        let program = params.text("program");
        if !NAMES.contains(&program) {
            let reason = format!("there is no `{program}`, give one of {}", NAMES.join(", "));
            return wrong(self.name(), "program", reason);
        }
        check_scores(self.name(), params, ["batch", "heads", "seq", "seq"])
    }

    fn case_name(&self, params: &Params) -> String {
        let [batch, heads, seq, head_dim] = SIZES.map(|name| params.int(name));
        format!("{} b{batch} h{heads} s{seq} d{head_dim}", params.text("program"))
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let shape = SIZES.map(|name| params.size(name));
        let mut inputs = Inputs::default();
        for (stream, name) in ["query", "key", "value"].into_iter().enumerate() {
            inputs.0.insert(name, HostArray::normal(shape.into(), seed, stream as u64 + 1));
        }
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        program_rows(params, inputs, seed)
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let [batch, heads, seq, head_dim] = SIZES.map(|name| params.int(name) as f64);
        let bytes = 4.0 * batch * heads * seq * head_dim * dtype.bytes() as f64;
        Work { flops: 4.0 * batch * heads * visible(params) * head_dim, bytes }
    }

    fn tolerance(&self, _params: &Params, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn figures(&self, params: &Params, _inputs: &Inputs) -> Vec<Figure> {
        vec![Figure::modelled("visible_scores", visible(params) / (params.int("seq") as f64).powi(2), "share")]
    }
}

/// The slope of ALiBi for a head: 2^(−8 (head + 1) / heads) (Press et al., arXiv 2108.12409, section 3).
pub fn slope(head: usize, heads: usize) -> f64 {
    (-8.0 * (head + 1) as f64 / heads as f64).exp2()
}

/// The document that a position belongs to.
pub fn document(position: usize, seq: usize) -> usize {
    position / seq.div_ceil(DOCUMENTS)
}

/// Whether a query sees a key: `alibi` and `document` are causal, a document sees nothing of another.
pub fn seen(program: &str, query: usize, key: usize, seq: usize) -> bool {
    match program {
        "alibi" => key <= query,
        "document" => key <= query && document(key, seq) == document(query, seq),
        _ => true,
    }
}

/// Scores of one head that are not hidden.
fn visible(params: &Params) -> f64 {
    let (seq, program) = (params.size("seq"), params.text("program"));
    if seen(program, 0, seq - 1, seq) {
        return (seq as f64).powi(2);
    }
    // What a query sees is one stretch that ends with itself.
    let first = |query: usize| if program == "document" { query - query % seq.div_ceil(DOCUMENTS) } else { 0 };
    (0..seq).map(|query| (query + 1 - first(query)) as f64).sum()
}

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 27;

/// Rows of the right answer; a row is one query of one head of one sequence.
fn program_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [batch, heads, seq, d] = ["batch", "heads", "seq", "head_dim"].map(|name| params.size(name));
    let program = params.text("program");
    let (query, key, value) = (inputs.get("query"), inputs.get("key"), inputs.get("value"));
    let scale = 1.0 / (d as f64).sqrt();
    let rows = sample_rows(batch * heads * seq, (BUDGET / (2 * seq * d)).max(16), seed);
    let one = |row: &usize| -> Vec<f64> {
        let (head, i) = (row / seq % heads, row % seq);
        let kv = row - i;
        let mine = &query.data[row * d..][..d];
        let keys: Vec<usize> = (0..seq).filter(|j| seen(program, i, *j, seq)).collect();
        let score = |j: &usize| {
            let plain = scale * dot(mine, &key.data[(kv + j) * d..]);
            match program {
                "alibi" => plain - slope(head, heads) * (i as f64 - *j as f64),
                "softcap" => f64::from(CAP) * (plain / f64::from(CAP)).tanh(),
                _ => plain,
            }
        };
        let scores: Vec<f64> = keys.iter().map(score).collect();
        average(&scores, d, |at| &value.data[(kv + keys[at]) * d..])
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![batch, heads, seq, d], rows, values }
}
