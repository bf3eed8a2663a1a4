//! A layer of experts: rows through the first half, through the second, and together for each token.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

use std::ops::Range;

use super::dispatch::{Block, Dispatch};
use super::product::{MOST_ROWS, Part, WIDE};
use super::weights::ExpertWeights;
use crate::blocks::{Activation, Finish, Place};
use crate::error::{Error, Result, expect_len};
use crate::isa::with_isa;
use crate::matmul::isa::{self, Tile};
use crate::matmul::pack::LEFT_ROW;
use crate::matmul::packed::Packed;
use crate::memory::{Pieces, scratch};
use crate::team::parallel_for;
use crate::tools::Tools;

/// Rows that are between the halves at a time: so memory grows with the layer's width, and not with its tokens.
const WAVE: usize = 4096;

/// Tokens of a task that gathers what their experts give.
const TOGETHER: usize = 8;

/// Σ weight · silu(x · gate) ⊙ (x · up) · down over the experts of each token, `input` and `out` `[tokens, width]` (Shazeer,
/// arXiv 2002.05202, section 2, for each expert; Gale et al., MegaBlocks, arXiv 2211.15841, for the products of sorted rows).
///
/// The rows of an expert share its weights, of which a task takes some columns of both sides of the first half, so that what the
/// gate needs is where it is computed. A few rows read weights as fast as memory gives them. What an expert gives is kept by row and
/// added up by token, lower experts first. So a token has the same bits whoever else is in the call, however many threads there
/// are, and whether rows are sorted or dense. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, another number of experts, an instruction set that is absent.
pub fn mixture(weights: &ExpertWeights, dispatch: &Dispatch, input: &[f32], out: &mut [f32]) -> Result<()> {
    let shape = [dispatch.tokens(), weights.width];
    expect_len("the input", &shape, input.len())?;
    expect_len("the result", &shape, out.len())?;
    if dispatch.experts() != weights.experts {
        let [rows, known] = [dispatch.experts(), weights.experts];
        return Err(Error::Shape(format!("rows are those of {rows} experts, there are weights of {known}")));
    }
    with_isa!(weights.isa, |tile| run(&tile, weights, dispatch, input, out));
    Ok(())
}

fn run<T: Tile + Tools + Sync>(tile: &T, weights: &ExpertWeights, dispatch: &Dispatch, input: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    let mut left = dispatch.blocks();
    while let Some(first) = left.first() {
        let begin = first.rows.start;
        let count = left.iter().take_while(|block| block.rows.end - begin <= WAVE).count();
        let (wave, others) = left.split_at(count);
        one_wave(tile, weights, dispatch, wave, input, out);
        left = others;
    }
}

const _: () = assert!(MOST_ROWS <= WAVE, "a wave has a block at least");

/// Adds to `out` what the rows of these blocks give. Scratch is for as many rows as there can be, so that no other choices want
/// more of it.
fn one_wave<T: Tile + Tools + Sync>(
    tile: &T,
    weights: &ExpertWeights,
    dispatch: &Dispatch,
    wave: &[Block],
    input: &[f32],
    out: &mut [f32],
) {
    let ExpertWeights { width, hidden, first, second, .. } = weights;
    let (width, hidden) = (*width, *hidden);
    let (begin, end) = wave.first().zip(wave.last()).map_or((0, 0), |(a, b)| (a.rows.start, b.rows.end));
    let rows = WAVE.min(dispatch.most());
    let most = MOST_ROWS.min(rows);
    scratch([rows * hidden, rows * width], |[between, given]| {
        let to = Pieces::new(between);
        let finish = Finish { activation: Activation::Silu, ..Finish::to(Place::Matrix(&to, hidden)) };
        for_parts(first, wave, |part, rows| {
            let (count, wide) = (rows.len(), part.wide::<T>());
            let tokens = dispatch.tokens_of(rows.clone());
            let room = most * first.panels.min(WIDE) * T::COLUMNS;
            scratch([most * LEFT_ROW, room, room], |[left, gate, up]| {
                let (gate, up) = (&mut gate[..count * wide], &mut up[..count * wide]);
                part.multiply(tile, count, |row| &input[tokens[row] * width..][..width], left, [&mut *gate, &mut *up]);
                part.finish(tile, count, [&*gate, &*up], rows.start - begin, &finish);
            });
        });
        let between = &*between;
        let to = Pieces::new(given);
        let finish = Finish::to(Place::Matrix(&to, width));
        for_parts(second, wave, |part, rows| {
            let (count, wide) = (rows.len(), part.wide::<T>());
            let from = &between[(rows.start - begin) * hidden..];
            let room = most * second.panels.min(WIDE) * T::COLUMNS;
            scratch([most * LEFT_ROW, room], |[left, sums]| {
                let sums = &mut sums[..count * wide];
                part.multiply(tile, count, |row| &from[row * hidden..][..hidden], left, [&mut *sums]);
                part.finish(tile, count, [&*sums], rows.start - begin, &finish);
            });
        });
        let given = &*given;
        parallel_for(out.chunks_mut(TOGETHER * width).enumerate(), |(task, out)| {
            for (index, sums) in out.chunks_exact_mut(width).enumerate() {
                let places = dispatch.places(task * TOGETHER + index).iter();
                for (row, weight) in places.filter(|(row, _)| (begin..end).contains(row)) {
                    let from = &given[(row - begin) * width..][..width];
                    sums.iter_mut().zip(from).for_each(|(sum, from)| *sum += weight * from);
                }
            }
        });
    });
}

/// Calls `task` for some panels of an expert at a time, and the rows of each block of this expert, on all threads.
fn for_parts<const N: usize>(packed: &Packed<N>, wave: &[Block], task: impl Fn(Part<N>, Range<usize>) + Sync) {
    let across = packed.panels.div_ceil(WIDE);
    parallel_for(0..wave.len() * across, |place| {
        let (Block { expert, rows }, first) = (&wave[place / across], place % across * WIDE);
        let panels = first..packed.panels.min(first + WIDE);
        task(Part { packed, expert: *expert, panels }, rows.clone());
    });
}
