//! Products whose right factor consists of codes that choose from a table, with a scale for each group of them.

use benchbook_formats::e8m0;

use super::call::{Factors, by_loop, product};
use super::isa::Tile;
use super::pack::Right;
use crate::error::{Error, Result, expect_len};
use crate::isa::Isa;
use crate::team::parallel_for;

/// Weights `[k, n]` in codes: that of step `s` and column `c` is `values[code[s, c]]` times the scale `[s / group, c]`.
#[derive(Debug, Clone, Copy)]
pub struct TableWeights<'a> {
    /// `[k, ⌈n / 2⌉]` bytes with the codes of two columns each, the first in the low nibble, where the table has 16 values: a
    /// row begins with a byte of its own. Where it has 64, `[k, ⌈6 · n / 8⌉]` bytes with four codes in three of them, the first
    /// in the lowest bits. Else `[k, n]`.
    pub codes: &'a [u8],
    /// The number of each code, 16, 64 or 256 of them.
    pub values: &'a [f32],
    /// `[⌈k / group⌉, n]`
    pub scales: Scales<'a>,
    /// Steps that share a scale.
    pub group: usize,
}

/// What codes of a table are scaled by.
#[derive(Debug, Clone, Copy)]
pub enum Scales<'a> {
    /// Numbers as they are.
    Numbers(&'a [f32]),
    /// Powers of two, a byte each (E8M0).
    Powers(&'a [u8]),
}

impl Scales<'_> {
    /// Refuses what would make numbers of codes of zero: an infinite scale.
    pub(crate) fn expect_finite(&self) -> Result<()> {
        match self {
            Self::Numbers(numbers) if numbers.iter().any(|scale| scale.is_infinite()) => {
                Err(Error::Shape("a scale is infinite: that of a group without numbers is NaN".into()))
            }
            Self::Numbers(_) | Self::Powers(_) => Ok(()),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(scales) => scales.len(),
            Self::Powers(scales) => scales.len(),
        }
    }

    /// The number of one.
    pub(crate) fn number(&self, at: usize) -> f32 {
        match self {
            Self::Numbers(scales) => scales[at],
            Self::Powers(scales) => e8m0::decode(scales[at]),
        }
    }
}

/// A row of weights.
#[derive(Clone, Copy)]
struct Line<'a> {
    codes: &'a [u8],
    values: &'a [f32],
    scales: Scales<'a>,
}

impl Line<'_> {
    fn weight(&self, column: usize) -> f32 {
        let code = match self.values.len() {
            16 => (self.codes[column / 2] >> (4 * (column % 2))) & 15,
            64 => six(self.codes, column),
            _ => self.codes[column],
        };
        self.values[usize::from(code)] * self.scales.number(column)
    }
}

/// The code of six bits at this place.
fn six(codes: &[u8], place: usize) -> u8 {
    let (byte, below) = (6 * place / 8, 6 * place % 8);
    let bits = u16::from_le_bytes([codes[byte], *codes.get(byte + 1).unwrap_or(&0)]);
    (bits >> below) as u8 & 63
}

impl TableWeights<'_> {
    /// Refuses weights that are no right factor of a product of this size.
    fn check(&self, [_, k, n]: [usize; 3]) -> Result<()> {
        if self.group == 0 {
            return Err(Error::Shape("a group of 0 steps has no scale".into()));
        }
        if ![16, 64, 256].contains(&self.values.len()) {
            return Err(Error::Shape(format!("a table has 16, 64 or 256 values, not {}", self.values.len())));
        }
        expect_len("the codes of the right factor", &[k, self.bytes(n)], self.codes.len())?;
        expect_len("the scales of the right factor", &[k.div_ceil(self.group), n], self.scales.len())
    }

    /// Bytes of a row of so many codes.
    fn bytes(&self, columns: usize) -> usize {
        match self.values.len() {
            16 => columns.div_ceil(2),
            64 => (6 * columns).div_ceil(8),
            _ => columns,
        }
    }

    fn line(&self, columns: usize, row: usize) -> Line<'_> {
        let (bytes, at) = (self.bytes(columns), row / self.group * columns);
        let scales = match self.scales {
            Scales::Numbers(scales) => Scales::Numbers(&scales[at..][..columns]),
            Scales::Powers(scales) => Scales::Powers(&scales[at..][..columns]),
        };
        Line { codes: &self.codes[row * bytes..][..bytes], values: self.values, scales }
    }
}

impl Right for TableWeights<'_> {
    fn panels<T: Tile>(&self, _tile: &T, columns: usize, [step, steps]: [usize; 2], first: usize, to: &mut [f32]) {
        for (panel, to) in to.chunks_exact_mut(steps * T::COLUMNS).enumerate() {
            for (row, to) in to.chunks_exact_mut(T::COLUMNS).enumerate() {
                let (line, first) = (self.line(columns, step + row), first + panel * T::COLUMNS);
                to.iter_mut().enumerate().for_each(|(column, number)| *number = line.weight(first + column));
            }
        }
    }

    fn last<T: Tile>(&self, columns: usize, [step, _]: [usize; 2], count: usize, to: &mut [f32]) {
        for (row, to) in to.chunks_exact_mut(T::COLUMNS).enumerate() {
            let line = self.line(columns, step + row);
            for (column, number) in (columns - count..columns).zip(to) {
                *number = line.weight(column);
            }
        }
    }
}

/// `out = left · right` with weights from a table, as [`super::matmul`] does it: a task makes `f32` of its columns of the weights
/// where that packs them, one after another. So the result has the bits of a product by the weights as `f32`.
///
/// `size` is the rows of `left` `[m, k]`, the steps, and the columns of the weights. Nothing is allocated once every thread has
/// its scratch.
///
/// # Errors
/// Slices of the wrong length, groups of nothing, a table of another size, or an instruction set that is absent.
pub fn matmul_table(isa: Isa, size: [usize; 3], left: &[f32], right: &TableWeights, out: &mut [f32]) -> Result<()> {
    right.check(size)?;
    product(isa, &Factors { size, left, right }, out)
}

/// Rows of weights `[k, n]` as `f32`, from row `first` on as many as `out` has room for. Threads share the rows.
///
/// # Errors
/// As of [`matmul_table`], and rows that there are not.
pub fn decode_table([k, n]: [usize; 2], weights: &TableWeights, first: usize, out: &mut [f32]) -> Result<()> {
    weights.check([0, k, n])?;
    let rows = out.len().checked_div(n).unwrap_or(0);
    expect_len("the rows that are decoded", &[rows, n], out.len())?;
    if first + rows > k {
        return Err(Error::Shape(format!("rows {first} to {} of {k} cannot be decoded", first + rows)));
    }
    if n > 0 {
        parallel_for(out.chunks_exact_mut(n).enumerate(), |(row, to)| {
            let line = weights.line(n, first + row);
            to.iter_mut().enumerate().for_each(|(column, number)| *number = line.weight(column));
        });
    }
    Ok(())
}

/// The same by a plain loop that makes each weight anew for each row. Threads share the rows.
///
/// # Errors
/// Slices of the wrong length, groups of nothing, or a table of another size.
pub fn matmul_table_loop(size: [usize; 3], left: &[f32], right: &TableWeights, out: &mut [f32]) -> Result<()> {
    right.check(size)?;
    by_loop(&Factors { size, left, right }, out, |step| {
        let line = right.line(size[2], step);
        move |column| line.weight(column)
    })
}
