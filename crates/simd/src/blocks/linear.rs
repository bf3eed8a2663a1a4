//! A linear layer.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

use super::activation::Activation;
use super::finish::{Finish, Place};
use super::product::{products, rows_of};
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::isa::{self, Tile};
use crate::matmul::packed::Packed;
use crate::memory::Pieces;
use crate::tools::Tools;

/// The weights of a linear layer, packed for an instruction set: made once for a model, used by every call.
#[derive(Debug)]
pub struct LinearWeights {
    inner: usize,
    outer: usize,
    isa: Isa,
    packed: Packed<1>,
    /// A number for each column of whole panels.
    bias: Option<Vec<f32>>,
}

impl LinearWeights {
    /// Packs `weight` `[inner, outer]` and `bias` `[outer]` for the instructions `isa`.
    ///
    /// # Errors
    /// Slices of the wrong length, a layer of no numbers, an instruction set that is absent.
    pub fn new([inner, outer]: [usize; 2], weight: &[f32], bias: Option<&[f32]>, isa: Isa) -> Result<Self> {
        expect_numbers([inner, outer])?;
        Affine { weight, bias }.check(["the weight", "the bias"], [inner, outer])?;
        let packed = with_isa!(isa, |tile| Packed::new(&tile, [weight], [1, inner, outer]));
        let bias = whole(bias, packed.across());
        Ok(Self { inner, outer, isa, packed, bias })
    }
}

/// A bias with a number for each column of whole panels.
pub fn whole(bias: Option<&[f32]>, across: usize) -> Option<Vec<f32>> {
    let mut whole = bias?.to_vec();
    whole.resize(across, 0.0);
    Some(whole)
}

/// What multiplies rows, and what is added to them where something is.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// `[inner, outer]`
    pub weight: &'a [f32],
    /// `[outer]`
    pub bias: Option<&'a [f32]>,
}

impl Affine<'_> {
    /// Refuses a weight or a bias, called so, of another length.
    pub(super) fn check(&self, names: [&'static str; 2], [inner, outer]: [usize; 2]) -> Result<()> {
        expect_len(names[0], &[inner, outer], self.weight.len())?;
        self.bias.map_or(Ok(()), |bias| expect_len(names[1], &[outer], bias.len()))
    }
}

/// Refuses matrices of no numbers.
pub fn expect_numbers([inner, outer]: [usize; 2]) -> Result<()> {
    if inner * outer == 0 {
        return Err(Error::Shape(format!("a layer from {inner} to {outer} numbers has no weights")));
    }
    Ok(())
}

/// f(`input` · weight + bias) into `out` `[rows, outer]`, of `input` `[rows, inner]`. Bias and activation are applied to the sums of a
/// panel while these are near. A row has the same bits in any company, on any number of threads. Nothing is allocated once every
/// thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn linear(weights: &LinearWeights, activation: Activation, input: &[f32], out: &mut [f32]) -> Result<()> {
    let rows = input.len() / weights.inner;
    expect_len("the input", &[rows, weights.inner], input.len())?;
    expect_len("the result", &[rows, weights.outer], out.len())?;
    with_isa!(weights.isa, |tile| run(&tile, weights, activation, input, out));
    Ok(())
}

fn run<T: Tile + Tools + Sync>(
    tile: &T,
    weights: &LinearWeights,
    activation: Activation,
    input: &[f32],
    out: &mut [f32],
) {
    let LinearWeights { inner, outer, packed, bias, .. } = weights;
    let (size, to) = ([input.len() / inner, *inner], Pieces::new(out));
    let finish = Finish { bias: bias.as_deref(), activation, ..Finish::to(Place::Matrix(&to, *outer)) };
    products(tile, size, rows_of(input, *inner), &[(packed, finish)]);
}
