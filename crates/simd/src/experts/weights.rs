//! The weights of experts, packed for the registers that take them.
#![expect(unsafe_code, reason = "the tile of an instruction set is made where it was detected")]

use std::ops::Range;

use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::isa::{self, Tile};
use crate::matmul::pack::{self, STEPS};
use crate::memory::LINE;
use crate::team::parallel_for;

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

/// The matrices `[k, width]` of all experts, `N` of each, in the order in which the registers take them: an expert after another,
/// of each its runs of steps, of a run its panels, of a panel its sides. So what a task reads lies together.
#[derive(Debug)]
pub struct Packed<const N: usize> {
    k: usize,
    /// Panels of a matrix.
    pub panels: usize,
    /// Columns of a panel.
    columns: usize,
    numbers: Vec<f32>,
    /// The first number, at a cache line.
    start: usize,
}

impl<const N: usize> Packed<N> {
    fn new<T: Tile + Sync>(tile: &T, from: [&[f32]; N], [experts, k, width]: [usize; 3]) -> Self {
        let (columns, panels) = (T::COLUMNS, width.div_ceil(T::COLUMNS));
        let each = N * k * panels * columns;
        let mut numbers = vec![0.0; experts * each + LINE];
        // Where no line can be found, numbers are as right, and slower.
        let start = numbers.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        parallel_for(numbers[start..][..experts * each].chunks_exact_mut(each).enumerate(), |(expert, mut rest)| {
            let from = from.map(|all| &all[expert * k * width..][..k * width]);
            for [step, steps] in runs(k) {
                let run = rest.split_off_mut(..N * panels * steps * columns).unwrap_or_default();
                for (place, to) in run.chunks_exact_mut(steps * columns).enumerate() {
                    pack::columns(tile, from[place % N], width, [step, steps], place / N * columns, to);
                }
            }
        });
        Self { k, panels, columns, numbers, start }
    }

    /// The runs of steps: of each, the first step, and how many.
    pub fn runs(&self) -> impl Iterator<Item = [usize; 2]> + use<N> {
        runs(self.k)
    }

    /// Panels of a run of an expert, `[panels, N, steps, columns]`.
    pub fn panels(&self, expert: usize, [step, steps]: [usize; 2], panels: Range<usize>) -> &[f32] {
        let across = N * self.columns;
        let run = self.start + (expert * self.k + step) * self.panels * across;
        &self.numbers[run + panels.start * steps * across..][..panels.len() * steps * across]
    }
}

fn runs(k: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..k).step_by(STEPS).map(move |step| [step, STEPS.min(k - step)])
}
