//! The programs that are measured, each as a closure.

use std::ops::Range;
use std::sync::Arc;

use benchbook_core::Params;

use crate::fused::{Place, Program, WithTiles};

/// Names of the programs.
pub const NAMES: [&str; 3] = ["alibi", "softcap", "document"];

/// The bound of `softcap`, as Gemma 2's (arXiv 2408.00118, section 2).
pub const CAP: f32 = 20.0;

/// Documents that are packed into a sequence, of equal length but for the last.
pub const DOCUMENTS: usize = 4;

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

/// The program of a case.
pub fn program(params: &Params) -> Arc<dyn Program> {
    let (seq, heads) = (params.size("seq"), params.size("heads"));
    // Causal: a tile is left out where its first key comes after the last query.
    let causal = |queries: &Range<usize>, keys: &Range<usize>| keys.start < queries.end;
    match params.text("program") {
        "alibi" => {
            let slopes: Vec<f32> = (0..heads).map(|head| slope(head, heads) as f32).collect();
            let score = move |score: f32, at: Place| {
                let distance = at.query as f32 - at.key as f32;
                if distance < 0.0 { f32::NEG_INFINITY } else { score - slopes[at.head] * distance }
            };
            Arc::new(WithTiles { score, visits: causal })
        }
        "document" => {
            let score = move |score: f32, at: Place| {
                let same = document(at.query, seq) == document(at.key, seq);
                if at.key <= at.query && same { score } else { f32::NEG_INFINITY }
            };
            let visits = move |queries: &Range<usize>, keys: &Range<usize>| {
                keys.start < queries.end && document(keys.end - 1, seq) >= document(queries.start, seq)
            };
            Arc::new(WithTiles { score, visits })
        }
        _ => Arc::new(|score: f32, _: Place| CAP * (score / CAP).tanh()),
    }
}
