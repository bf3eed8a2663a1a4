//! A matrix in a format of few bits: codes, scales, and the numbers that both stand for.

use benchbook_formats::{
    Axis, BLOCK, E2M1, E2M3, E3M2, E4M3FN, Grid, Groups, Integers, Minifloat, Mx, NF4, Order, Result, Rounding,
    ScaleRule, Scaled, packed,
};
use benchbook_simd::{Code, CodedWeights, Scales};
use rayon::prelude::*;

use crate::packing::side_by_side;

/// A weight of four bits.
const INT4: Integers = Integers { bits: 4, grid: Grid::Symmetric };

/// A weight of eight bits.
const INT8: Integers = Integers { bits: 8, grid: Grid::Ends };

/// Elements of MXFP8, of both kinds of MXFP6, and of MXFP4.
const MXFP8: (Minifloat, Code) = (E4M3FN, Code::E4m3);
const MXFP6_E2M3: (Minifloat, Code) = (E2M3, Code::E2m3);
const MXFP6_E3M2: (Minifloat, Code) = (E3M2, Code::E3m2);
const MXFP4: (Minifloat, Code) = (E2M1, Code::Table(E2M1.values()));

/// Numbers along the inner axis that share a scale in formats of such groups.
const GROUP: usize = 32;

/// Numbers that share a scale of NF4.
const NF4_GROUP: usize = 64;

/// Columns that are coded at a time: what is down one of them lies near then, and threads share them.
const PANEL: usize = 64;

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
    /// MXFP8: blocks of 32 floats of 8 bits (e4m3fn) with a scale that is a power of two, by [`ScaleRule::Rceil`].
    Mxfp8,
    /// The same by [`ScaleRule::Floor`].
    Mxfp8Floor,
    /// The same by [`ScaleRule::Ceil`].
    Mxfp8Ceil,
    /// The same by [`ScaleRule::Even`].
    Mxfp8Even,
    /// MXFP6: blocks of 32 floats of 6 bits (e2m3) with such a scale, by [`ScaleRule::Floor`].
    Mxfp6E2m3Floor,
    /// The same with e3m2.
    Mxfp6E3m2Floor,
    /// MXFP4: blocks of 32 floats of 4 bits (e2m1) with such a scale, by [`ScaleRule::Rceil`].
    Mxfp4,
    /// The same by [`ScaleRule::Floor`].
    Mxfp4Floor,
    /// The same by [`ScaleRule::Ceil`].
    Mxfp4Ceil,
    /// The same by [`ScaleRule::Even`].
    Mxfp4Even,
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

    fn numbers(&self) -> &[f32] {
        if let Self::Numbers(numbers) = self { numbers } else { &[] }
    }

    fn powers(&self) -> &[u8] {
        if let Self::Powers(powers) = self { powers } else { &[] }
    }
}

/// What panels hold of so many rows, beside each other.
fn joined<T: Copy + Default + Send + Sync>(panels: &[Coded], rows: usize, of: impl Fn(&Coded) -> &[T]) -> Vec<T> {
    let sides: Vec<(&[T], usize)> = panels.iter().map(|panel| (of(panel), panel.size[1])).collect();
    side_by_side(&sides, rows)
}

impl Coded {
    /// As they are packed.
    pub fn weights(&self) -> CodedWeights<'_> {
        let Self { size, codes, code, scales, group, .. } = self;
        CodedWeights { size: *size, codes, code: *code, scales: scales.lent(), group: *group }
    }

    /// Matrices in one format beside each other, of which only the last has an odd number of columns.
    fn beside(panels: &[Self], size: [usize; 2]) -> Self {
        let Self { code, group, ref scales, .. } = panels[0];
        let down = size[0].div_ceil(group);
        let scales = match scales {
            Held::Numbers(_) => Held::Numbers(joined(panels, down, |panel| panel.scales.numbers())),
            Held::Powers(_) => Held::Powers(joined(panels, down, |panel| panel.scales.powers())),
        };
        let codes = joined(panels, size[0], |panel| &panel.codes);
        let numbers = joined(panels, size[0], |panel| &panel.numbers);
        Self { size, codes, code, scales, group, bytes: panels.iter().map(|panel| panel.bytes).sum(), numbers }
    }

    /// The codes without the gaps between them, each row from a byte of its own on, the first code in the lowest bits: the low nibble
    /// of four bits; of six, four codes in three bytes.
    pub fn without_gaps(&self) -> Vec<u8> {
        packed(&self.codes, self.size[1], self.code.bits() as u32, Order::LowFirst)
    }
}

impl Scheme {
    /// A matrix `[k, n]` in this format.
    ///
    /// # Errors
    /// More or fewer numbers than the matrix has places.
    pub fn coded(self, numbers: &[f32], size: [usize; 2]) -> Result<Coded> {
        let [k, n] = size;
        if n <= PANEL || k.checked_mul(n) != Some(numbers.len()) {
            return self.coded_at_once(numbers, size);
        }
        let panel = |first: usize| -> Result<Coded> {
            let columns = PANEL.min(n - first);
            let mut near = Vec::with_capacity(k * columns);
            numbers.chunks_exact(n).for_each(|row| near.extend_from_slice(&row[first..][..columns]));
            self.coded_at_once(&near, [k, columns])
        };
        let panels: Vec<Coded> = (0..n).into_par_iter().step_by(PANEL).map(panel).collect::<Result<_>>()?;
        Ok(Coded::beside(&panels, size))
    }

