//! Programmable attention: a program changes scores and hides keys.

use benchbook_core::{DType, Inputs, Metric, Params, Preset, Problem, Reference, Work};

use super::reference::{average, dot};
use super::sizes::{check_scores, draw};
use crate::rows::by_rows;
use crate::tolerance::tolerance_of_scores;

/// Attention with a score modification and a block mask (the idea of FlexAttention: Dong et al., arXiv 2412.05496).
///
/// Programs: `alibi`, causal with a penalty that grows with distance, steeper in each head (arXiv 2108.12409); `softcap`,
/// scores bounded by a tanh (arXiv 2408.00118); `document`, four documents packed into a sequence, causal within each.
/// Inputs: `query`, `key`, `value` `[batch, heads, seq, head_dim]`.
pub struct ProgrammableAttention;

/// Names of the programs.
const NAMES: [&str; 3] = ["alibi", "softcap", "document"];

/// The bound of `softcap`, as Gemma 2's (arXiv 2408.00118, section 2).
pub const CAP: f32 = 20.0;

/// Documents that are packed into a sequence, of equal length but for the last.
pub const DOCUMENTS: usize = 4;

benchbook_core::parameters! {
    /// Parameters of [`ProgrammableAttention`].
    pub struct ProgrammableAttentionParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// heads
        heads: usize = 8, 1..=1 << 20;
        /// queries and keys of a sequence
        seq: usize = 512, 1..=1 << 20;
        /// width of a head
        head_dim: usize = 64, 1..=1 << 20;
        /// what becomes of scores: alibi, softcap or document
        program: String = "alibi".to_owned(), NAMES;
    }
}

impl Problem for ProgrammableAttention {
    const NAME: &'static str = "programmable-attention";
    const ABOUT: &'static str = "attention whose scores a program changes: ALiBi, a soft cap, packed documents";
    type Params = ProgrammableAttentionParams;

    fn presets() -> Vec<Preset> {
        let of = |name: &str, seq: i64| Params::default().with("program", name.into()).with("seq", seq.into());
        let full = NAMES.into_iter().flat_map(|name| [of(name, 512), of(name, 2048)]).collect();
        vec![
            Preset { name: "quick", cases: NAMES.map(|name| of(name, 256)).into() },
            Preset { name: "default", cases: full },
        ]
    }

    fn ugly() -> Vec<ProgrammableAttentionParams> {
        // In three positions each is a document of its own, and hides all others.
        let sizes = [[1, 1, 1, 1], [1, 3, 3, 17], [1, 5, 67, 33], [2, 2, 130, 65]];
        let of = |name: &str, [batch, heads, seq, head_dim]: [usize; 4]| ProgrammableAttentionParams {
            batch,
            heads,
            seq,
            head_dim,
            program: name.to_owned(),
        };
        NAMES.into_iter().flat_map(|name| sizes.map(|sizes| of(name, sizes))).collect()
    }

    fn check(params: &ProgrammableAttentionParams) -> Result<(), (&'static str, String)> {
        check_scores("seq", [params.batch, params.heads, params.seq, params.seq])
    }

    fn label(params: &ProgrammableAttentionParams) -> String {
        let ProgrammableAttentionParams { batch, heads, seq, head_dim, program } = params;
        format!("{program} b{batch} h{heads} s{seq} d{head_dim}")
    }

    fn inputs(params: &ProgrammableAttentionParams, seed: u64) -> Inputs {
        let shape = [params.batch, params.heads, params.seq, params.head_dim];
        draw(shape, shape, seed)
    }

    /// By plain loops; a row is one query of one head of one sequence.
    fn reference(params: &ProgrammableAttentionParams, inputs: &Inputs, seed: u64) -> Reference {
        let ProgrammableAttentionParams { batch, heads, seq, head_dim: d, .. } = *params;
        let program = params.program.as_str();
        let [query, key, value] = ["query", "key", "value"].map(|name| inputs.numbers(name));
        let scale = 1.0 / (d as f64).sqrt();
        by_rows(vec![batch, heads, seq, d], 2 * seq * d, seed, |row| {
            let (head, i) = (row / seq % heads, row % seq);
            let kv = row - i;
            let keys: Vec<usize> = (0..seq).filter(|j| seen(program, i, *j, seq)).collect();
            let score = |j: &usize| {
                let plain = scale * dot(&query[row * d..][..d], &key[(kv + j) * d..]);
                match program {
                    "alibi" => plain - slope(head, heads) * (i as f64 - *j as f64),
                    "softcap" => f64::from(CAP) * (plain / f64::from(CAP)).tanh(),
                    _ => plain,
                }
            };
            let scores: Vec<f64> = keys.iter().map(score).collect();
            average(&scores, d, |at| &value[(kv + keys[at]) * d..])
        })
    }

    fn work(params: &ProgrammableAttentionParams, dtype: DType) -> Work {
        let ProgrammableAttentionParams { batch, heads, seq, head_dim, .. } = *params;
        let [batch, heads, seq, head_dim] = [batch, heads, seq, head_dim].map(|size| size as f64);
        let bytes = 4.0 * batch * heads * seq * head_dim * dtype.bytes() as f64;
        Work { flops: 4.0 * batch * heads * visible(params) * head_dim, bytes }
    }

    fn tolerance(_params: &ProgrammableAttentionParams, dtype: DType) -> f64 {
        tolerance_of_scores(dtype)
    }

    fn metrics(params: &ProgrammableAttentionParams, _inputs: &Inputs) -> Vec<Metric> {
        vec![Metric::modelled("visible_scores", visible(params) / (params.seq as f64).powi(2), "share")]
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
fn visible(params: &ProgrammableAttentionParams) -> f64 {
    let (seq, program) = (params.seq, params.program.as_str());
    if seen(program, 0, seq - 1, seq) {
        return (seq as f64).powi(2);
    }
    // What a query sees is one stretch that ends with itself.
    let first = |query: usize| if program == "document" { query - query % seq.div_ceil(DOCUMENTS) } else { 0 };
    (0..seq).map(|query| (query + 1 - first(query)) as f64).sum()
}
