//! The programs that are measured, each as a closure.

use std::ops::Range;
use std::sync::Arc;

use benchbook_core::Params;
use benchbook_workloads::attention::program::{CAP, document, slope};

use crate::flex::fused::{Place, Program, WithTiles};

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
