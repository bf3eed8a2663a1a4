//! Products by weights that are packed once for an instruction set, and decoded in its registers.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected; pointers into panels")]

use half::bf16;

use super::call::{Factors, product};
use super::decoder::{Code, Decoder, together};
use super::fused::{few, scale};
use super::isa::Tile;
use super::pack::Right;
use super::words::{CodedWeights, Words};
use crate::bits::Bits;
use crate::error::Result;
use crate::isa::{Isa, with_isa};
use crate::tools::{self as isa, panel};

/// Rows at most whose numbers are made in registers: for more, a task makes the numbers of its columns once for all rows.
const FEW: usize = 8;

/// Weights packed for the registers of an instruction set: made once for a model, used by every call.
#[derive(Debug, Clone)]
pub struct PackedWeights {
    pub(super) words: Words,
    pub(super) code: Code,
    /// Whether there is a code of NaN.
    pub(super) nan: bool,
    isa: Isa,
}

impl PackedWeights {
    /// Packs weights for the instructions `isa`.
    ///
    /// # Errors
    /// Slices of the wrong length, groups of nothing or such that cut words, codes of too many bits, an instruction set that is
    /// absent.
    pub fn new(weights: &CodedWeights, isa: Isa) -> Result<Self> {
        let code = weights.code;
        let columns = with_isa!(isa, |tools| panel(&tools));
        let words = Words::new(weights, columns)?;
        let is_nan: [bool; 256] = std::array::from_fn(|one| code.number(one as u16).is_nan());
        let nan = weights.codes.iter().any(|one| is_nan[usize::from(*one)]);
        Ok(Self { words, code, nan, isa })
    }

    /// Packs weights `[k, n]` of bf16, which registers widen exactly.
    ///
    /// # Errors
    /// A slice of the wrong length, or an instruction set that is absent.
    pub fn of_bf16(weights: &[bf16], size: [usize; 2], isa: Isa) -> Result<Self> {
        let columns = with_isa!(isa, |tools| panel(&tools));
        let bits: Vec<u16> = weights.iter().map(|weight| weight.to_bits()).collect();
        let words = Words::of_bf16(&bits, size, columns)?;
        Ok(Self { words, code: Code::Bf16, nan: false, isa })
    }

    /// Bytes that codes and scales take; columns are filled up to whole panels.
    pub fn bytes(&self) -> usize {
        self.words.bytes()
    }

    /// Steps of the words that codes lie in together.
    pub(super) fn steps(&self) -> usize {
        together(self.code.bits())[1]
    }
}

impl Right for PackedWeights {
    fn panels<T: Tile>(&self, tile: &T, _columns: usize, steps: [usize; 2], first: usize, to: &mut [f32]) {
        tile.decode(self, steps, first, to);
    }

    fn last<T: Tile>(&self, columns: usize, [step, _]: [usize; 2], count: usize, to: &mut [f32]) {
        for (row, to) in to.chunks_exact_mut(T::COLUMNS).enumerate() {
            for (column, number) in (columns - count..columns).zip(to) {
                let (code, scale) = self.words.weight(step + row, column);
                *number = self.code.number(code) * scale;
            }
        }
    }
}

/// `out = left · right` for `rows` rows of `left` `[rows, k]`, where weights are decoded in registers: those of few rows as they
/// are multiplied, and else once for all rows, so that the result has the bits of a product by the weights as `f32`.
///
/// Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length.
pub fn matmul_packed(rows: usize, left: &[f32], right: &PackedWeights, out: &mut [f32]) -> Result<()> {
    let [k, n] = right.words.size;
    let factors = Factors { size: [rows, k, n], left, right };
    if rows > FEW {
        return product(right.isa, &factors, out);
    }
    if factors.begin(out)? {
        with_isa!(right.isa, |tools| few(&tools, left, right, out));
    }
    Ok(())
}

/// Panels `[panels, steps, COLUMNS]` of numbers, for `steps` steps from `step` on and columns from `first` on.
///
/// # Safety
/// The CPU has `V`'s instruction set; the words have panels of two registers, and the panels of `to` are there, with these steps,
/// of which the first one is the first of words that codes lie in together.
#[inline(always)]
pub unsafe fn decode<V: Bits, D: Decoder>(
    decoder: D,
    words: &Words,
    [step, steps]: [usize; 2],
    first: usize,
    to: &mut [f32],
) {
    let wide = 2 * V::LANES;
    // SAFETY: as promised, with words, scales and rows of the panels that are there.
    unsafe {
        let ready = decoder.ready::<V>();
        for (panel, to) in to.chunks_exact_mut(steps * wide).enumerate() {
            let from = words.from(first / wide + panel);
            for run in (0..steps).step_by(D::PARTS * D::STEPS) {
                let word = (step + run) / (D::PARTS * D::STEPS) * D::WORDS;
                for side in [0, V::LANES] {
                    let at = from.words.as_ptr().add(word * wide + side);
                    let scale = scale::<V>(from.scales, word / words.group * wide + side);
                    for part in 0..D::PARTS {
                        let row = run + part * D::STEPS;
                        let codes = D::words::<V>(at, wide, part);
                        for within in 0..D::STEPS.min(steps.saturating_sub(row)) {
                            let number = D::number::<V>(&ready, codes, within).mul(scale);
                            number.store(to.as_mut_ptr().add((row + within) * wide + side));
                        }
                    }
                }
            }
        }
    }
}
