//! The same step with moments of eight bits.
#![expect(unsafe_code, reason = "a plain loop that is compiled for each instruction set")]

use super::adamw::{AdamWStep, Factors};
use crate::error::{Result, expect_len};
use crate::isa::with_isa;
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Numbers that share a scale.
const GROUP: usize = 256;

/// The largest number of an e4m3fn.
const LARGEST: f32 = 448.0;

/// What the lowest seven bits of an e4m3fn are multiplied by, where they lie as exponent and mantissa of an `f32`.
const FACTOR: f32 = f32::from_bits((120 + 127) << 23);

/// The smallest normal number of an e4m3fn, as an `f32`.
const LEAST_NORMAL: u32 = (127 - 6) << 23;

/// Exponents of an `f32` below those of an e4m3fn, as its codes count them.
const BELOW: u32 = 120 << 3;

/// The `f32` whose last place is a step of the subnormal numbers of an e4m3fn: 2¹⁴, so that what is added to it is rounded to those.
const STEPS: f32 = 16_384.0;

/// First moments and roots of second moments as e4m3fn, each group of 256 by a scale of its own (block-wise states: Dettmers et al.,
/// arXiv 2110.02861, section 2.1; floats of eight bits: Peng et al., arXiv 2310.18313, section 2.2). The root has the range of the
/// first moment, so that neither is zero where the other is large.
#[derive(Debug, Clone)]
pub struct CodedMoments {
    /// Of each number the code of the first moment, and of the root of the second.
    first: Vec<u8>,
    root: Vec<u8>,
    /// Of each group the scale of both.
    scales: Vec<[f32; 2]>,
}

impl CodedMoments {
    /// The codes nearest to first moments and to roots of second moments, of as many numbers each.
    ///
    /// # Errors
    /// Slices of different lengths.
    pub fn new(first: &[f32], root: &[f32]) -> Result<Self> {
        expect_len("the roots", &[first.len()], root.len())?;
        let mut coded = Self {
            first: vec![0; first.len()],
            root: vec![0; first.len()],
            scales: vec![[1.0; 2]; first.len().div_ceil(GROUP)],
        };
        coded.set(first, root);
        Ok(coded)
    }

    fn set(&mut self, first: &[f32], root: &[f32]) {
        let codes = self.first.chunks_mut(GROUP).zip(self.root.chunks_mut(GROUP)).zip(&mut self.scales);
        for (((of_first, of_root), scales), (first, root)) in codes.zip(first.chunks(GROUP).zip(root.chunks(GROUP))) {
            *scales = [encoded(first, of_first), encoded(root, of_root)];
        }
    }

    /// The first moments, and the roots of the second ones, that the codes stand for.
    pub fn numbers(&self) -> [Vec<f32>; 2] {
        let of = |codes: &[u8], which: usize| {
            let number = |(place, code): (usize, &u8)| decoded(*code) * self.scales[place / GROUP][which];
            codes.iter().enumerate().map(number).collect()
        };
        [of(&self.first, 0), of(&self.root, 1)]
    }

    /// Bytes of codes and scales.
    pub fn bytes(&self) -> usize {
        self.first.len() + self.root.len() + size_of_val(&self.scales[..])
    }
}

/// The number of a code, without its scale; NaN is taken for 480.
#[inline(always)]
fn decoded(code: u8) -> f32 {
    let sign = u32::from(code & 0x80) << 24;
    f32::from_bits(sign | (u32::from(code & 0x7f) << 20)) * FACTOR
}

/// The code of a number up to 464: the nearest one, of two as near the even one.
#[inline(always)]
fn code(number: f32) -> u8 {
    let (sign, size) = ((number.to_bits() >> 24) & 0x80, number.to_bits() & 0x7fff_ffff);
    let normal = (size.wrapping_add(0x7_ffff + ((size >> 20) & 1)) >> 20).wrapping_sub(BELOW);
    let small = (f32::from_bits(size) + STEPS).to_bits().wrapping_sub(STEPS.to_bits());
    (sign | if size < LEAST_NORMAL { small } else { normal }) as u8
}

/// The codes of a group, and its scale: as `formats::Scaled` has them.
#[inline(always)]
fn encoded(numbers: &[f32], codes: &mut [u8]) -> f32 {
    // As bits, so that what is no number is the largest.
    let largest = numbers.iter().map(|number| number.to_bits() & 0x7fff_ffff).fold(0, u32::max);
    let scale = f32::from_bits(largest) / LARGEST;
    let scale = if scale.is_normal() {
        scale
    } else if scale.is_finite() {
        1.0
    } else {
        f32::NAN
    };
    codes.iter_mut().zip(numbers).for_each(|(to, number)| *to = code(number / scale));
    scale
}

