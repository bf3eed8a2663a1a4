//! The gradients of attention, tile by tile.
#![expect(unsafe_code, reason = "the steps of an instruction set are made where it was detected")]

use super::block::{Head, lay_out};
use super::isa::{self, Backwards};
use super::step::KEYS;
use super::{Attend, Heads};
use crate::error::{Result, expect_len};
use crate::isa::with_isa;
use crate::memory::scratch;
use crate::team::parallel_for;

/// What the forward pass left, and the gradient that comes from above.
#[derive(Debug, Clone, Copy)]
pub struct Forward<'a> {
    /// `[batch, heads, seq_q, head_dim]`: the result.
    pub out: &'a [f32],
    /// `[batch, heads, seq_q]`: log₂ of the sum of 2 to the power of all scores times log₂ e.
    pub lse: &'a [f32],
    /// `[batch, heads, seq_q, head_dim]`: the gradient of the result.
    pub grad: &'a [f32],
}

/// The gradients of the inputs.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// `[batch, heads, seq_q, head_dim]`
    pub query: &'a mut [f32],
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub key: &'a mut [f32],
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub value: &'a mut [f32],
}

/// Gradients of [`super::attention`], without the scores in memory: weights are computed again from the sums that the
/// forward pass left (Dao, arXiv 2307.08691, algorithm 2). Scratch grows with seq_q · head_dim.
///
/// # Errors
/// As of [`super::attention`].
pub fn attention_backward(call: &Attend, forward: &Forward, grads: &mut Gradients) -> Result<()> {
    call.check()?;
    let heads = &call.heads;
    let rows = [heads.batch, heads.heads, heads.seq_q];
    for (name, shape, found) in [
        ("the result", &heads.query()[..], forward.out.len()),
        ("the sums", &rows[..], forward.lse.len()),
        ("the gradient of the result", &heads.query()[..], forward.grad.len()),
        ("the gradient of query", &heads.query()[..], grads.query.len()),
        ("the gradient of key", &heads.key()[..], grads.key.len()),
        ("the gradient of value", &heads.key()[..], grads.value.len()),
    ] {
        expect_len(name, shape, found)?;
    }
    if grads.query.is_empty() || grads.key.is_empty() {
        grads.query.fill(0.0);
        grads.key.fill(0.0);
        grads.value.fill(0.0);
        return Ok(());
    }
    with_isa!(call.isa, |steps| run(&steps, call, forward, grads));
    Ok(())
}

/// One task for each key head, which alone writes the gradients of its keys, values and queries.
fn run<S: Backwards + Sync>(steps: &S, call: &Attend, forward: &Forward, grads: &mut Gradients) {
    let Heads { heads, kv_heads, seq_q, seq_kv, head_dim: d, .. } = call.heads;
    let (group, kv) = (heads / kv_heads, seq_kv * d);
    let all = grads.key.chunks_mut(kv).zip(grads.value.chunks_mut(kv));
    let all = all.zip(grads.query.chunks_mut(group * seq_q * d)).enumerate();
    parallel_for(all, |(unit, ((key_grad, value_grad), query_grad))| {
        key_grad.fill(0.0);
        value_grad.fill(0.0);
        for (index, query_grad) in query_grad.chunks_exact_mut(seq_q * d).enumerate() {
            let head = unit * group + index;
            one_head(steps, call, forward, head, query_grad, key_grad, value_grad);
        }
    });
}

