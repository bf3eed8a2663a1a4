//! Products whose right factor consists of four-bit integers, with a scale for each group of them.

use super::call::{Factors, by_loop, product};
use super::isa::Tile;
use super::pack::Right;
use crate::error::{Error, Result, expect_len};
use crate::isa::Isa;

/// The code of zero: codes are unsigned, weights have both signs.
pub const ZERO: f32 = 8.0;

/// Weights `[k, n]` of four bits: that of step `s` and column `c` is `scales[s / group, c] · (code[s, c] − 8)`.
#[derive(Debug, Clone, Copy)]
pub struct Int4Weights<'a> {
    /// `[k, ⌈n / 2⌉]` bytes, each with the codes of two columns, the first in the low nibble. A row begins with a byte of its
    /// own; what its last byte has too much is not read.
    pub codes: &'a [u8],
    /// `[⌈k / group⌉, n]`
    pub scales: &'a [f32],
    /// Steps that share a scale.
    pub group: usize,
}

impl Int4Weights<'_> {
    /// Refuses weights that are no right factor of a product of this size.
    fn check(&self, [_, k, n]: [usize; 3]) -> Result<()> {
        if self.group == 0 {
            return Err(Error::Shape("a group of 0 steps has no scale".into()));
        }
        expect_len("the codes of the right factor", &[k, n.div_ceil(2)], self.codes.len())?;
        expect_len("the scales of the right factor", &[k.div_ceil(self.group), n], self.scales.len())
    }

    /// Codes and scales of a row of `columns` weights.
    fn row(&self, columns: usize, row: usize) -> (&[u8], &[f32]) {
        let bytes = columns.div_ceil(2);
        (&self.codes[row * bytes..][..bytes], &self.scales[row / self.group * columns..][..columns])
    }
}

/// The weight in column `column` of a row with these codes and scales.
fn weight(codes: &[u8], scales: &[f32], column: usize) -> f32 {
    let code = (codes[column / 2] >> (4 * (column % 2))) & 15;
    scales[column] * (f32::from(code) - ZERO)
}

impl Right for Int4Weights<'_> {
    fn panels<T: Tile>(&self, tile: &T, columns: usize, steps: [usize; 2], first: usize, to: &mut [f32]) {
        tile.unpack(self, columns, steps, first, to);
    }

    fn last<T: Tile>(&self, columns: usize, [step, _]: [usize; 2], count: usize, to: &mut [f32]) {
        for (row, to) in to.chunks_exact_mut(T::COLUMNS).enumerate() {
            let (codes, scales) = self.row(columns, step + row);
            for (column, number) in (columns - count..columns).zip(to) {
                *number = weight(codes, scales, column);
            }
        }
    }
}

/// `out = left · right` with weights of four bits, as [`super::matmul`] does it: a task makes `f32` of its columns of the weights
/// where that packs them. So the result has the bits of a product by the weights as `f32`, on the same instructions.
///
/// `size` is the rows of `left` `[m, k]`, the steps, and the columns of the weights. Nothing is allocated once every thread has
/// its scratch.
///
/// # Errors
/// Slices of the wrong length, groups of nothing, or an instruction set that is absent.
pub fn matmul_int4(isa: Isa, size: [usize; 3], left: &[f32], right: &Int4Weights, out: &mut [f32]) -> Result<()> {
    right.check(size)?;
    product(isa, &Factors { size, left, right }, out)
}

/// The same by a plain loop that makes each weight anew for each row, out of one nibble after another. Threads share the rows.
///
/// # Errors
/// Slices of the wrong length, or groups of nothing.
pub fn matmul_int4_loop(size: [usize; 3], left: &[f32], right: &Int4Weights, out: &mut [f32]) -> Result<()> {
    right.check(size)?;
    by_loop(&Factors { size, left, right }, out, |step| {
        let (codes, scales) = right.row(size[2], step);
        move |column| weight(codes, scales, column)
    })
}
