//! Programmable attention: operations on whole score matrices, and closures in the fused kernel.

use std::ops::Range;
use std::sync::Arc;

use benchbook_core::{DType, Inputs, Result, Row};
use benchbook_workloads::attention::program::{CAP, document, seen, slope};
use benchbook_workloads::attention::{ProgrammableAttention, ProgrammableAttentionParams};
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::sdpa::attended;
use crate::flex::fused::{self, Place, ScoreMod, WithBlockMask};
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::prepare;
use crate::flex::tensor::Target;

/// Implementations of `programmable-attention`.
pub const ROWS: [Row<ProgrammableAttention>; 2] = [COMPOSED, CLOSURES];

/// Matmul, the program as tensor operations, softmax, matmul: what one writes without a programmable kernel. Penalties and
/// hidden places are one array to add, made before timing.
pub const COMPOSED: Row<ProgrammableAttention> = burn_row::<ProgrammableAttention>(
    "composed",
    "matmul, the program as tensor operations on all scores in memory, softmax, matmul",
    &DType::FLOATS,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, changed, by_burn),
);

/// What a program does to all scores.
struct Changes {
    /// `[1, heads or 1, seq, seq]`
    added: Option<Tensor<4>>,
    capped: bool,
}

fn changed(on: &Target, params: &ProgrammableAttentionParams, inputs: &Inputs) -> Result<([Tensor<4>; 3], Changes)> {
    let changes = Changes { added: added(on, params), capped: params.program == "softcap" };
    Ok((attended(on, inputs), changes))
}

/// What a program adds to scores; nothing where it adds nothing.
fn added(on: &Target, params: &ProgrammableAttentionParams) -> Option<Tensor<4>> {
    let (seq, program) = (params.seq, params.program.as_str());
    let heads = match program {
        "alibi" => params.heads,
        "document" => 1,
        _ => return None,
    };
    let steep = |head: usize| if program == "alibi" { slope(head, heads) } else { 0.0 };
    let steep: Vec<f64> = (0..heads).map(steep).collect();
    let number = |at: usize| {
        let (head, query, key) = (at / seq / seq, at / seq % seq, at % seq);
        let seen = seen(program, query, key, seq);
        if seen { -steep[head] * (query as f64 - key as f64) } else { f64::NEG_INFINITY }
    };
    Some(on.upload_numbers((0..heads * seq * seq).map(number), [1, heads, seq, seq]))
}

fn by_burn((inputs, changes): &([Tensor<4>; 3], Changes)) -> Result<[Tensor<4>; 1]> {
    let [query, key, value] = inputs.clone();
    let head_dim = query.dims()[3] as f64;
    let mut scores = query.mul_scalar(1.0 / head_dim.sqrt()).matmul(key.swap_dims(2, 3));
    if changes.capped {
        scores = scores.div_scalar(CAP).tanh().mul_scalar(CAP);
    }
    if let Some(added) = &changes.added {
        scores = scores + added.clone();
    }
    Ok([softmax(scores, 3).matmul(value)])
}

/// Hand-written fused attention that calls a closure on each tile of scores, and leaves tiles out that it hides whole.
pub const CLOSURES: Row<ProgrammableAttention> = fused_row::<ProgrammableAttention>(
    "closures",
    "hand-written fused attention, a Rust closure for scores and one for tiles (FlexAttention's idea, arXiv 2412.05496)",
    &[DType::F32, DType::Bf16],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, with_score_mod, by_hand),
)
.catalogue(&["AT8"]);

/// Inputs, and the program as the kernel calls it.
type WithScoreMod = ([Tensor<4>; 3], Arc<dyn ScoreMod>);

fn with_score_mod(on: &Target, params: &ProgrammableAttentionParams, inputs: &Inputs) -> Result<WithScoreMod> {
    Ok((attended(on, inputs), score_mod(params)))
}

fn by_hand((inputs, score_mod): &WithScoreMod) -> Result<[Tensor<4>; 1]> {
    let [query, key, value] = inputs.clone();
    Ok([fused::programmable_attention(query, key, value, score_mod, fused::Options::default())?])
}

/// The program of a case.
fn score_mod(params: &ProgrammableAttentionParams) -> Arc<dyn ScoreMod> {
    let (seq, heads) = (params.seq, params.heads);
    // Causal: a tile is left out where its first key comes after the last query.
    let causal = |queries: &Range<usize>, keys: &Range<usize>| keys.start < queries.end;
    match params.program.as_str() {
        "alibi" => {
            let slopes: Vec<f32> = (0..heads).map(|head| slope(head, heads) as f32).collect();
            let score = move |score: f32, at: Place| {
                let distance = at.query as f32 - at.key as f32;
                if distance < 0.0 { f32::NEG_INFINITY } else { score - slopes[at.head] * distance }
            };
            Arc::new(WithBlockMask { score_mod: score, block_mask: causal })
        }
        "document" => {
            let score = move |score: f32, at: Place| {
                let same = document(at.query, seq) == document(at.key, seq);
                if at.key <= at.query && same { score } else { f32::NEG_INFINITY }
            };
            let visits = move |queries: &Range<usize>, keys: &Range<usize>| {
                keys.start < queries.end && document(keys.end - 1, seq) >= document(queries.start, seq)
            };
            Arc::new(WithBlockMask { score_mod: score, block_mask: visits })
        }
        _ => Arc::new(|score: f32, _: Place| CAP * (score / CAP).tanh()),
    }
}
