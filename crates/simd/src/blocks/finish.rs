//! What becomes of the sums of a panel while they are near: bias, activation, a second side, and their place.
#![expect(unsafe_code, reason = "tasks write columns of rows, which do not lie together")]

use super::activation::{Activation, ExactGelu, Function, Gelu, Relu, Same, Silu};
use crate::math::{load_first, store_first};
use crate::matmul::pack::{LEFT_ROW, STEPS};
use crate::memory::Pieces;
use crate::tools::Kernel;
use crate::vector::Vector;

/// Where the results of a product go.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// To a matrix of so many columns, row-major.
    Matrix(&'a Pieces<'a>, usize),
    /// To what is the left factor of the next product, of so many columns: `[runs, rows, LEFT_ROW]`, so many rows.
    Left(&'a Pieces<'a>, usize, usize),
    /// To sequences and heads.
    Spread(Spread<'a>),
}

/// Rows that are positions of sequences, one sequence after another, and columns that are those of heads.
#[derive(Clone, Copy)]
pub struct Spread<'a> {
    pub to: &'a Pieces<'a>,
    /// Where the first number goes.
    pub first: usize,
    /// Positions of a sequence.
    pub seq: usize,
    /// Numbers from one sequence to the next, from one head to the next, and from one position to the next.
    pub apart: [usize; 3],
    /// Numbers of a head.
    pub width: usize,
    /// Columns of a head, those that fill its last panel included.
    pub padded: usize,
}

impl Place<'_> {
    /// Columns that lie together, from this one of a panel on.
    fn columns(&self, column: usize) -> usize {
        match self {
            Self::Matrix(_, columns) | Self::Left(_, columns, _) => columns - column,
            Self::Spread(Spread { width, padded, .. }) => width - column % padded,
        }
    }

    /// Where the number of a row and a column goes. Of a left factor, the columns of a panel belong to one run.
    fn at(&self, row: usize, column: usize) -> *mut f32 {
        match self {
            Self::Matrix(to, columns) => to.pointer(row * columns + column),
            Self::Left(to, _, rows) => to.pointer((column / STEPS * rows + row) * LEFT_ROW + column % STEPS),
            Self::Spread(Spread { to, first, seq, apart: [sequence, head, position], padded, .. }) => {
                let row = row / seq * sequence + row % seq * position;
                to.pointer(first + row + column / padded * head + column % padded)
            }
        }
    }
}

/// Rows that are added to those of results, from the first again where these are more.
#[derive(Clone, Copy)]
pub struct Added<'a> {
    /// `[_, columns]`
    pub numbers: &'a [f32],
    pub columns: usize,
}

impl Added<'_> {
    /// So many of those that are added to a row, from a column on.
    fn at(&self, row: usize, column: usize, count: usize) -> *const f32 {
        let row = row % (self.numbers.len() / self.columns);
        self.numbers[row * self.columns + column..][..count].as_ptr()
    }
}

/// What becomes of sums: f(first side + bias), times the second side where there is one, and what is added to it.
#[derive(Clone, Copy)]
pub struct Finish<'a> {
    /// A number for each column of whole panels; without it, nothing is added.
    pub bias: Option<&'a [f32]>,
    /// f
    pub activation: Activation,
    /// What is added, such as a residual.
    pub added: Option<Added<'a>>,
    /// The row of the result that the first one is.
    pub first: usize,
    /// Where it goes.
    pub place: Place<'a>,
}

impl<'a> Finish<'a> {
    /// Sums go to their place as they are.
    pub fn to(place: Place<'a>) -> Self {
        Self { bias: None, activation: Activation::None, added: None, first: 0, place }
    }
}

/// The sums of some rows in a panel.
pub struct Sums<'a, const N: usize> {
    /// Those of each side, from the first row and the panel's first column on.
    pub sides: [&'a [f32]; N],
    /// Numbers from one of their rows to the next.
    pub wide: usize,
    /// Rows.
    pub count: usize,
    /// The first row, counted from that of the product.
    pub row: usize,
    /// The panel's first column of the result.
    pub column: usize,
    pub finish: &'a Finish<'a>,
}

impl<const N: usize> Kernel for Sums<'_, N> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        // SAFETY: as promised.
        unsafe {
            match self.finish.activation {
                Activation::None => self.finish::<V, Same>(),
                Activation::Relu => self.finish::<V, Relu>(),
                Activation::Gelu => self.finish::<V, Gelu>(),
                Activation::ExactGelu => self.finish::<V, ExactGelu>(),
                Activation::Silu => self.finish::<V, Silu>(),
            }
        }
    }
}

impl<const N: usize> Sums<'_, N> {
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn finish<V: Vector, F: Function>(self) {
        let Self { sides, wide, count, row, column, finish } = self;
        let panel = 2 * V::LANES;
        let columns = panel.min(finish.place.columns(column));
        let bias = finish.bias.map(|bias| &bias[column..][..panel]);
        for side in sides {
            assert!(count > 0 && side.len() >= (count - 1) * wide + panel);
        }
        for index in 0..count {
            let row = finish.first + row + index;
            let to = finish.place.at(row, column);
            let added = finish.added.map(|added| added.at(row, column, columns));
            for at in (0..columns).step_by(V::LANES) {
                let lanes = V::LANES.min(columns - at);
                // SAFETY: as promised; each side has these sums, as asserted, and these rows and columns of the result are this task's
                // alone.
                unsafe {
                    let from = index * wide + at;
                    let mut sum = V::load(sides[0].as_ptr().add(from));
                    if let Some(bias) = bias {
                        sum = sum.add(V::load(bias.as_ptr().add(at)));
                    }
                    let mut result = F::of(sum);
                    for side in &sides[1..] {
                        result = result.mul(V::load(side.as_ptr().add(from)));
                    }
                    if let Some(added) = added {
                        result = result.add(load_first(added.add(at), lanes));
                    }
                    store_first(result, to.add(at), lanes);
                }
            }
        }
    }
}
