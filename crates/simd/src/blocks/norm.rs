//! Norms of rows: layer norm and RMS norm.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per row, not once per register")]

use super::rows::{AHEAD, BLOCK, SUMS, each, total};
use super::write::{Numbers, past_caches, seen, write};
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::memory::Soon;
use crate::mixers::isa::{self, Kernel, Tools};
use crate::mixers::math::{load_first, sum_first};
use crate::team::parallel_for;
use crate::vector::Vector;

/// How many times a variance the square of a mean may be before both are taken again around that mean: what cancels otherwise
/// costs as many units of the last place.
const FAR: f64 = 8.0;

/// Rows to normalise.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// Numbers of a row.
    pub width: usize,
    /// `[rows, width]`
    pub input: &'a [f32],
    /// `[width]`, what a normalised number is multiplied by.
    pub gain: &'a [f32],
    /// What is added to a variance or a mean square.
    pub epsilon: f64,
    /// Instructions to use.
    pub isa: Isa,
}

/// Layer norm (Ba et al., arXiv 1607.06450) into `out` `[rows, width]`: (x − mean) / √(variance + ε) · gain + `bias` `[width]`.
///
/// A row is read from memory once: mean and variance are sums over one pass, around the mean of its first numbers (Chan et al.,
/// "Algorithms for computing the sample variance", The American Statistician 37(3), 1983), and those of the next row are taken
/// before a row is written. A row whose squares are no numbers of `f32` is computed in `f64`. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn layer_norm(norm: &Norm, bias: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("the bias", &[norm.width], bias.len())?;
    call(norm, Some(bias), out)
}

/// RMS norm (Zhang & Sennrich, arXiv 1910.07467) into `out` `[rows, width]`: x / √(mean square + ε) · gain, as [`layer_norm`] does
/// it.
///
/// # Errors
/// As of [`layer_norm`].
pub fn rms_norm(norm: &Norm, out: &mut [f32]) -> Result<()> {
    call(norm, None, out)
}

fn call(norm: &Norm, bias: Option<&[f32]>, out: &mut [f32]) -> Result<()> {
    let Norm { width, input, gain, isa, .. } = *norm;
    let rows = input.len().checked_div(width).unwrap_or(0);
    expect_len("the input", &[rows, width], input.len())?;
    expect_len("the gain", &[width], gain.len())?;
    expect_len("the result", &[rows, width], out.len())?;
    with_isa!(isa, |tools| run(&tools, norm, bias, out));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, norm: &Norm, bias: Option<&[f32]>, out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    let numbers = each(out.len() / norm.width, norm.width) * norm.width;
    let streams = past_caches(2 * out.len());
    parallel_for(out.chunks_mut(numbers).zip(norm.input.chunks(numbers)), |(to, from)| {
        tools.run(Rows { norm, bias, from, to, streams });
    });
}

/// Some rows.
struct Rows<'a> {
    norm: &'a Norm<'a>,
    /// Without it, no mean is taken off.
    bias: Option<&'a [f32]>,
    /// `[rows, width]`
    from: &'a [f32],
    /// `[rows, width]`
    to: &'a mut [f32],
    streams: bool,
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let streams = self.streams;
        // SAFETY: as promised.
        unsafe {
            match self.bias {
                Some(bias) => self.normalise::<V, true>(bias),
                None => self.normalise::<V, false>(&[]),
            }
        }
        seen(streams);
    }
}

/// What becomes of a row: ((x − shift) · scale + offset) · gain + bias.
#[derive(Clone, Copy, Default)]
struct Scaling {
    shift: f32,
    scale: f32,
    offset: f32,
    /// Mean and scale where `f32` does not hold what they are made of.
    wide: Option<[f64; 2]>,
}

