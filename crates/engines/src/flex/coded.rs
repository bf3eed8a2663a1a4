//! The right factor of a product in formats of few bits: codes, scales, and the numbers that both stand for.

use benchbook_core::Inputs;
use benchbook_formats::{
    Axis, BLOCK, E2M1, E4M3FN, Grid, Integers, Minifloat, Mx, NF4, Order, Rounding, ScaleRule, Scaled, packed,
};
use benchbook_simd::{Code, CodedWeights, Scales};
use benchbook_workloads::matmul::MatmulParams;

use crate::flex::int4::{GROUP, INT4};
use crate::flex::weight_only::{along_k, right};

/// A right factor `[k, n]` in a format.
pub struct Coded {
    /// `[k, n]`, one in a byte.
    pub codes: Vec<u8>,
    /// What they stand for.
    pub code: Code,
    /// `[⌈k / group⌉, n]`
    pub scales: Held,
    /// Steps that share a scale.
    pub group: usize,
    /// What codes without gaps and scales take.
    pub bytes: usize,
    /// `[k, n]`
    pub numbers: Vec<f32>,
}

/// See [`Scales`].
#[derive(Clone)]
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
    pub fn weights(&self, params: &MatmulParams) -> CodedWeights<'_> {
        let size = [params.k, params.n];
        CodedWeights { size, codes: &self.codes, code: self.code, scales: self.scales.lent(), group: self.group }
    }

    /// The codes without the gaps between them: of four bits, the first is the low nibble.
    pub fn without_gaps(&self, params: &MatmulParams) -> Vec<u8> {
        let bits = if self.code.bits() == 4 { 4 } else { 8 };
        packed(&self.codes, params.n, bits, Order::LowFirst)
    }
}

/// What puts the right factor into a format.
pub trait Format {
    /// The right factor of these inputs.
    fn coded(params: &MatmulParams, inputs: &Inputs) -> Coded;
}

/// Integers of so many bits, rounded to nearest, in groups along k.
fn integers(params: &MatmulParams, inputs: &Inputs, (format, code): (Integers, Code), group: usize) -> Coded {
    let found = right(format.quantised(inputs.numbers("b"), &along_k(params, group), Rounding::NearestEven));
    let (bytes, numbers) = (found.bytes(), found.dequantised());
    Coded { codes: found.codes, code, scales: Held::Numbers(found.scales), group, bytes, numbers }
}

/// Integers of 8 bits, a scale for each column.
pub struct Int8;

/// What a weight of eight bits is.
const INT8: (Integers, Code) = (Integers { bits: 8, grid: Grid::Ends }, Code::Int8);

impl Format for Int8 {
    fn coded(params: &MatmulParams, inputs: &Inputs) -> Coded {
        integers(params, inputs, INT8, params.k)
    }
}

/// Integers of 8 bits in groups of 32.
pub struct Int8G32;

impl Format for Int8G32 {
    fn coded(params: &MatmulParams, inputs: &Inputs) -> Coded {
        integers(params, inputs, INT8, GROUP)
    }
}

/// Integers of 4 bits in groups of 32.
pub struct Int4G32;

impl Format for Int4G32 {
    fn coded(params: &MatmulParams, inputs: &Inputs) -> Coded {
        integers(params, inputs, (INT4, Code::Int4), GROUP)
    }
}

/// Floats of 8 bits (e4m3fn), a scale for each column.
pub struct E4m3;

impl Format for E4m3 {
    fn coded(params: &MatmulParams, inputs: &Inputs) -> Coded {
        let (format, group) = (Scaled { element: E4M3FN }, params.k);
        let found = right(format.quantised(inputs.numbers("b"), &along_k(params, group), Rounding::NearestEven));
        let (bytes, numbers) = (found.bytes(), found.dequantised());
        Coded { codes: found.codes, code: Code::E4m3, scales: Held::Numbers(found.scales), group, bytes, numbers }
    }
}

/// Blocks of 32 floats along k with a scale that is a power of two, rounded up.
fn blocks(params: &MatmulParams, inputs: &Inputs, (element, code): (Minifloat, Code)) -> Coded {
    let format = Mx { element, rule: ScaleRule::Rceil, rounding: Rounding::NearestEven };
    let found = right(format.quantised(inputs.numbers("b"), [params.k, params.n], Axis::Rows));
    let (bytes, numbers) = (found.bytes(), found.dequantised());
    Coded { codes: found.codes, code, scales: Held::Powers(found.scales), group: BLOCK, bytes, numbers }
}

/// MXFP8: blocks of floats of 8 bits (e4m3fn).
pub struct Mxfp8;

impl Format for Mxfp8 {
    fn coded(params: &MatmulParams, inputs: &Inputs) -> Coded {
        blocks(params, inputs, (E4M3FN, Code::E4m3))
    }
}

/// MXFP4: blocks of floats of 4 bits (e2m1).
pub struct Mxfp4;

impl Format for Mxfp4 {
    fn coded(params: &MatmulParams, inputs: &Inputs) -> Coded {
        blocks(params, inputs, (E2M1, Code::Table(E2M1.values())))
    }
}

/// NF4 in groups of 64.
pub struct Nf4;

impl Format for Nf4 {
    fn coded(params: &MatmulParams, inputs: &Inputs) -> Coded {
        let group = 64;
        let found = right(NF4.quantised(inputs.numbers("b"), &along_k(params, group)));
        let (bytes, numbers) = (found.bytes(), found.dequantised());
        let mut values = [0.0; 16];
        values.copy_from_slice(NF4.values);
        let (codes, code, scales) = (found.codes, Code::Table(values), Held::Numbers(found.scales));
        Coded { codes, code, scales, group, bytes, numbers }
    }
}
