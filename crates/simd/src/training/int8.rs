//! Rows of a gradient in eight bits.
#![expect(unsafe_code, reason = "a plain loop that is compiled for each instruction set")]

use super::top_k::Feedback;
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// What a number of `f32` is added to so that its last place is one: it is rounded to the nearest whole number, of two as near to the
/// even one, whose lowest byte the sum ends with.
const WHOLE: f32 = 12_582_912.0;

/// The largest code.
const LARGEST: f32 = 127.0;

/// A gradient `[rows, width]` as integers of eight bits, −127 to 127, with a scale for each row, which is its largest absolute value
/// over 127. With feedback, what was left before is added first, and what rounding takes is left (Karimireddy et al., arXiv
/// 1901.09847). A row of zeros has the scale 1. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn compress_int8(
    isa: Isa,
    gradient: &[f32],
    feedback: Option<Feedback>,
    codes: &mut [i8],
    scales: &mut [f32],
) -> Result<()> {
    let width = gradient.len().checked_div(scales.len()).unwrap_or(0);
    expect_len("the gradient", &[scales.len(), width], gradient.len())?;
    expect_len("the codes", &[scales.len(), width], codes.len())?;
    if let Some(feedback) = &feedback {
        feedback.check(gradient.len())?;
    }
    if !gradient.is_empty() {
        with_isa!(isa, |tools| run(&tools, width, gradient, feedback, codes, scales));
    }
    Ok(())
}

fn run<T: Tools + Sync>(
    tools: &T,
    width: usize,
    gradient: &[f32],
    feedback: Option<Feedback>,
    codes: &mut [i8],
    scales: &mut [f32],
) {
    let rows = each(scales.len(), width);
    let numbers = rows * width;
    let tasks = gradient.chunks(numbers).zip(codes.chunks_mut(numbers)).zip(scales.chunks_mut(rows));
    match feedback {
        Some(Feedback { before, left }) => {
            let tasks = tasks.zip(before.chunks(numbers).zip(left.chunks_mut(numbers)));
            parallel_for(tasks, |(((gradient, codes), scales), (before, left))| {
                tools.run(Rows { width, gradient, feedback: Some(Feedback { before, left }), codes, scales });
            });
        }
        None => parallel_for(tasks, |((gradient, codes), scales)| {
            tools.run(Rows { width, gradient, feedback: None, codes, scales });
        }),
    }
}

/// Some rows.
struct Rows<'a> {
    width: usize,
    gradient: &'a [f32],
    feedback: Option<Feedback<'a>>,
    codes: &'a mut [i8],
    scales: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { width, gradient, feedback, codes, scales } = self;
        let rows = gradient.chunks_exact(width).zip(codes.chunks_exact_mut(width)).zip(scales);
        let Some(Feedback { before, left }) = feedback else {
            rows.for_each(|((row, codes), scale)| *scale = coded(row, codes));
            return;
        };
        let feedback = before.chunks_exact(width).zip(left.chunks_exact_mut(width));
        for (((row, codes), scale), (before, left)) in rows.zip(feedback) {
            left.iter_mut().zip(row).zip(before).for_each(|((to, one), other)| *to = one + other);
            *scale = coded(left, codes);
            left.iter_mut().zip(codes).for_each(|(number, code)| *number -= f32::from(*code) * *scale);
        }
    }
}

/// Writes the codes of a row, and gives its scale.
#[inline(always)]
fn coded(row: &[f32], codes: &mut [i8]) -> f32 {
    // As bits, which are ordered as sizes are, so that what is no number is the largest.
    let largest = f32::from_bits(row.iter().map(|number| number.to_bits() & 0x7fff_ffff).fold(0, u32::max));
    let scale = largest / LARGEST;
    let scale = if scale.is_normal() {
        scale
    } else if scale.is_finite() {
        1.0
    } else {
        f32::NAN
    };
    codes.iter_mut().zip(row).for_each(|(code, number)| *code = (number / scale + WHOLE).to_bits() as i8);
    scale
}
