//! Attention with its projections, of which some heads are left out: narrower products, and fewer heads that attend.
//!
//! Heads that share keys and values go together. Each row is checked against the attention in which the others give nothing.

use benchbook_core::{Array, DType, Inputs, Metric, Problem, Reference, Result, Row, Setting, Subject};
use benchbook_workloads::attention::{ProjectedAttention, ProjectedAttentionParams};

use super::projected::{Masked, ProjectedInputs, by_hand};
use crate::flex::pruning::{largest, squares};
use crate::flex::row::fused_row;
use crate::flex::subject::{NamedInputs, Rows, TensorSubject};
use crate::flex::tensor::Target;
use crate::flex::weight_only::{own_bytes, own_flops, weight_bytes};

/// An implementation of `projected-attention` for each share.
pub const ROWS: [Row<ProjectedAttention>; 2] = [heads::<25>("heads-25"), heads::<50>("heads-50").catalogue(&["SP1"])];

const fn heads<const PERCENT: usize>(name: &'static str) -> Row<ProjectedAttention> {
    let about = "hand-written parts as `chain` has them, without the heads of the smallest weights (as arXiv 1905.10650, by squares): \
                 so many percent";
    fused_row::<ProjectedAttention>(name, about, &[DType::F32], prepare::<PERCENT>)
        .approximating(answer::<PERCENT>)
        .on_request()
}

/// Query heads that share keys and values.
fn together(params: &ProjectedAttentionParams) -> usize {
    params.heads / params.kv_heads
}

/// The heads of keys that are kept, in their order: those whose weights have the largest squares, their queries' too.
fn kept<const PERCENT: usize>(params: &ProjectedAttentionParams, inputs: &Inputs) -> Vec<usize> {
    let ProjectedAttentionParams { heads, kv_heads, head_dim, .. } = *params;
    let (narrow, wide) = (head_dim, together(params) * head_dim);
    let mut sizes = vec![0.0; kv_heads];
    for (name, width) in [("w_key", narrow), ("w_value", narrow), ("w_query", wide)] {
        for row in inputs.numbers(name).chunks_exact(kv_heads * width) {
            sizes.iter_mut().zip(row.chunks_exact(width)).for_each(|(size, numbers)| *size += squares(numbers));
        }
    }
    let out = inputs.numbers("w_out").chunks_exact(wide * heads * head_dim);
    sizes.iter_mut().zip(out).for_each(|(size, rows)| *size += squares(rows));
    let kept = largest(&sizes, (kv_heads * (100 - PERCENT)).div_ceil(100));
    (0..kv_heads).filter(|head| kept[*head]).collect()
}

/// Inputs of which the weights are others than those that can be overwritten.
struct Fewer(Masked);

impl NamedInputs for Fewer {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "input" { self.0.input(name) } else { None }
    }
}

fn prepare<const PERCENT: usize>(
    name: &'static str,
    setting: &Setting,
    params: &ProjectedAttentionParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let ProjectedAttentionParams { heads, kv_heads, head_dim, causal, .. } = *params;
    let (kept, hidden) = (kept::<PERCENT>(params, inputs), heads * head_dim);
    let (narrow, wide) = (head_dim, together(params) * head_dim);
    let columns = |name: &str, width: usize| {
        let rows = inputs.numbers(name).chunks_exact(kv_heads * width);
        let of = |row: &[f32]| kept.iter().flat_map(|head| row[head * width..][..width].to_vec()).collect::<Vec<f32>>();
        Array::new(vec![hidden, kept.len() * width], &rows.flat_map(of).collect::<Vec<f32>>())
    };
    let out = inputs.numbers("w_out");
    let out: Vec<f32> = kept.iter().flat_map(|head| &out[head * wide * hidden..][..wide * hidden]).copied().collect();
    let out = Array::new(vec![kept.len() * wide, hidden], &out);
    let weights = [columns("w_query", wide), columns("w_key", narrow), columns("w_value", narrow), out];
    let upload = |on: &Target, _: &ProjectedAttentionParams, inputs: &Inputs| {
        let weights = weights.each_ref().map(|weights| on.upload(weights));
        let (input, heads) = (on.upload(inputs.get("input")), [kept.len() * together(params), kept.len()]);
        Ok(Fewer((ProjectedInputs { input, weights, heads, causal }, None)))
    };
    let subject = TensorSubject::uploaded(name, setting, params, inputs, upload, |fewer: &Fewer| by_hand(&fewer.0))?;
    let share = kept.len() as f64 / kv_heads as f64;
    let bytes: usize = weights.iter().map(|weights| weights.bytes().len()).sum();
    // All that is computed is of heads, and so are all weights.
    let work = ProjectedAttention::work(params, DType::F32);
    let moved = bytes + 2 * inputs.get("input").bytes().len();
    let sparsity = Metric::modelled("sparsity", 1.0 - share, "share");
    let own = vec![weight_bytes(bytes), own_bytes(moved), sparsity, own_flops(share * work.flops)];
    Ok(Box::new(subject.with_metrics(own)))
}

/// The attention in which the other heads give nothing.
fn answer<const PERCENT: usize>(params: &ProjectedAttentionParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    let kept = kept::<PERCENT>(params, inputs);
    let mut inputs = inputs.clone();
    let rows = together(params) * params.head_dim * params.heads * params.head_dim;
    let out = inputs.get_mut("w_out")?.of_mut::<f32>().chunks_exact_mut(rows);
    for (_, rows) in out.enumerate().filter(|(head, _)| kept.binary_search(head).is_err()) {
        rows.fill(0.0);
    }
    Some(ProjectedAttention::reference(params, &inputs, seed))
}
