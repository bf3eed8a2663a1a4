//! What becomes of the sums of a panel while they are near: bias, activation, a second side, and their place.
#![expect(unsafe_code, reason = "tasks write columns of rows, which do not lie together")]

use super::activation::{Activation, Function, Gelu, Relu, Same, Silu};
use crate::math::store_first;
use crate::matmul::pack::{LEFT_ROW, STEPS};
use crate::memory::Pieces;
use crate::tools::Kernel;
use crate::vector::Vector;

/// Where the results of a product go.
pub enum Place<'a> {
    /// To a matrix of so many columns, row-major.
    Matrix(&'a Pieces<'a>, usize),
    /// To what is the left factor of the next product, of so many columns: `[runs, rows, LEFT_ROW]`, so many rows.
    Left(&'a Pieces<'a>, usize, usize),
}

impl Place<'_> {
    /// Columns of the results.
    fn columns(&self) -> usize {
        match self {
            Self::Matrix(_, columns) | Self::Left(_, columns, _) => *columns,
        }
    }

    /// Where the number of a row and a column goes, and how far from it that of the next row. Of a left factor, the columns of a
    /// panel belong to one run.
    fn at(&self, row: usize, column: usize) -> (*mut f32, usize) {
        match self {
            Self::Matrix(to, columns) => (to.pointer(row * columns + column), *columns),
            Self::Left(to, _, rows) => {
                (to.pointer((column / STEPS * rows + row) * LEFT_ROW + column % STEPS), LEFT_ROW)
            }
        }
    }
}

/// What becomes of sums: f(first side + bias), times the second side where there is one.
pub struct Finish<'a> {
    /// A number for each column of whole panels; without it, nothing is added.
    pub bias: Option<&'a [f32]>,
    /// f
    pub activation: Activation,
    /// Where it goes.
    pub place: Place<'a>,
}

/// The sums of some rows in a panel.
pub struct Sums<'a, const N: usize> {
    /// Those of each side, from the first row and the panel's first column on.
    pub sides: [&'a [f32]; N],
    /// Numbers from one of their rows to the next.
    pub wide: usize,
    /// Rows.
    pub count: usize,
    /// The first row of the result.
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
        let columns = panel.min(finish.place.columns() - column);
        let bias = finish.bias.map(|bias| &bias[column..][..panel]);
        for side in sides {
            assert!(count > 0 && side.len() >= (count - 1) * wide + panel);
        }
        let (to, apart) = finish.place.at(row, column);
        for row in 0..count {
            for at in (0..columns).step_by(V::LANES) {
                // SAFETY: as promised; each side has these sums, as asserted, and these rows and columns of the result are this task's
                // alone.
                unsafe {
                    let from = row * wide + at;
                    let mut sum = V::load(sides[0].as_ptr().add(from));
                    if let Some(bias) = bias {
                        sum = sum.add(V::load(bias.as_ptr().add(at)));
                    }
                    let mut result = F::of(sum);
                    for side in &sides[1..] {
                        result = result.mul(V::load(side.as_ptr().add(from)));
                    }
                    store_first(result, to.add(row * apart + at), V::LANES.min(columns - at));
                }
            }
        }
    }
}