/// Adds what one query head gives; `query_grad` is set.
fn one_head<S: Backwards>(
    steps: &S,
    call: &Attend,
    forward: &Forward,
    head: usize,
    query_grad: &mut [f32],
    key_grad: &mut [f32],
    value_grad: &mut [f32],
) {
    let Heads { seq_q, seq_kv, head_dim: d, .. } = call.heads;
    let columns = S::COLUMNS;
    let (groups, wide) = (seq_q.div_ceil(columns), d.next_multiple_of(columns));
    let Head { query, key: keys, value: values, hidden, scale: in_log2, .. } = call.head(head);
    let scale = call.scale();
    let rows = head * seq_q * d..(head + 1) * seq_q * d;
    let (out, grad) = (&forward.out[rows.clone()], &forward.grad[rows]);
    let lse = &forward.lse[head * seq_q..][..seq_q];
    let side = groups * columns * d;
    let flat = groups * columns * wide;
    let tile = KEYS * columns;
    let sums = KEYS * wide;
    let lengths = [side, side, side, flat, flat, groups * columns, groups * columns, tile, tile, sums, sums];
    scratch(lengths, |[query_t, grad_t, query_grad_t, query_rows, grad_rows, sum, delta, weights, slopes, dk, dv]| {
        lay_out(query, d, columns, in_log2, query_t);
        lay_out(grad, d, columns, 1.0, grad_t);
        pad(query, d, wide, query_rows);
        pad(grad, d, wide, grad_rows);
        query_grad_t.fill(0.0);
        sum.fill(0.0);
        sum[..seq_q].copy_from_slice(lse);
        delta.fill(0.0);
        for ((delta, out), grad) in delta.iter_mut().zip(out.chunks_exact(d)).zip(grad.chunks_exact(d)) {
            *delta = out.iter().zip(grad).map(|(out, grad)| out * grad).sum();
        }
        for start in (0..seq_kv).step_by(KEYS) {
            let tile = start..seq_kv.min(start + KEYS);
            let count = tile.len();
            let (key, value) = (&keys[tile.start * d..tile.end * d], &values[tile.start * d..tile.end * d]);
            dk.fill(0.0);
            dv.fill(0.0);
            for group in 0..groups {
                let (first, size) = (group * columns, columns.min(seq_q - group * columns));
                let visible = hidden.range(&call.heads, first, size);
                if visible.end <= tile.start || tile.end <= visible.start {
                    continue;
                }
                let across = group * columns * d..(group + 1) * columns * d;
                let along = group * columns * wide..(group + 1) * columns * wide;
                let each = group * columns..(group + 1) * columns;
                let (weights, slopes) = (&mut weights[..count * columns], &mut slopes[..count * columns]);
                steps.score(d, key, &query_t[across.clone()], weights);
                steps.score(d, value, &grad_t[across.clone()], slopes);
                if hidden.mask.is_some() || !hidden.sees_all(first, size, &tile) {
                    hidden.hide(seq_kv, first, size, &tile, columns, weights);
                }
                steps.soften(scale, weights, slopes, &sum[each.clone()], &delta[each]);
                if size < columns {
                    // Columns without a query.
                    weights.chunks_exact_mut(columns).for_each(|row| row[size..].fill(0.0));
                    slopes.chunks_exact_mut(columns).for_each(|row| row[size..].fill(0.0));
                }
                steps.along(weights, &grad_rows[along.clone()], wide, dv);
                steps.along(slopes, &query_rows[along], wide, dk);
                steps.across(d, key, slopes, &mut query_grad_t[across]);
            }
            for (to, from) in [(&mut *key_grad, &*dk), (&mut *value_grad, &*dv)] {
                let to = &mut to[tile.start * d..tile.end * d];
                for (to, from) in to.chunks_exact_mut(d).zip(from.chunks_exact(wide)) {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                }
            }
        }
        for (index, row) in query_grad.chunks_exact_mut(d).enumerate() {
            let from = &query_grad_t[index / columns * columns * d + index % columns..];
            row.iter_mut().zip(from.iter().step_by(columns)).for_each(|(to, from)| *to = *from);
        }
    });
}

/// Rows of `d` as rows of `wide`, zero beyond.
fn pad(from: &[f32], d: usize, wide: usize, to: &mut [f32]) {
    to.fill(0.0);
    for (to, from) in to.chunks_exact_mut(wide).zip(from.chunks_exact(d)) {
        to[..d].copy_from_slice(from);
    }
}
