//! Single weights, column by column of the right factor, with a bit for each place that says whether its weight is kept: half of what
//! CSR takes of a weight, and an eighth of a byte for each place (AbouElhamayed et al., "SparAMX", arXiv 2502.12444).

use super::columns::{ByColumn, matmul_columns};
use super::csr::CsrWeights;
use crate::error::Result;
use crate::isa::Isa;

/// Steps of a word of bits.
const STEPS: usize = 32;

/// The weights of a right factor `[k, n]` that are not zero.
#[derive(Debug, Clone)]
pub struct BitmapWeights {
    size: [usize; 2],
    /// `[n, ⌈k / 32⌉]`: of each step of a column a bit, the lowest of a word first, which is set where the weight is kept.
    bits: Vec<u32>,
    /// `[n + 1]`: where the weights of a column begin.
    starts: Vec<u32>,
    /// The weights of a column by ascending steps.
    values: Vec<f32>,
}

impl BitmapWeights {
    /// The weights of `numbers` `[k, n]` that are not zero.
    ///
    /// # Errors
    /// Numbers of another count, or more of them than 32 bits count.
    pub fn new(numbers: &[f32], size: [usize; 2]) -> Result<Self> {
        let CsrWeights { starts, steps, values, .. } = CsrWeights::new(numbers, size)?;
        let [k, n] = size;
        let words = k.div_ceil(STEPS);
        let mut bits = vec![0_u32; n * words];
        for (column, ends) in starts.windows(2).enumerate() {
            for step in &steps[ends[0] as usize..ends[1] as usize] {
                let step = *step as usize;
                bits[column * words + step / STEPS] |= 1 << (step % STEPS);
            }
        }
        Ok(Self { size, bits, starts, values })
    }

    /// Bytes that weights, bits and beginnings take.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.bits) + size_of_val(&*self.starts) + size_of_val(&*self.values)
    }

    /// Weights that are kept.
    pub fn kept(&self) -> usize {
        self.values.len()
    }
}

impl ByColumn for BitmapWeights {
    fn size(&self) -> [usize; 2] {
        self.size
    }

    fn room(&self) -> usize {
        self.size[0]
    }

    #[inline]
    fn column<'a>(&'a self, column: usize, room: &'a mut [u32]) -> (&'a [u32], &'a [f32]) {
        let words = self.size[0].div_ceil(STEPS);
        let mut count = 0;
        for (word, bits) in self.bits[column * words..][..words].iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                room[count] = (word * STEPS) as u32 + bits.trailing_zeros();
                count += 1;
                // Without the lowest.
                bits &= bits - 1;
            }
        }
        (&room[..count], &self.values[self.starts[column] as usize..self.starts[column + 1] as usize])
    }
}

/// `out = left · right` for `rows` rows of `left` `[rows, k]`, where weights of zero are left out: the steps of a column are found in its
/// bits once for as many rows as lie side by side, and the sums are those of [`super::matmul_csr`] to the bit.
///
/// Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, or an instruction set that is absent.
pub fn matmul_bitmap(isa: Isa, rows: usize, left: &[f32], right: &BitmapWeights, out: &mut [f32]) -> Result<()> {
    matmul_columns(isa, rows, left, right, out)
}
