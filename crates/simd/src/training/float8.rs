//! Numbers as floats of eight bits have them, kept in `f32`: what fp8 training computes with, where no processor multiplies such floats.
#![expect(unsafe_code, reason = "a plain loop that is compiled for each instruction set")]

use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::memory::LINE;
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// A float of eight bits (OCP OFP8, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Float8 {
    /// Three bits behind the point, 448 at most.
    E4M3,
    /// Two bits behind the point, 57344 at most.
    E5M2,
}

/// All bits but the sign.
const SIZE: u32 = 0x7fff_ffff;

/// What a format is, as its numbers lie among those of `f32`.
#[derive(Clone, Copy)]
struct Shape {
    /// Bits of the mantissa of an `f32` that it lacks.
    lacks: u32,
    /// The smallest normal number, as bits.
    least: u32,
    /// The `f32` whose last place is a step of its subnormal numbers.
    steps: f32,
    largest: f32,
}

impl Float8 {
    /// The largest number.
    pub const fn largest(self) -> f32 {
        self.shape().largest
    }

    const fn shape(self) -> Shape {
        match self {
            Self::E4M3 => Shape { lacks: 20, least: (127 - 6) << 23, steps: 16_384.0, largest: 448.0 },
            Self::E5M2 => Shape { lacks: 21, least: (127 - 14) << 23, steps: 128.0, largest: 57_344.0 },
        }
    }
}

/// A number as the format has it: the nearest one, of two as near the even one, and of what is too large the largest. NaN stays NaN.
#[inline(always)]
fn rounded(shape: Shape, number: f32) -> f32 {
    let bits = number.to_bits();
    let (sign, size) = (bits & !SIZE, bits & SIZE);
    let half = (1_u32 << (shape.lacks - 1)) - 1;
    let normal = size.wrapping_add(half + ((size >> shape.lacks) & 1)) & !((1 << shape.lacks) - 1);
    let small = ((f32::from_bits(size) + shape.steps) - shape.steps).to_bits();
    let kept = if size < shape.least { small } else { normal }.min(shape.largest.to_bits());
    // What is no number is larger than infinity, as bits.
    f32::from_bits(if size > f32::INFINITY.to_bits() { bits } else { sign | kept })
}

/// The largest absolute value of numbers, 0 of none; NaN where there is one.
pub fn largest(numbers: &[f32]) -> f32 {
    f32::from_bits(numbers.iter().map(|number| number.to_bits() & SIZE).fold(0, u32::max))
}

/// Numbers as the format has them when they are multiplied by `scale` first and divided by it after, into `out` of as many. Nothing is
/// allocated.
///
/// # Errors
/// Slices of different lengths, an instruction set that is absent.
pub fn round_float8(isa: Isa, format: Float8, scale: f32, from: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("the result", &[from.len()], out.len())?;
    with_isa!(isa, |tools| run(&tools, format, scale, from, out));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, format: Float8, scale: f32, from: &[f32], out: &mut [f32]) {
    let numbers = each(from.len().div_ceil(LINE), LINE) * LINE;
    parallel_for(out.chunks_mut(numbers).zip(from.chunks(numbers)), |(to, from)| {
        tools.run(Rounded { shape: format.shape(), scale, from, to });
    });
}

struct Rounded<'a> {
    shape: Shape,
    scale: f32,
    from: &'a [f32],
    to: &'a mut [f32],
}

impl Kernel for Rounded<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { shape, scale, from, to } = self;
        to.iter_mut().zip(from).for_each(|(to, number)| *to = rounded(shape, number * scale) / scale);
    }
}

#[cfg(test)]
mod tests {
    use benchbook_formats::{E4M3FN, E5M2, Overflow, Rounding};

    use super::*;

    #[test]
    fn numbers_are_those_of_the_formats() {
        for (format, of) in [(Float8::E4M3, E4M3FN), (Float8::E5M2, E5M2)] {
            assert_eq!(format.largest(), of.largest());
            let right = |number: f32| {
                let code = of.encode(number, Overflow::Saturate, Rounding::NearestEven.at(0));
                of.decode(code.unwrap())
            };
            // Each code, what lies in the middle to the next one, the numbers beside both, and what is too large.
            for code in 0..126_u16 {
                let [here, next] = [code, code + 1].map(|code| of.decode(code));
                let middle = (here + next) / 2.0;
                for number in [here, here.next_up(), middle.next_down(), middle, middle.next_up(), 3.0 * next, 1e30] {
                    for number in [number, -number].into_iter().filter(|number| number.is_finite()) {
                        let found = rounded(format.shape(), number);
                        assert_eq!(found.to_bits(), right(number).to_bits(), "{number} in {}", of.name);
                    }
                }
            }
            assert!(rounded(format.shape(), f32::NAN).is_nan());
            assert_eq!(rounded(format.shape(), f32::NEG_INFINITY), -of.largest());
        }
        assert_eq!(largest(&[1.0, -3.0, 2.0]), 3.0);
        assert!(largest(&[1.0, f32::NAN]).is_nan() && largest(&[]) == 0.0);
    }
}
