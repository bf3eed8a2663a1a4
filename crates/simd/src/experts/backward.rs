//! The gradients of a layer of experts.
#![expect(unsafe_code, reason = "tasks write rows of their own expert; registers of any instruction set")]

use std::ops::Range;

use super::dispatch::{Dispatch, Routed};
use super::weights::Experts;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{load_first, sigmoid, store_first};
use crate::matmul::isa::{self, Tile};
use crate::matmul::multiply;
use crate::memory::{Pieces, scratch};
use crate::team::parallel_for;
use crate::tools::{Kernel, Tools};
use crate::vector::Vector;

/// Tokens of a task that gathers what their experts give.
const TOGETHER: usize = 8;

/// Rows and columns that are transposed at a time: a cache line of each.
const SQUARE: usize = 16;

/// A layer whose gradients are wanted.
#[derive(Debug, Clone, Copy)]
pub struct MixtureBackward<'a> {
    /// Its weights as they lie.
    pub weights: Experts<'a>,
    /// Who goes where, and what that counts.
    pub routed: Routed<'a>,
    /// `[tokens, width]`
    pub input: &'a [f32],
    /// `[tokens, width]`, the gradient of the result
    pub grad: &'a [f32],
    /// Instructions to use.
    pub isa: Isa,
}

/// Room for the gradients of a layer, each in the shape of what it belongs to.
#[derive(Debug)]
pub struct MixtureGradients<'a> {
    /// `[tokens, width]`
    pub input: &'a mut [f32],
    /// `[tokens, chosen]`, of what the experts of a token count; 0 where a choice is dropped
    pub counts: &'a mut [f32],
    /// `[experts, width, hidden]`
    pub gate: &'a mut [f32],
    /// `[experts, width, hidden]`
    pub up: &'a mut [f32],
    /// `[experts, hidden, width]`
    pub down: &'a mut [f32],
}

impl MixtureBackward<'_> {
    fn check(&self, to: &MixtureGradients) -> Result<()> {
        let Self { weights, routed, input, grad, .. } = self;
        let Experts { experts, width, hidden, gate, up, down } = *weights;
        let known = routed.experts + routed.shared;
        if experts != known || [experts, width, hidden].contains(&0) {
            let said = format!("{experts} experts of {width} and {hidden} numbers, {known} are routed to");
            return Err(Error::Shape(said));
        }
        let (of_tokens, of_factors) = ([routed.tokens, width], [experts, width, hidden]);
        expect_len("the input", &of_tokens, input.len())?;
        expect_len("the gradient of the result", &of_tokens, grad.len())?;
        expect_len("the gradient of the input", &of_tokens, to.input.len())?;
        expect_len("the gradient of the counts", &[routed.tokens, routed.chosen], to.counts.len())?;
        expect_len("the gate weights", &of_factors, gate.len())?;
        expect_len("the up weights", &of_factors, up.len())?;
        expect_len("the down weights", &[experts, hidden, width], down.len())?;
        expect_len("the gradient of the gate", &of_factors, to.gate.len())?;
        expect_len("the gradient of up", &of_factors, to.up.len())?;
        expect_len("the gradient of down", &[experts, hidden, width], to.down.len())
    }
}

/// The gradients of [`mixture`](super::mixture) with rows sorted by expert, by reverse mode: of each row the first half again, then
/// three products to the inputs and three to the weights; what the second half gives is not needed. An expert is a task, unless
/// fewer are touched than there are threads, which then share its products. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, experts that there are not, an instruction set that is absent.
pub fn mixture_backward(call: &MixtureBackward, dispatch: &mut Dispatch, to: MixtureGradients) -> Result<()> {
    call.check(&to)?;
    dispatch.sorted(&call.routed)?;
    with_isa!(call.isa, |tile| run(&tile, call, dispatch, to));
    Ok(())
}

