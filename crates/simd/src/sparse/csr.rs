//! Single weights, column by column of the right factor, each with its step: CSR of the weights as a layer keeps them, an output
//! a row (Saad, "Iterative methods for sparse linear systems", 2nd ed., section 3.4).

use super::columns::{ByColumn, matmul_columns};
use crate::error::{Error, Result, expect_len};
use crate::isa::Isa;

/// The weights of a right factor `[k, n]` that are not zero.
#[derive(Debug, Clone)]
pub struct CsrWeights {
    size: [usize; 2],
    /// `[n + 1]`: where the weights of a column begin.
    pub(super) starts: Vec<u32>,
    /// The step of each weight, below k, ascending within a column.
    pub(super) steps: Vec<u32>,
    pub(super) values: Vec<f32>,
}

impl CsrWeights {
    /// The weights of `numbers` `[k, n]` that are not zero.
    ///
    /// # Errors
    /// Numbers of another count, or more of them than 32 bits count.
    pub fn new(numbers: &[f32], size: [usize; 2]) -> Result<Self> {
        let [k, n] = size;
        expect_len("the right factor", &size, numbers.len())?;
        if u32::try_from(numbers.len()).is_err() {
            return Err(Error::Shape(format!("{k} by {n} weights are more than 32 bits count")));
        }
        let (mut starts, mut steps, mut values) = (vec![0], Vec::new(), Vec::new());
        for column in 0..n {
            for step in 0..k {
                let value = numbers[step * n + column];
                if value != 0.0 {
                    steps.push(step as u32);
                    values.push(value);
                }
            }
            starts.push(values.len() as u32);
        }
        Ok(Self { size, starts, steps, values })
    }

    /// Bytes that weights, steps and beginnings take.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.steps) + size_of_val(&*self.values)
    }

    /// Weights that are kept.
    pub fn kept(&self) -> usize {
        self.values.len()
    }
}

impl ByColumn for CsrWeights {
    fn size(&self) -> [usize; 2] {
        self.size
    }

    fn room(&self) -> usize {
        0
    }

    #[inline]
    fn column<'a>(&'a self, column: usize, _room: &'a mut [u32]) -> (&'a [u32], &'a [f32]) {
        let at = self.starts[column] as usize..self.starts[column + 1] as usize;
        (&self.steps[at.clone()], &self.values[at])
    }
}

/// `out = left · right` for `rows` rows of `left` `[rows, k]`, where weights of zero are left out. Many rows lie side by side in
/// registers, so that a weight meets all of them.
///
/// Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, or an instruction set that is absent.
pub fn matmul_csr(isa: Isa, rows: usize, left: &[f32], right: &CsrWeights, out: &mut [f32]) -> Result<()> {
    matmul_columns(isa, rows, left, right, out)
}