    fn coded_at_once(self, numbers: &[f32], size: [usize; 2]) -> Result<Coded> {
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
            Self::Mxfp8 => blocks(numbers, size, ScaleRule::Rceil, MXFP8),
            Self::Mxfp8Floor => blocks(numbers, size, ScaleRule::Floor, MXFP8),
            Self::Mxfp8Ceil => blocks(numbers, size, ScaleRule::Ceil, MXFP8),
            Self::Mxfp8Even => blocks(numbers, size, ScaleRule::Even, MXFP8),
            Self::Mxfp6E2m3Floor => blocks(numbers, size, ScaleRule::Floor, MXFP6_E2M3),
            Self::Mxfp6E3m2Floor => blocks(numbers, size, ScaleRule::Floor, MXFP6_E3M2),
            Self::Mxfp4 => blocks(numbers, size, ScaleRule::Rceil, MXFP4),
            Self::Mxfp4Floor => blocks(numbers, size, ScaleRule::Floor, MXFP4),
            Self::Mxfp4Ceil => blocks(numbers, size, ScaleRule::Ceil, MXFP4),
            Self::Mxfp4Even => blocks(numbers, size, ScaleRule::Even, MXFP4),
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

fn blocks(numbers: &[f32], size: [usize; 2], rule: ScaleRule, (element, code): (Minifloat, Code)) -> Result<Coded> {
    let format = Mx { element, rule, rounding: Rounding::NearestEven };
    let found = format.quantised(numbers, size, Axis::Rows)?;
    let (bytes, numbers) = (found.bytes(), found.dequantised());
    Ok(Coded { size, codes: found.codes, code, scales: Held::Powers(found.scales), group: BLOCK, bytes, numbers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::factors::drawn;

    #[test]
    fn columns_are_coded_by_themselves_whoever_stands_beside_them() {
        let schemes = [
            Scheme::Int8,
            Scheme::Int8G32,
            Scheme::Int4G32,
            Scheme::E4m3,
            Scheme::Mxfp8,
            Scheme::Mxfp8Floor,
            Scheme::Mxfp8Ceil,
            Scheme::Mxfp8Even,
            Scheme::Mxfp6E2m3Floor,
            Scheme::Mxfp6E3m2Floor,
            Scheme::Mxfp4,
            Scheme::Mxfp4Floor,
            Scheme::Mxfp4Ceil,
            Scheme::Mxfp4Even,
            Scheme::Nf4,
        ];
        for (scheme, size) in
            schemes.into_iter().flat_map(|one| [[70, 2 * PANEL + 7], [0, PANEL + 1]].map(|size| (one, size)))
        {
            let numbers = drawn("a matrix", &size, 3);
            let (one, whole) = (scheme.coded(&numbers, size).unwrap(), scheme.coded_at_once(&numbers, size).unwrap());
            assert_eq!(
                (&one.codes, &one.numbers, one.bytes),
                (&whole.codes, &whole.numbers, whole.bytes),
                "{scheme:?}"
            );
            assert_eq!((one.size, one.group, one.without_gaps()), (size, whole.group, whole.without_gaps()));
            let scales = [&one, &whole].map(|coded| (coded.scales.numbers().to_vec(), coded.scales.powers().to_vec()));
            assert_eq!(scales[0], scales[1], "{scheme:?}");
        }
        assert!(Scheme::Int8.coded(&[0.0; 7], [1, 2 * PANEL]).is_err());
    }

    #[test]
    fn a_rule_of_scales_is_the_one_of_its_name() {
        let of = |scheme: Scheme, largest: f32| scheme.coded(&[largest, 0.5], [2, 1]).unwrap().scales.powers().to_vec();
        // 6 is the largest of four bits, and 7 the least that is rounded up to 8.
        for (number, powers) in [(5.0, [127, 128, 127, 127]), (6.5, [127, 128, 127, 128]), (7.5, [127, 128, 128, 128])]
        {
            let four = [Scheme::Mxfp4Floor, Scheme::Mxfp4Ceil, Scheme::Mxfp4Even, Scheme::Mxfp4];
            assert_eq!(four.map(|scheme| of(scheme, number)), powers.map(|power| vec![power]), "{number}");
        }
        // 7.5 is the largest of e2m3, and 28 of e3m2: what is between them and the next power of two is clamped.
        for (scheme, largest, power) in [(Scheme::Mxfp6E2m3Floor, 7.5, 8.0), (Scheme::Mxfp6E3m2Floor, 28.0, 32.0_f32)] {
            assert_eq!([largest, power.next_down(), power].map(|number| of(scheme, number)), [[127_u8], [127], [128]]);
            let found = scheme.coded(&[power.next_down(), 0.5, -1.0, 0.0, 1.0], [1, 5]).unwrap();
            assert_eq!((found.numbers[0], found.without_gaps().len(), found.bytes), (largest, 4, 4 + 5), "{scheme:?}");
        }
        // 448 is the largest of eight bits, and 496 the least that is rounded up to 512.
        for (number, powers) in
            [(400.0, [127, 128, 127, 127]), (460.0, [127, 128, 127, 128]), (500.0, [127, 128, 128, 128])]
        {
            let eight = [Scheme::Mxfp8Floor, Scheme::Mxfp8Ceil, Scheme::Mxfp8Even, Scheme::Mxfp8];
            assert_eq!(eight.map(|scheme| of(scheme, number)), powers.map(|power| vec![power]), "{number}");
        }
    }
}