fn run<T: Tile + Tools + Sync>(tile: &T, call: &MixtureBackward, dispatch: &Dispatch, to: MixtureGradients) {
    let MixtureBackward { weights: Experts { experts, width, hidden, .. }, routed, .. } = *call;
    let MixtureGradients { input, counts, gate, up, down } = to;
    counts.fill(0.0);
    let rows = |expert: usize| dispatch.rows_of(expert);
    let touched = (0..experts).filter(|expert| !rows(*expert).is_empty()).count();
    scratch([routed.tokens * (routed.chosen + routed.shared) * width], |[of_rows]| {
        let (of_rows, counts) = (Pieces::new(of_rows), Pieces::new(counts));
        let each = width * hidden;
        let factors = gate.chunks_exact_mut(each).zip(up.chunks_exact_mut(each)).zip(down.chunks_exact_mut(each));
        let one = |(expert, ((gate, up), down)): (usize, ((&mut [f32], &mut [f32]), &mut [f32]))| {
            let rows = rows(expert);
            if rows.is_empty() {
                return [gate, up, down].into_iter().for_each(|gradient| gradient.fill(0.0));
            }
            // SAFETY: the rows of an expert are this task's alone.
            let of_rows = unsafe { of_rows.piece(rows.start * width..rows.end * width) };
            OfExpert { call, dispatch, expert, rows, counts: &counts }.run(tile, of_rows, [gate, up, down]);
        };
        if touched < rayon::current_num_threads() {
            factors.enumerate().for_each(one);
        } else {
            parallel_for(factors.enumerate(), one);
        }
        // SAFETY: all tasks are done.
        let of_rows = &*unsafe { of_rows.piece(0..dispatch.rows_of(experts - 1).end * width) };
        parallel_for(input.chunks_mut(TOGETHER * width).enumerate(), |(task, input)| {
            for (index, sums) in input.chunks_exact_mut(width).enumerate() {
                sums.fill(0.0);
                for (row, _) in dispatch.places(task * TOGETHER + index) {
                    sums.iter_mut().zip(&of_rows[row * width..]).for_each(|(sum, from)| *sum += from);
                }
            }
        });
    });
}

/// An expert that some rows go to.
struct OfExpert<'a> {
    call: &'a MixtureBackward<'a>,
    dispatch: &'a Dispatch,
    expert: usize,
    rows: Range<usize>,
    /// Gradients of what choices count.
    counts: &'a Pieces<'a>,
}

