//! The feed-forward part of a block.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

use super::activation::Activation;
use super::finish::{Finish, Place};
use super::linear::expect_numbers;
use super::product::{pack, product, room, rows_of, wave};
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::isa::{self, Tile};
use crate::matmul::packed::Packed;
use crate::memory::{Pieces, scratch};
use crate::tools::Tools;

/// The weights of a feed-forward network, packed for an instruction set: made once for a model, used by every call.
#[derive(Debug)]
pub struct MlpWeights {
    width: usize,
    hidden: usize,
    isa: Isa,
    first: First,
    second: Packed<1>,
}

/// What comes before the nonlinearity.
#[derive(Debug)]
enum First {
    /// Up alone.
    Gelu(Packed<1>),
    /// Gate and up, side by side.
    Gated(Packed<2>),
}

impl MlpWeights {
    /// Packs `up` `[width, hidden]` and `down` `[hidden, width]`, between which lies the GELU.
    ///
    /// # Errors
    /// Slices of the wrong length, a network of no numbers, an instruction set that is absent.
    pub fn gelu(size: [usize; 2], up: &[f32], down: &[f32], isa: Isa) -> Result<Self> {
        let [width, hidden] = size;
        check(size, [("the up weights", up)], down)?;
        let first = with_isa!(isa, |tile| First::Gelu(Packed::new(&tile, [up], [1, width, hidden])));
        Self::with(first, size, down, isa)
    }

    /// Packs `gate` and `up` `[width, hidden]` and `down` `[hidden, width]`, between which lies SwiGLU.
    ///
    /// # Errors
    /// As of [`Self::gelu`].
    pub fn swiglu(size: [usize; 2], gate: &[f32], up: &[f32], down: &[f32], isa: Isa) -> Result<Self> {
        let [width, hidden] = size;
        check(size, [("the gate weights", gate), ("the up weights", up)], down)?;
        let first = with_isa!(isa, |tile| First::Gated(Packed::new(&tile, [gate, up], [1, width, hidden])));
        Self::with(first, size, down, isa)
    }

    fn with(first: First, [width, hidden]: [usize; 2], down: &[f32], isa: Isa) -> Result<Self> {
        let second = with_isa!(isa, |tile| Packed::new(&tile, [down], [1, hidden, width]));
        Ok(Self { width, hidden, isa, first, second })
    }
}

fn check<const N: usize>([width, hidden]: [usize; 2], first: [(&'static str, &[f32]); N], down: &[f32]) -> Result<()> {
    expect_numbers([width, hidden])?;
    for (name, weights) in first {
        expect_len(name, &[width, hidden], weights.len())?;
    }
    expect_len("the down weights", &[hidden, width], down.len())
}

/// gelu(`input` · up) · down, or (silu(`input` · gate) ⊙ `input` · up) · down (SwiGLU: Shazeer, arXiv 2002.05202), `input` and `out`
/// `[rows, width]`.
///
/// What lies between the products is made of the sums of a panel while these are near, and goes where the second product reads it. A
/// row has the same bits in any company, on any number of threads. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn mlp(weights: &MlpWeights, input: &[f32], out: &mut [f32]) -> Result<()> {
    let shape = [input.len() / weights.width, weights.width];
    expect_len("the input", &shape, input.len())?;
    expect_len("the result", &shape, out.len())?;
    with_isa!(weights.isa, |tile| run(&tile, weights, input, out));
    Ok(())
}

fn run<T: Tile + Tools + Sync>(tile: &T, weights: &MlpWeights, input: &[f32], out: &mut [f32]) {
    let MlpWeights { width, hidden, first, second, .. } = weights;
    let (width, hidden) = (*width, *hidden);
    let most = wave(input.len() / width, room(width) + room(hidden));
    if most == 0 {
        return;
    }
    scratch([most * room(width), most * room(hidden)], |[left, between]| {
        for (input, out) in input.chunks(most * width).zip(out.chunks_mut(most * width)) {
            let rows = input.len() / width;
            let (left, between) = (&mut left[..rows * room(width)], &mut between[..rows * room(hidden)]);
            pack(rows, width, rows_of(input, width), left);
            let to = Pieces::new(between);
            let finish = |activation| Finish { activation, ..Finish::to(Place::Left(&to, hidden, rows)) };
            match first {
                First::Gelu(up) => product(tile, left, rows, up, &finish(Activation::Gelu)),
                First::Gated(both) => product(tile, left, rows, both, &finish(Activation::Silu)),
            }
            let to = Pieces::new(out);
            product(tile, between, rows, second, &Finish::to(Place::Matrix(&to, width)));
        }
    });
}
