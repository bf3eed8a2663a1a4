//! Channels that are kept apart: each is convolved by itself, with sums of several places in registers.
#![expect(unsafe_code, reason = "pointers: what lines hold is known for a task, not looked up for each register")]

use std::ops::Range;

use super::lines::Lines;
use super::{Call, ConvolutionWeights};
use crate::math::store_first;
use crate::memory::Pieces;
use crate::team::{each, parallel_for};
use crate::tools::{Kernel, Tools};
use crate::vector::Vector;

/// Registers of sums that are kept at once: additions wait for nothing.
const PLACES: usize = 8;

/// Columns of a task at most.
const ACROSS: usize = 2048;

/// Numbers that a task lays out, about: they stay in a second-level cache.
const NEAR: usize = 1 << 15;

/// One channel after for each channel before.
pub fn run<T: Tools + Sync>(tools: &T, call: &Call, out: &mut [f32]) {
    let (layer, [height, width]) = (call.layer, call.after);
    let (of, channels) = (layer.of, layer.of.channels[0]);
    let planes = out.len() / (height * width);
    let columns = width.min(ACROSS);
    let line = of.stride[1] * columns + of.reach(1);
    let near = (NEAR / line).saturating_sub(of.reach(0)) / of.stride[0];
    let rows = each(planes * height, width).min(near).clamp(1, height);
    let [down, across] = [height.div_ceil(rows), width.div_ceil(columns)];
    let out = Pieces::new(out);
    parallel_for(0..planes * down * across, |task| {
        let (plane, part) = (task / (down * across), task % (down * across));
        let (row, column) = (part / across * rows, part % across * columns);
        let part = [row..height.min(row + rows), column..width.min(column + columns)];
        let numbers = of.taps() + 1;
        let weights = &layer.rows[plane % channels * numbers..][..numbers];
        // Whole registers are read, whatever the last one has too much.
        let read = part[1].len().next_multiple_of(T::LANES);
        call.image(plane).laid_out(0..1, &part, read, |lines| {
            let first = plane * height * width + row * width + column;
            tools.run(Sums { layer, weights, lines, part: &part, width, first, out: &out });
        });
    });
}

/// A part of a channel.
struct Sums<'a> {
    layer: &'a ConvolutionWeights,
    /// A number for each place of a window, and the bias.
    weights: &'a [f32],
    lines: &'a Lines<'a>,
    /// Its rows and columns.
    part: &'a [Range<usize>; 2],
    /// Numbers from one row of the result to the next.
    width: usize,
    /// Where its first number goes.
    first: usize,
    out: &'a Pieces<'a>,
}

impl Kernel for Sums<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { layer, weights, lines, part: [rows, columns], width, first, out } = self;
        let ([down, across], apart) = (layer.of.kernel, layer.of.stride[0] * lines.per_row);
        let registers = rows.len() * columns.len().div_ceil(V::LANES);
        let mut next = [0, 0];
        for begun in (0..registers).step_by(PLACES) {
            let count = PLACES.min(registers - begun);
            // Where there are fewer, the first is computed again.
            let mut places = [next; PLACES];
            for place in &mut places[..count] {
                *place = next;
                let [row, column] = next;
                next = if column + V::LANES < columns.len() { [row, column + V::LANES] } else { [row + 1, 0] };
            }
            // SAFETY: as promised; lines hold whole registers from every place of a window on, and these rows and columns of the
            // result are this task's alone.
            unsafe {
                let mut from = [lines.numbers.as_ptr(); PLACES];
                for (from, [row, column]) in from.iter_mut().zip(places) {
                    *from = from.add(row * apart + column);
                }
                let mut sums = [V::splat(weights[down * across]); PLACES];
                for row in 0..down {
                    for column in 0..across {
                        let weight = V::splat(weights[row * across + column]);
                        let tap = lines.place(layer, 0, [row, column]);
                        for (sum, from) in sums.iter_mut().zip(from) {
                            *sum = weight.mul_add(V::load(from.add(tap)), *sum);
                        }
                    }
                }
                for ([row, column], sum) in places.into_iter().zip(sums).take(count) {
                    store_first(sum, out.pointer(first + row * width + column), V::LANES.min(columns.len() - column));
                }
            }
        }
    }
}