impl OfExpert<'_> {
    /// Gradients of the input of rows `[rows, width]`, and of the factors.
    fn run<T: Tile + Tools + Sync>(&self, tile: &T, of_rows: &mut [f32], [of_gate, of_up, of_down]: [&mut [f32]; 3]) {
        let MixtureBackward { weights, routed, input, grad, .. } = *self.call;
        let Experts { width, hidden, gate, up, down, .. } = weights;
        let (n, each) = (self.rows.len(), width * hidden);
        let [gate, up, down] = [gate, up, down].map(|all| &all[self.expert * each..][..each]);
        // For as many rows as other choices can bring, so that those want no more.
        let most = n.max(routed.tokens);
        let (narrow, wide) = (most * hidden, most * width);
        let either = narrow.max(wide);
        scratch([wide, wide, narrow, narrow, narrow, either, either], |[x, g, opened, raised, back, flat, other]| {
            let [x, g] = [x, g].map(|room| &mut room[..n * width]);
            let [opened, raised, back] = [opened, raised, back].map(|room| &mut room[..n * hidden]);
            let tokens = self.dispatch.tokens_of(self.rows.clone());
            for (row, token) in tokens.iter().enumerate() {
                let (from, to) = (token * width..(token + 1) * width, row * width..(row + 1) * width);
                x[to.clone()].copy_from_slice(&input[from.clone()]);
                g[to].copy_from_slice(&grad[from]);
            }
            multiply(tile, [n, width, hidden], [x, gate], opened);
            multiply(tile, [n, width, hidden], [x, up], raised);
            // Weights are left factors as they lie, of rows that lie as columns.
            let columns = turned(g, width, flat);
            let product = &mut other[..n * hidden];
            multiply(tile, [hidden, width, n], [down, columns], product);
            turned(product, n, back);
            for (row, choice) in self.dispatch.choices_of(self.rows.clone()).iter().enumerate() {
                let at = row * hidden..(row + 1) * hidden;
                let weight = routed.weights.get(*choice).copied().unwrap_or(1.0);
                let mut count = 0.0;
                let [gate, up, given] = [&mut *opened, &mut *raised, &mut *back].map(|all| &mut all[at.clone()]);
                tile.run(Slopes { gate, up, given, weight, count: &mut count });
                if *choice < routed.weights.len() {
                    // SAFETY: a choice is a row of one expert, and this task's alone.
                    unsafe { self.counts.piece(*choice..choice + 1) }.fill(count);
                }
            }
            multiply(tile, [hidden, n, width], [turned(back, hidden, flat), g], of_down);
            let columns = turned(x, width, flat);
            multiply(tile, [width, n, hidden], [columns, opened], of_gate);
            multiply(tile, [width, n, hidden], [columns, raised], of_up);
            for (slopes, factor, first) in [(opened, gate, true), (raised, up, false)] {
                let product = &mut other[..n * width];
                multiply(tile, [width, hidden, n], [factor, turned(slopes, hidden, flat)], product);
                // What x held has been used.
                turned(product, n, x);
                if first {
                    of_rows.copy_from_slice(x);
                } else {
                    of_rows.iter_mut().zip(&*x).for_each(|(sum, from)| *sum += from);
                }
            }
        });
    }
}

/// Rows of so many columns as columns, into the first numbers of `to`, which are given back.
fn turned<'a>(from: &[f32], columns: usize, to: &'a mut [f32]) -> &'a [f32] {
    let rows = from.len() / columns;
    let to = &mut to[..from.len()];
    for first in (0..rows).step_by(SQUARE) {
        for column in 0..columns {
            for row in first..rows.min(first + SQUARE) {
                to[column * rows + row] = from[row * columns + column];
            }
        }
    }
    to
}

/// What a row of an expert has between the halves: numbers become what they are needed for next.
struct Slopes<'a> {
    /// What the gate gives; the gradient of that.
    gate: &'a mut [f32],
    /// What up gives; the gradient of that.
    up: &'a mut [f32],
    /// What the gradient of the result gives through the second half; what went through it forward, times the weight.
    given: &'a mut [f32],
    /// What the expert counts; the gradient of that.
    weight: f32,
    count: &'a mut f32,
}

impl Kernel for Slopes<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { gate, up, given, weight, count } = self;
        let length = gate.len();
        assert!(length == up.len() && length == given.len());
        let [gate_at, up_at, given_at] = [gate, up, given].map(|numbers| numbers.as_mut_ptr());
        // SAFETY: as promised, and within the row; lanes that it does not have are 0, and add nothing.
        unsafe {
            let (one, weight, mut sum) = (V::splat(1.0), V::splat(weight), V::splat(0.0));
            for at in (0..length).step_by(V::LANES) {
                let lanes = V::LANES.min(length - at);
                let gate = load_first::<V>(gate_at.add(at), lanes);
                let up = load_first::<V>(up_at.add(at), lanes);
                let given = load_first::<V>(given_at.add(at), lanes);
                let share = sigmoid(gate);
                let opened = gate.mul(share);
                let through = opened.mul(up);
                sum = given.mul_add(through, sum);
                let back = weight.mul(given);
                // The slope of x / (1 + e^−x).
                let slope = share.mul(gate.mul_add(one.sub(share), one));
                store_first(back.mul(up).mul(slope), gate_at.add(at), lanes);
                store_first(back.mul(opened), up_at.add(at), lanes);
                store_first(weight.mul(through), given_at.add(at), lanes);
            }
            *count = sum.sum();
        }
    }
}
