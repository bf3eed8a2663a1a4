//! The feed-forward part of a block.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

use super::activation::Activation;
use super::finish::{Added, Finish, Place};
use super::linear::{Affine, expect_numbers, whole};
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
    /// Of the first product and of the second.
    biases: [Option<Vec<f32>>; 2],
}

/// What comes before the nonlinearity.
#[derive(Debug)]
enum First {
    /// Up alone, and the nonlinearity.
    Plain(Packed<1>, Activation),
    /// Gate and up, side by side.
    Gated(Packed<2>),
}

impl MlpWeights {
    /// Packs `up` `[width, hidden]` and `down` `[hidden, width]`, between which lies the GELU.
    ///
    /// # Errors
    /// Slices of the wrong length, a network of no numbers, an instruction set that is absent.
    pub fn gelu(size: [usize; 2], up: &[f32], down: &[f32], isa: Isa) -> Result<Self> {
        let [up, down] = [up, down].map(|weight| Affine { weight, bias: None });
        Self::affine(size, Activation::Gelu, up, down, isa)
    }

    /// Packs `up` from `width` to `hidden` numbers and `down` back, between which lies `activation`.
    ///
    /// # Errors
    /// As of [`Self::gelu`].
    pub fn affine(size: [usize; 2], activation: Activation, up: Affine, down: Affine, isa: Isa) -> Result<Self> {
        let [width, hidden] = size;
        expect_numbers(size)?;
        up.check(["the up weights", "the up bias"], size)?;
        down.check(["the down weights", "the down bias"], [hidden, width])?;
        let (first, second) = with_isa!(isa, |tile| {
            let first = Packed::new(&tile, [up.weight], [1, width, hidden]);
            (first, Packed::new(&tile, [down.weight], [1, hidden, width]))
        });
        let biases = [whole(up.bias, first.across()), whole(down.bias, second.across())];
        Ok(Self { width, hidden, isa, first: First::Plain(first, activation), second, biases })
    }

    /// Packs `gate` and `up` `[width, hidden]` and `down` `[hidden, width]`, between which lies SwiGLU.
    ///
    /// # Errors
    /// As of [`Self::gelu`].
    pub fn swiglu(size: [usize; 2], gate: &[f32], up: &[f32], down: &[f32], isa: Isa) -> Result<Self> {
        let [width, hidden] = size;
        expect_numbers(size)?;
        expect_len("the gate weights", &size, gate.len())?;
        expect_len("the up weights", &size, up.len())?;
        expect_len("the down weights", &[hidden, width], down.len())?;
        let (first, second) = with_isa!(isa, |tile| {
            let first = Packed::new(&tile, [gate, up], [1, width, hidden]);
            (first, Packed::new(&tile, [down], [1, hidden, width]))
        });
        Ok(Self { width, hidden, isa, first: First::Gated(first), second, biases: [None, None] })
    }
}

/// f(`input` · up + bias) · down + bias, or (silu(`input` · gate) ⊙ `input` · up) · down (SwiGLU: Shazeer, arXiv 2002.05202), `input`
/// and `out` `[rows, width]`.
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
    with_isa!(weights.isa, |tile| run(&tile, weights, input, None, out));
    Ok(())
}

/// The same where lengths and the instruction set are known; `residual` `[rows, width]` is added to it.
pub fn run<T: Tile + Tools + Sync>(
    tile: &T,
    weights: &MlpWeights,
    input: &[f32],
    residual: Option<&[f32]>,
    out: &mut [f32],
) {
    let MlpWeights { width, hidden, first, second, biases, .. } = weights;
    let (width, hidden, [up_bias, down_bias]) = (*width, *hidden, biases.each_ref().map(|bias| bias.as_deref()));
    let most = wave(input.len() / width, room(width) + room(hidden));
    if most == 0 {
        return;
    }
    scratch([most * room(width), most * room(hidden)], |[left, between]| {
        for (wave, (input, out)) in input.chunks(most * width).zip(out.chunks_mut(most * width)).enumerate() {
            let rows = input.len() / width;
            let (left, between) = (&mut left[..rows * room(width)], &mut between[..rows * room(hidden)]);
            pack(rows, width, rows_of(input, width), left);
            let to = Pieces::new(between);
            let finish = |bias, activation| Finish { bias, activation, ..Finish::to(Place::Left(&to, hidden, rows)) };
            match first {
                First::Plain(up, activation) => product(tile, left, rows, up, &finish(up_bias, *activation)),
                First::Gated(both) => product(tile, left, rows, both, &finish(None, Activation::Silu)),
            }
            let to = Pieces::new(out);
            let added =
                residual.map(|all| Added { numbers: &all[wave * most * width..][..rows * width], columns: width });
            let finish = Finish { bias: down_bias, added, ..Finish::to(Place::Matrix(&to, width)) };
            product(tile, between, rows, second, &finish);
        }
    });
}
