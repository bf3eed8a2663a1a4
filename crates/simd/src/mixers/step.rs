//! One step of a recurrence: decoding, bound by reading and writing states.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per row; tasks write states of their own")]

use super::linear::{Linear, LinearSize};
use crate::math::{load_first, store_first, sum_first};
use crate::memory::Pieces;
use crate::tools::Kernel;
use crate::vector::Vector;

/// The only step of a head: its state is read and written once.
pub struct Step<'a> {
    pub call: &'a Linear<'a>,
    pub sequence: usize,
    pub head: usize,
    pub out: &'a Pieces<'a>,
    pub end: &'a Pieces<'a>,
}

impl Kernel for Step<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { call, sequence, head, out, end } = self;
        let LinearSize { heads, groups, key_dim, value_dim, .. } = call.size;
        let key_at = call.key_at(sequence, 0, head / (heads / groups));
        let (query, key) = (&call.query[key_at..][..key_dim], &call.key[key_at..][..key_dim]);
        let (at, numbers) = (sequence * heads + head, key_dim * value_dim);
        let value = &call.value[at * value_dim..][..value_dim];
        let start = &call.start[at * numbers..][..numbers];
        let mut share = [0.0];
        // SAFETY: as promised; result and state of this head are this task's alone.
        let (out, end) = unsafe {
            call.shares::<V>(sequence, 0, head, &mut share);
            (out.piece(at * value_dim..(at + 1) * value_dim), end.piece(at * numbers..(at + 1) * numbers))
        };
        let [share] = share;
        let left = call.log(call.rate(head), share).exp2() as f32;
        // SAFETY: as promised.
        unsafe {
            if call.keys_last {
                let rows = start.chunks_exact(key_dim).zip(end.chunks_exact_mut(key_dim));
                for ((value, out), (start, end)) in value.iter().zip(&mut *out).zip(rows) {
                    *out = row::<V>([left, share * value], [query, key, start], end);
                }
            } else {
                out.fill(0.0);
                let rows = start.chunks_exact(value_dim).zip(end.chunks_exact_mut(value_dim));
                for ((query, key), (start, end)) in query.iter().zip(key).zip(rows) {
                    add_row::<V>([left, share * key, *query], [value, start], end, out);
                }
            }
        }
        if let Some(skip) = call.skip(head) {
            out.iter_mut().zip(value).for_each(|(out, value)| *out += skip * value);
        }
    }
}

/// `end = left · start + factor · key`, and its product with the query.
///
/// # Safety
/// The CPU has `V`'s instruction set; all slices are as long.
#[inline(always)]
unsafe fn row<V: Vector>([left, factor]: [f32; 2], [query, key, start]: [&[f32]; 3], end: &mut [f32]) -> f32 {
    // SAFETY: as promised.
    unsafe {
        let (left, factor, mut sum, mut rest) = (V::splat(left), V::splat(factor), V::splat(0.0), 0.0);
        for at in (0..start.len()).step_by(V::LANES) {
            let lanes = V::LANES.min(start.len() - at);
            let added = factor.mul(load_first(key.as_ptr().add(at), lanes));
            let state = left.mul_add(load_first(start.as_ptr().add(at), lanes), added);
            store_first(state, end.as_mut_ptr().add(at), lanes);
            let query = load_first(query.as_ptr().add(at), lanes);
            if lanes == V::LANES {
                sum = state.mul_add(query, sum);
            } else {
                rest = sum_first(state.mul(query), lanes);
            }
        }
        sum.sum() + rest
    }
}

/// `end = left · start + factor · value`, and `out += query · end`.
///
/// # Safety
/// The CPU has `V`'s instruction set; all slices are as long.
#[inline(always)]
unsafe fn add_row<V: Vector>(
    [left, factor, query]: [f32; 3],
    [value, start]: [&[f32]; 2],
    end: &mut [f32],
    out: &mut [f32],
) {
    // SAFETY: as promised.
    unsafe {
        let (left, factor, query) = (V::splat(left), V::splat(factor), V::splat(query));
        for at in (0..start.len()).step_by(V::LANES) {
            let lanes = V::LANES.min(start.len() - at);
            let added = factor.mul(load_first(value.as_ptr().add(at), lanes));
            let state = left.mul_add(load_first(start.as_ptr().add(at), lanes), added);
            store_first(state, end.as_mut_ptr().add(at), lanes);
            let sum = query.mul_add(state, load_first(out.as_ptr().add(at), lanes));
            store_first(sum, out.as_mut_ptr().add(at), lanes);
        }
    }
}