impl Rows<'_> {
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn normalise<V: Vector, const CENTRED: bool>(self, bias: &[f32]) {
        let Self { norm: Norm { width, gain, epsilon, .. }, from, to, streams, .. } = self;
        let mut rows = from.chunks_exact(*width);
        let Some(first) = rows.next() else { return };
        // SAFETY: as promised; gain and bias have the width of a row, as was checked.
        unsafe {
            let mut next = (first, scaling::<V, CENTRED>(first, *epsilon));
            for to in to.chunks_exact_mut(*width) {
                let (from, by) = next;
                // What the next row waits for comes while this one is written.
                next = match rows.next() {
                    Some(row) => (row, scaling::<V, CENTRED>(row, *epsilon)),
                    None => (from, Scaling::default()),
                };
                if let Some(found) = by.wide {
                    number_by_number(found, from, [gain, bias], to);
                    continue;
                }
                write::<V, _>(&Normal::<CENTRED> { by, from, gain, bias }, to, streams);
            }
        }
    }
}

/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn scaling<V: Vector, const CENTRED: bool>(row: &[f32], epsilon: f64) -> Scaling {
    // SAFETY: as promised.
    unsafe {
        let mut shift = if CENTRED { beginning::<V>(row) } else { 0.0 };
        let [mut mean, mut variance] = moments::<V, CENTRED>(row, shift);
        if mean * mean > FAR * variance {
            shift += mean as f32;
            [mean, variance] = moments::<V, CENTRED>(row, shift);
        }
        if !variance.is_finite() {
            return Scaling { wide: Some(in_f64::<CENTRED>(row, epsilon)), ..Scaling::default() };
        }
        // Rounding may leave less than nothing.
        let scale = 1.0 / (if variance < 0.0 { 0.0 } else { variance } + epsilon).sqrt();
        Scaling { shift, scale: scale as f32, offset: (-mean * scale) as f32, wide: None }
    }
}

/// The mean of the first numbers of a row, those of a register.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn beginning<V: Vector>(row: &[f32]) -> f32 {
    let lanes = V::LANES.min(row.len());
    // SAFETY: as promised.
    unsafe { load_first::<V>(row.as_ptr(), lanes).sum() / lanes as f32 }
}

/// Mean and variance of what is left of numbers when `shift` is taken off; where nothing is, 0 and the mean square. The row behind
/// this one, or what comes 4 KiB later, is asked for meanwhile.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn moments<V: Vector, const CENTRED: bool>(row: &[f32], shift: f32) -> [f64; 2] {
    let soon = Soon::at(row.as_ptr().wrapping_add(row.len().max(AHEAD)));
    let [mut sum, mut square] = [0.0_f64; 2];
    // SAFETY: as promised, and every register lies within its block.
    unsafe {
        let middle = V::splat(shift);
        for (number, block) in row.chunks(BLOCK).enumerate() {
            let from = block.as_ptr();
            let (turns, whole) = (block.len() - block.len() % (SUMS * V::LANES), block.len() - block.len() % V::LANES);
            let mut sums = [[V::splat(0.0); 2]; SUMS];
            for turn in (0..turns).step_by(SUMS * V::LANES) {
                for (register, sums) in sums.iter_mut().enumerate() {
                    let at = turn + register * V::LANES;
                    soon.ask(number * BLOCK + at);
                    *sums = added::<V, CENTRED>(*sums, V::load(from.add(at)), middle);
                }
            }
            for at in (turns..whole).step_by(V::LANES) {
                soon.ask(number * BLOCK + at);
                sums[0] = added::<V, CENTRED>(sums[0], V::load(from.add(at)), middle);
            }
            let [[a, e], [b, f], [c, g], [d, h]] = sums;
            sum += total([a, b, c, d]);
            square += total([e, f, g, h]);
            let rest = block.len() - whole;
            if rest > 0 {
                let last = load_first::<V>(from.add(whole), rest);
                let [x, squared] = added::<V, CENTRED>([V::splat(0.0); 2], last, middle);
                sum += f64::from(sum_first(x, rest));
                square += f64::from(sum_first(squared, rest));
            }
        }
    }
    let count = row.len() as f64;
    let mean = if CENTRED { sum / count } else { 0.0 };
    [mean, square / count - mean * mean]
}

