//! The weights of experts, packed for the registers that take them.
#![expect(unsafe_code, reason = "the tile of an instruction set is made where it was detected")]

use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::isa;
use crate::matmul::packed::Packed;

/// Weights of experts as matrices, row-major.
#[derive(Debug, Clone, Copy)]
pub struct Experts<'a> {
    /// Experts, those that are shared by all tokens included.
    pub experts: usize,
    /// Numbers of a token.
    pub width: usize,
    /// Numbers between the two halves of an expert.
    pub hidden: usize,
    /// `[experts, width, hidden]`
    pub gate: &'a [f32],
    /// `[experts, width, hidden]`
    pub up: &'a [f32],
    /// `[experts, hidden, width]`
    pub down: &'a [f32],
}

/// Weights packed for an instruction set: made once for a model, used by every call.
#[derive(Debug)]
pub struct ExpertWeights {
    pub(super) experts: usize,
    pub(super) width: usize,
    pub(super) hidden: usize,
    pub(super) isa: Isa,
    /// Gate and up, side by side.
    pub(super) first: Packed<2>,
    /// Down.
    pub(super) second: Packed<1>,
}

impl ExpertWeights {
    /// Packs weights for the instructions `isa`.
    ///
    /// # Errors
    /// Slices of the wrong length, experts of no numbers, an instruction set that is absent.
    pub fn new(weights: &Experts, isa: Isa) -> Result<Self> {
        let Experts { experts, width, hidden, gate, up, down } = *weights;
        if [experts, width, hidden].contains(&0) {
            return Err(Error::Shape(format!("{experts} experts of {width} and {hidden} numbers have no weights")));
        }
        expect_len("the gate weights", &[experts, width, hidden], gate.len())?;
        expect_len("the up weights", &[experts, width, hidden], up.len())?;
        expect_len("the down weights", &[experts, hidden, width], down.len())?;
        let (first, second) = with_isa!(isa, |tile| {
            let first = Packed::new(&tile, [gate, up], [experts, width, hidden]);
            (first, Packed::new(&tile, [down], [experts, hidden, width]))
        });
        Ok(Self { experts, width, hidden, isa, first, second })
    }

    /// Experts, shared ones included.
    pub fn experts(&self) -> usize {
        self.experts
    }
}
