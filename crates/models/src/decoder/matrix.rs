//! The matrices of a model in numbers of many bits or of few.

use benchbook_formats::{Axis, Grid, Groups, Integers, Rounding, Whole};
use benchbook_simd::{
    Activation, Code, CodedWeights, Isa, LinearWeights, PackedWeights, Scales, linear, matmul_packed,
};

use crate::error::Result;
use crate::packing::transposed;

/// In which numbers the matrices of a model are kept; all other numbers are `f32`, the table of embeddings among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    F32,
    /// Integers of 8 bits, from −127 to 127, with an `f32` scale for 32 of them along the sum, rounded to nearest.
    Int8,
    /// Integers of 4 bits, symmetric, with an `f32` scale for 32 of them along the sum, rounded to nearest (Frantar et al., arXiv
    /// 2210.17323).
    Int4,
}

/// Elements that share a scale.
const GROUP: usize = 32;

/// Rows that are multiplied one by one whatever their number: each has the same bits in any company.
const FEW: usize = 8;

impl Precision {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8-g32",
            Self::Int4 => "int4-g32",
        }
    }

    /// Integers, and what kernels call them; none of numbers as they are.
    fn integers(self) -> Option<(Integers, Code)> {
        match self {
            Self::F32 => None,
            Self::Int8 => Some((Integers { bits: 8, grid: Grid::Ends }, Code::Int8)),
            Self::Int4 => Some((Integers { bits: 4, grid: Grid::Symmetric }, Code::Int4)),
        }
    }

    /// What the numbers of a matrix `[outer, inner]` become in this precision, as `f32`.
    ///
    /// # Errors
    /// There are not as many numbers.
    pub fn rounded(self, rows: &[f32], [outer, inner]: [usize; 2]) -> Result<Vec<f32>> {
        let Some((integers, _)) = self.integers() else { return Ok(rows.to_vec()) };
        let whole = quantised(integers, &transposed(rows, inner), [inner, outer])?;
        Ok(transposed(&whole.dequantised(), outer))
    }
}

fn quantised(integers: Integers, weight: &[f32], size: [usize; 2]) -> Result<Whole> {
    let groups = Groups::new(size, Axis::Rows, GROUP)?;
    Ok(integers.quantised(weight, &groups, Rounding::NearestEven)?)
}

/// What multiplies positions, packed for this processor.
#[derive(Debug)]
pub struct Matrix {
    kept: Kept,
    size: [usize; 2],
}

#[derive(Debug)]
enum Kept {
    Numbers(LinearWeights),
    Codes(PackedWeights),
}

impl Matrix {
    /// Packs `weight` `[inner, outer]` in this precision.
    pub fn new(precision: Precision, size: [usize; 2], weight: &[f32], isa: Isa) -> Result<Self> {
        let Some((integers, code)) = precision.integers() else { return Self::biased(size, weight, None, isa) };
        let whole = quantised(integers, weight, size)?;
        let (codes, scales) = (whole.codes.as_slice(), Scales::Numbers(&whole.scales));
        let coded = CodedWeights { size, codes, code, scales, group: GROUP };
        Ok(Self { kept: Kept::Codes(PackedWeights::new(&coded, isa)?), size })
    }

    /// The same in `f32`, with a bias `[outer]`.
    pub fn biased(size: [usize; 2], weight: &[f32], bias: Option<&[f32]>, isa: Isa) -> Result<Self> {
        Ok(Self { kept: Kept::Numbers(LinearWeights::new(size, weight, bias, isa)?), size })
    }

    /// Rows `[rows, inner]` by it, into `out` `[rows, outer]`. A few rows have the same bits in any company.
    pub fn apply(&self, input: &[f32], out: &mut [f32]) -> Result<()> {
        self.activated(Activation::None, input, out)
    }

    /// The same, and a function of each number, which nothing but numbers as they are have.
    pub fn activated(&self, activation: Activation, input: &[f32], out: &mut [f32]) -> Result<()> {
        let codes = match &self.kept {
            Kept::Numbers(weights) => return Ok(linear(weights, activation, input, out)?),
            Kept::Codes(codes) => codes,
        };
        let [inner, outer] = self.size;
        let rows = input.len() / inner;
        // More rows than are a step of decoding: their weights are decoded once for all.
        let each = if rows > super::MOST_STEP { rows } else { FEW };
        for (input, out) in input.chunks(each * inner).zip(out.chunks_mut(each * outer)) {
            matmul_packed(input.len() / inner, input, codes, out)?;
        }
        Ok(())
    }

    /// Numbers of a row that it multiplies.
    pub fn inner(&self) -> usize {
        self.size[0]
    }

    /// Bytes that its numbers or its codes and scales take.
    pub fn bytes(&self) -> usize {
        match &self.kept {
            Kept::Numbers(_) => self.size[0] * self.size[1] * size_of::<f32>(),
            Kept::Codes(codes) => codes.bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(count: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7919) % 1013) as f32 / 506.0 - 1.0).collect()
    }

    #[test]
    fn rows_by_codes_are_rows_by_what_the_codes_stand_for() {
        let [inner, outer] = [67, 45];
        let rows = drawn(outer * inner);
        let isa = Isa::detect();
        for precision in [Precision::F32, Precision::Int8, Precision::Int4] {
            let matrix = Matrix::new(precision, [inner, outer], &transposed(&rows, inner), isa).unwrap();
            let rounded = precision.rounded(&rows, [outer, inner]).unwrap();
            for count in [1, 8, 9, 16, 40] {
                let input = drawn(count * inner);
                let mut out = vec![f32::NAN; count * outer];
                matrix.apply(&input, &mut out).unwrap();
                for (input, out) in input.chunks_exact(inner).zip(out.chunks_exact(outer)) {
                    for (row, found) in rounded.chunks_exact(inner).zip(out) {
                        let right: f64 = input.iter().zip(row).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                        assert!((f64::from(*found) - right).abs() < 1e-4, "{precision:?} {count}: {found} {right}");
                    }
                }
                if count <= super::super::MOST_STEP {
                    let mut alone = vec![f32::NAN; outer];
                    matrix.apply(&input[(count - 1) * inner..], &mut alone).unwrap();
                    assert_eq!(alone, out[(count - 1) * outer..], "{precision:?} {count}");
                }
            }
        }
    }

    #[test]
    fn fewer_bits_are_fewer_bytes_and_farther_off() {
        let (size, rows) = ([128, 96], drawn(96 * 128));
        let off = |precision: Precision| {
            let rounded = precision.rounded(&rows, [96, 128]).unwrap();
            rounded.iter().zip(&rows).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()))
        };
        // Half a step of a group's largest number: of 127 and of 7½.
        assert_eq!(off(Precision::F32), 0.0);
        assert!(off(Precision::Int8) <= 1.0001 / 254.0 && off(Precision::Int4) <= 1.0001 / 15.0);
        assert!(off(Precision::Int4) > off(Precision::Int8));
        let bytes = [Precision::F32, Precision::Int8, Precision::Int4]
            .map(|precision| Matrix::new(precision, size, &rows, Isa::detect()).unwrap().bytes());
        assert_eq!(bytes[0], 4 * 96 * 128);
        // Eight and four bits, and a scale of 32 for each group, columns filled up to panels of 32 at most.
        assert!(bytes[1] <= 9 * 128 * 128 / 8 && bytes[2] <= 5 * 128 * 128 / 8, "{bytes:?}");
    }
}