/// Sums of numbers, where a mean is wanted, and of squares, with those of a register more.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn added<V: Vector, const CENTRED: bool>([sum, square]: [V; 2], x: V, middle: V) -> [V; 2] {
    // SAFETY: as promised.
    unsafe {
        if CENTRED {
            let x = x.sub(middle);
            [sum.add(x), x.mul_add(x, square)]
        } else {
            [sum, x.mul_add(x, square)]
        }
    }
}

/// A row when its scaling is known.
struct Normal<'a, const CENTRED: bool> {
    by: Scaling,
    from: &'a [f32],
    gain: &'a [f32],
    /// Of RMS norm, none.
    bias: &'a [f32],
}

impl<const CENTRED: bool> Numbers for Normal<'_, CENTRED> {
    #[inline(always)]
    unsafe fn at<V: Vector>(&self, at: usize, count: usize) -> V {
        let Self { by: Scaling { shift, scale, offset, .. }, from, gain, bias } = self;
        // SAFETY: as promised; gain, and where there is one the bias, have as many numbers as the row.
        unsafe {
            let x = load_first::<V>(from.as_ptr().add(at), count);
            let gain = load_first::<V>(gain.as_ptr().add(at), count);
            if !CENTRED {
                return x.mul(V::splat(*scale)).mul(gain);
            }
            let bias = load_first(bias.as_ptr().add(at), count);
            x.sub(V::splat(*shift)).mul_add(V::splat(*scale), V::splat(*offset)).mul_add(gain, bias)
        }
    }
}

/// Mean and scale of a row.
#[cold]
fn in_f64<const CENTRED: bool>(row: &[f32], epsilon: f64) -> [f64; 2] {
    let (numbers, count) = (|| row.iter().map(|x| f64::from(*x)), row.len() as f64);
    let mean = if CENTRED { numbers().sum::<f64>() / count } else { 0.0 };
    let variance = numbers().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    [mean, 1.0 / (variance + epsilon).sqrt()]
}

/// Writes a row by its mean and scale; of RMS norm there is no bias.
#[cold]
fn number_by_number([mean, scale]: [f64; 2], from: &[f32], [gain, bias]: [&[f32]; 2], to: &mut [f32]) {
    for (at, (x, to)) in from.iter().zip(to).enumerate() {
        let bias = bias.get(at).map_or(0.0, |bias| f64::from(*bias));
        *to = ((f64::from(*x) - mean) * scale * f64::from(gain[at]) + bias) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(norm: &Norm, bias: Option<&[f32]>, to: &mut [f32], streams: bool) -> Result<()> {
        with_isa!(norm.isa, |tools| tools.run(Rows { norm, bias, from: norm.input, to, streams }));
        Ok(())
    }

    #[test]
    fn what_is_streamed_has_the_same_bits() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.present()) {
            for (width, begin) in
                [1, 5, 16, 33, 130].into_iter().flat_map(|width| [0, 3, 13].map(|begin| (width, begin)))
            {
                let input: Vec<f32> = (0..5 * width).map(|index| (index * index % 37) as f32 - 9.0).collect();
                let gain: Vec<f32> = (0..width).map(|index| 1.0 + index as f32 / 64.0).collect();
                let norm = Norm { width, input: &input, gain: &gain, epsilon: 1e-5, isa };
                for bias in [None, Some(&gain[..])] {
                    let [plain, streamed] = [false, true].map(|streams| {
                        let mut to = vec![f32::NAN; begin + input.len()];
                        rows(&norm, bias, &mut to[begin..], streams).unwrap();
                        to.split_off(begin)
                    });
                    assert!(plain.iter().all(|number| number.is_finite()));
                    assert_eq!(plain, streamed, "{} {width} {begin}", isa.name());
                }
            }
        }
    }
}