/// Takes a step as [`adamw`](super::adamw()) does, with moments that are rounded to eight bits after it. Nothing is allocated.
///
/// # Errors
/// Slices of different lengths, a step 0, an instruction set that is absent.
pub fn adamw_coded(
    step: &AdamWStep,
    parameter: &mut [f32],
    moments: &mut CodedMoments,
    gradient: &[f32],
) -> Result<()> {
    let (length, by) = ([gradient.len()], step.factors()?);
    expect_len("the parameters", &length, parameter.len())?;
    expect_len("the moments", &length, moments.first.len())?;
    with_isa!(step.isa, |tools| run(&tools, by, parameter, moments, gradient));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, by: Factors, parameter: &mut [f32], moments: &mut CodedMoments, gradient: &[f32]) {
    let groups = each(gradient.len().div_ceil(GROUP), GROUP);
    let numbers = groups * GROUP;
    let codes = moments.first.chunks_mut(numbers).zip(moments.root.chunks_mut(numbers));
    let codes = codes.zip(moments.scales.chunks_mut(groups));
    let all = parameter.chunks_mut(numbers).zip(gradient.chunks(numbers)).zip(codes);
    parallel_for(all, |((parameter, gradient), ((first, root), scales))| {
        tools.run(Groups { by, parameter, gradient, first, root, scales });
    });
}

/// Some groups.
struct Groups<'a> {
    by: Factors,
    parameter: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [u8],
    root: &'a mut [u8],
    scales: &'a mut [[f32; 2]],
}

impl Kernel for Groups<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { by, parameter, gradient, first, root, scales } = self;
        let codes = first.chunks_mut(GROUP).zip(root.chunks_mut(GROUP)).zip(scales);
        let numbers = parameter.chunks_mut(GROUP).zip(gradient.chunks(GROUP));
        for ((parameter, gradient), ((first, root), scales)) in numbers.zip(codes) {
            let (mut of_first, mut of_root) = ([0.0; GROUP], [0.0; GROUP]);
            let [of_first, of_root] = [&mut of_first[..first.len()], &mut of_root[..first.len()]];
            of_first.iter_mut().zip(&*first).for_each(|(to, code)| *to = decoded(*code) * scales[0]);
            of_root.iter_mut().zip(&*root).for_each(|(to, code)| *to = decoded(*code) * scales[1]);
            let moments = of_first.iter_mut().zip(&mut *of_root);
            for ((parameter, gradient), (first, root)) in parameter.iter_mut().zip(gradient).zip(moments) {
                [*parameter, *first, _, *root] = by.updated([*parameter, *gradient, *first, *root * *root]);
            }
            *scales = [encoded(of_first, first), encoded(of_root, root)];
        }
    }
}

#[cfg(test)]
mod tests {
    use benchbook_formats::{E4M3FN, Overflow, Rounding};

    use super::*;

    #[test]
    fn every_code_is_decoded_and_every_number_has_its_code() {
        for code in (0..=u8::MAX).filter(|code| code & 0x7f != 0x7f) {
            assert_eq!(decoded(code).to_bits(), E4M3FN.decode(u16::from(code)).to_bits(), "{code}");
        }
        let right = |number: f32| E4M3FN.encode(number, Overflow::Saturate, Rounding::NearestEven.at(0));
        // Each code, what lies in the middle to the next one, and the numbers beside both.
        for code in 0..126_u16 {
            let [here, next] = [code, code + 1].map(|code| E4M3FN.decode(code));
            let middle = (here + next) / 2.0;
            for number in [here, here.next_up(), middle.next_down(), middle, middle.next_up(), next.next_down()] {
                for number in [number, -number] {
                    assert_eq!(Some(u16::from(super::code(number))), right(number), "{number}");
                }
            }
        }
        assert_eq!(super::code(464.0), 0x7e, "a tie is the largest number still");
    }

    #[test]
    fn groups_have_the_scales_of_their_largest_numbers() {
        let mut first = vec![0.0; GROUP + 3];
        first[7] = -3.5;
        first[GROUP] = 0.875;
        let coded = CodedMoments::new(&first, &vec![0.0; GROUP + 3]).unwrap();
        assert_eq!((coded.scales[0][0], coded.scales[1][0]), (2.0_f32.powi(-7), 2.0_f32.powi(-9)));
        assert_eq!((coded.numbers(), coded.bytes()), ([first, vec![0.0; GROUP + 3]], 2 * (GROUP + 3) + 16));
        let wrong = CodedMoments::new(&[1.0, f32::NAN], &[f32::INFINITY, 1.0]).unwrap().numbers();
        assert!(wrong.iter().flatten().all(|number| number.is_nan()), "{wrong:?}");
        assert!(CodedMoments::new(&[1.0], &[]).is_err());
    }
}
