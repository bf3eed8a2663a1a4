//! A matrix in a format of few bits: codes, scales, and the numbers that both stand for.

use benchbook_formats::{
    Axis, BLOCK, E2M1, E4M3FN, Grid, Groups, Integers, Minifloat, Mx, NF4, Order, Result, Rounding, ScaleRule, Scaled,
    packed,
};
use benchbook_simd::{Code, CodedWeights, Scales};

/// A weight of four bits.
pub const INT4: Integers = Integers { bits: 4, grid: Grid::Symmetric };

/// A weight of eight bits.
const INT8: Integers = Integers { bits: 8, grid: Grid::Ends };

/// Numbers along the inner axis that share a scale in formats of such groups.
pub const GROUP: usize = 32;

/// Numbers that share a scale of NF4.
const NF4_GROUP: usize = 64;

/// A format of few bits, rounded to nearest, with scales along the inner axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Integers of 8 bits, a scale for each column.
    Int8,
    /// Integers of 8 bits in groups of 32.
    Int8G32,
    /// Integers of 4 bits in groups of 32.
    Int4G32,
    /// Floats of 8 bits (e4m3fn), a scale for each column.
    E4m3,
    /// MXFP8: blocks of 32 floats of 8 bits (e4m3fn) with a scale that is a power of two, rounded up.
    Mxfp8,
    /// MXFP4: blocks of 32 floats of 4 bits (e2m1) with such a scale.
    Mxfp4,
    /// NF4 in groups of 64.
    Nf4,
}

/// A matrix `[k, n]` in a format.
#[derive(Debug, Clone)]
pub struct Coded {
    /// Rows, along which scales go, and columns.
    pub size: [usize; 2],
    /// `[k, n]`, one in a byte.
    pub codes: Vec<u8>,
    /// What they stand for.
    pub code: Code,
    /// `[⌈k / group⌉, n]`
    pub scales: Held,
    /// Rows that share a scale.
    pub group: usize,
    /// What codes without gaps and scales take.
    pub bytes: usize,
    /// `[k, n]`
    pub numbers: Vec<f32>,
}

/// See [`Scales`].
#[derive(Debug, Clone)]
pub enum Held {
    /// Numbers as they are.
    Numbers(Vec<f32>),
    /// Powers of two.
    Powers(Vec<u8>),
}

impl Held {
    /// As kernels take them.
    pub fn lent(&self) -> Scales<'_> {
        match self {
            Self::Numbers(numbers) => Scales::Numbers(numbers),
            Self::Powers(powers) => Scales::Powers(powers),
        }
    }
}

impl Coded {
    /// As they are packed.
    pub fn weights(&self) -> CodedWeights<'_> {
        let Self { size, codes, code, scales, group, .. } = self;
        CodedWeights { size: *size, codes, code: *code, scales: scales.lent(), group: *group }
    }

    /// The codes without the gaps between them: of four bits, the first is the low nibble.
    pub fn without_gaps(&self) -> Vec<u8> {
        let bits = if self.code.bits() == 4 { 4 } else { 8 };
        packed(&self.codes, self.size[1], bits, Order::LowFirst)
    }
}

impl Scheme {
    /// A matrix `[k, n]` in this format.
    ///
    /// # Errors
    /// More or fewer numbers than the matrix has places.
    pub fn coded(self, numbers: &[f32], size: [usize; 2]) -> Result<Coded> {
        // A matrix without rows has no group of all of them.
        let all = size[0].max(1);
        match self {
            Self::Int8 => integers(numbers, size, (INT8, Code::Int8), all),
            Self::Int8G32 => integers(numbers, size, (INT8, Code::Int8), GROUP),
            Self::Int4G32 => integers(numbers, size, (INT4, Code::Int4), GROUP),
            Self::E4m3 => {
                let groups = Groups::new(size, Axis::Rows, all)?;
                let found = Scaled { element: E4M3FN }.quantised(numbers, &groups, Rounding::NearestEven)?;
                let (bytes, numbers) = (found.bytes(), found.dequantised());
                let (codes, code, scales) = (found.codes, Code::E4m3, Held::Numbers(found.scales));
                Ok(Coded { size, codes, code, scales, group: all, bytes, numbers })
            }
            Self::Mxfp8 => blocks(numbers, size, (E4M3FN, Code::E4m3)),
            Self::Mxfp4 => blocks(numbers, size, (E2M1, Code::Table(E2M1.values()))),
            Self::Nf4 => {
                let found = NF4.quantised(numbers, &Groups::new(size, Axis::Rows, NF4_GROUP)?)?;
                let (bytes, numbers) = (found.bytes(), found.dequantised());
                let mut values = [0.0; 16];
                values.copy_from_slice(NF4.values);
                let (codes, code, scales) = (found.codes, Code::Table(values), Held::Numbers(found.scales));
                Ok(Coded { size, codes, code, scales, group: NF4_GROUP, bytes, numbers })
            }
        }
    }
}

fn integers(numbers: &[f32], size: [usize; 2], (format, code): (Integers, Code), group: usize) -> Result<Coded> {
    let found = format.quantised(numbers, &Groups::new(size, Axis::Rows, group)?, Rounding::NearestEven)?;
    let (bytes, numbers) = (found.bytes(), found.dequantised());
    Ok(Coded { size, codes: found.codes, code, scales: Held::Numbers(found.scales), group, bytes, numbers })
}

fn blocks(numbers: &[f32], size: [usize; 2], (element, code): (Minifloat, Code)) -> Result<Coded> {
    let format = Mx { element, rule: ScaleRule::Rceil, rounding: Rounding::NearestEven };
    let found = format.quantised(numbers, size, Axis::Rows)?;
    let (bytes, numbers) = (found.bytes(), found.dequantised());
    Ok(Coded { size, codes: found.codes, code, scales: Held::Powers(found.scales), group: BLOCK, bytes, numbers })
}
