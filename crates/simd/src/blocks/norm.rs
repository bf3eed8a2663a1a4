//! Norms of rows: layer norm, and RMS norm with gates or without.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per row, not once per register")]

use super::rows::{AHEAD, BLOCK, SUMS, total};
use super::write::{Numbers, past_caches, seen, write};
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{load_first, sum_first};
use crate::memory::Soon;
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
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
    call(norm, Kind::Layer(bias), out)
}

/// RMS norm (Zhang & Sennrich, arXiv 1910.07467) into `out` `[rows, width]`: x / √(mean square + ε) · gain, as [`layer_norm`] does
/// it.
///
/// # Errors
/// As of [`layer_norm`].
pub fn rms_norm(norm: &Norm, out: &mut [f32]) -> Result<()> {
    call(norm, Kind::Rms, out)
}

/// Where numbers are multiplied by gates, which are as many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Before the norm, as in Mamba-2.
    Before,
    /// After the norm, as in RetNet.
    After,
}

/// RMS norm of gated rows, or gated RMS norm, as [`rms_norm`] does it; `gates` `[rows, width]` are what numbers are multiplied by,
/// after whatever function a gate is of.
///
/// # Errors
/// As of [`layer_norm`].
pub fn gated_rms_norm(norm: &Norm, gate: Gate, gates: &[f32], out: &mut [f32]) -> Result<()> {
    // As many as the input has, which is checked with its rows.
    expect_len("the gate", &[norm.input.len()], gates.len())?;
    call(norm, Kind::Gated(gate, gates), out)
}

/// Which norm.
#[derive(Clone, Copy)]
enum Kind<'a> {
    /// With its bias, `[width]`.
    Layer(&'a [f32]),
    Rms,
    /// With its gates, `[rows, width]`.
    Gated(Gate, &'a [f32]),
}

fn call(norm: &Norm, kind: Kind, out: &mut [f32]) -> Result<()> {
    let Norm { width, input, gain, isa, .. } = *norm;
    let rows = input.len().checked_div(width).unwrap_or(0);
    expect_len("the input", &[rows, width], input.len())?;
    expect_len("the gain", &[width], gain.len())?;
    expect_len("the result", &[rows, width], out.len())?;
    with_isa!(isa, |tools| run(&tools, norm, kind, out));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, norm: &Norm, kind: Kind, out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    let numbers = each(out.len() / norm.width, norm.width) * norm.width;
    let streams = past_caches(2 * out.len());
    parallel_for(out.chunks_mut(numbers).zip(norm.input.chunks(numbers)).enumerate(), |(task, (to, from))| {
        let kind = match kind {
            Kind::Gated(gate, gates) => Kind::Gated(gate, &gates[task * numbers..][..from.len()]),
            other => other,
        };
        tools.run(Rows { norm, kind, from, to, streams });
    });
}

/// Some rows.
struct Rows<'a> {
    norm: &'a Norm<'a>,
    /// With the gates of these rows.
    kind: Kind<'a>,
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
            match self.kind {
                Kind::Layer(bias) => self.normalise::<V, LAYER>([bias, &[]]),
                Kind::Rms => self.normalise::<V, RMS>([&[]; 2]),
                Kind::Gated(Gate::Before, gates) => self.normalise::<V, GATED_BEFORE>([&[], gates]),
                Kind::Gated(Gate::After, gates) => self.normalise::<V, GATED_AFTER>([&[], gates]),
            }
        }
        seen(streams);
    }
}

/// What becomes of a row: ((x − shift) · scale + offset) · gain + bias.
#[derive(Clone, Copy, Default)]
pub(super) struct Scaling {
    shift: f32,
    pub scale: f32,
    offset: f32,
    /// Mean and scale where `f32` does not hold what they are made of.
    pub wide: Option<[f64; 2]>,
}

/// The norms, as they are told apart when they are compiled.
const LAYER: u8 = 0;
const RMS: u8 = 1;
const GATED_BEFORE: u8 = 2;
const GATED_AFTER: u8 = 3;
/// RMS norm of sums, with other numbers in the place of gates: what is added.
pub(super) const SUMMED: u8 = 4;

/// A row, and its gates where it has some.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub numbers: &'a [f32],
    pub gates: &'a [f32],
}

impl Row<'_> {
    /// The first `count` numbers from `at` on, as they go into the norm.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set, `count` is at most `LANES`, and the row has these numbers.
    #[inline(always)]
    pub unsafe fn at<V: Vector, const KIND: u8>(&self, at: usize, count: usize) -> V {
        // SAFETY: as promised; there are as many gates.
        unsafe {
            let x = load_first::<V>(self.numbers.as_ptr().add(at), count);
            match KIND {
                GATED_BEFORE => x.mul(load_first(self.gates.as_ptr().add(at), count)),
                SUMMED => x.add(load_first(self.gates.as_ptr().add(at), count)),
                _ => x,
            }
        }
    }

    /// All of them.
    fn wide<const KIND: u8>(&self) -> impl Iterator<Item = f64> {
        let Self { numbers, gates } = *self;
        numbers.iter().enumerate().map(move |(at, x)| match KIND {
            GATED_BEFORE => f64::from(*x) * f64::from(gates[at]),
            // Rounded, as whoever adds before the norm has it.
            SUMMED => f64::from(x + gates[at]),
            _ => f64::from(*x),
        })
    }
}

impl Rows<'_> {
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn normalise<V: Vector, const KIND: u8>(self, [bias, gates]: [&[f32]; 2]) {
        let Self { norm: Norm { width, gain, epsilon, .. }, from, to, streams, .. } = self;
        let gated = KIND == GATED_BEFORE || KIND == GATED_AFTER;
        let mut rows = from.chunks_exact(*width).enumerate().map(|(index, numbers)| {
            let gates: &[f32] = if gated { &gates[index * width..][..*width] } else { &[] };
            Row { numbers, gates }
        });
        let Some(first) = rows.next() else { return };
        // SAFETY: as promised; gain and bias have the width of a row, as was checked.
        unsafe {
            let mut next = (first, scaling::<V, KIND>(first, *epsilon));
            for to in to.chunks_exact_mut(*width) {
                let (from, by) = next;
                // What the next row waits for comes while this one is written.
                next = match rows.next() {
                    Some(row) => (row, scaling::<V, KIND>(row, *epsilon)),
                    None => (from, Scaling::default()),
                };
                if let Some(found) = by.wide {
                    number_by_number::<KIND>(found, from, [gain, bias], to);
                    continue;
                }
                write::<V, _>(&Normal::<KIND> { by, from, gain, bias }, to, streams);
            }
        }
    }
}

/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn scaling<V: Vector, const KIND: u8>(row: Row, epsilon: f64) -> Scaling {
    // SAFETY: as promised.
    unsafe {
        let mut shift = if KIND == LAYER { beginning::<V>(row.numbers) } else { 0.0 };
        let [mut mean, mut variance] = moments::<V, KIND>(row, shift);
        if mean * mean > FAR * variance {
            shift += mean as f32;
            [mean, variance] = moments::<V, KIND>(row, shift);
        }
        if !variance.is_finite() {
            return Scaling { wide: Some(in_f64::<KIND>(row, epsilon)), ..Scaling::default() };
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
unsafe fn moments<V: Vector, const KIND: u8>(row: Row, shift: f32) -> [f64; 2] {
    let length = row.numbers.len();
    let [soon, soon_gates] =
        [row.numbers, row.gates].map(|part| Soon::at(part.as_ptr().wrapping_add(length.max(AHEAD))));
    let ask = |at: usize| {
        soon.ask(at);
        if KIND == GATED_BEFORE || KIND == SUMMED {
            soon_gates.ask(at);
        }
    };
    let [mut sum, mut square] = [0.0_f64; 2];
    // SAFETY: as promised, and every register lies within its block.
    unsafe {
        let middle = V::splat(shift);
        for first in (0..length).step_by(BLOCK) {
            let end = length.min(first + BLOCK);
            let (turns, whole) = (end - (end - first) % (SUMS * V::LANES), end - (end - first) % V::LANES);
            let mut sums = [[V::splat(0.0); 2]; SUMS];
            for turn in (first..turns).step_by(SUMS * V::LANES) {
                for (register, sums) in sums.iter_mut().enumerate() {
                    let at = turn + register * V::LANES;
                    ask(at);
                    *sums = added::<V, KIND>(*sums, row.at::<V, KIND>(at, V::LANES), middle);
                }
            }
            for at in (turns..whole).step_by(V::LANES) {
                ask(at);
                sums[0] = added::<V, KIND>(sums[0], row.at::<V, KIND>(at, V::LANES), middle);
            }
            let [[a, e], [b, f], [c, g], [d, h]] = sums;
            sum += total([a, b, c, d]);
            square += total([e, f, g, h]);
            let rest = end - whole;
            if rest > 0 {
                let last = row.at::<V, KIND>(whole, rest);
                let [x, squared] = added::<V, KIND>([V::splat(0.0); 2], last, middle);
                sum += f64::from(sum_first(x, rest));
                square += f64::from(sum_first(squared, rest));
            }
        }
    }
    let count = length as f64;
    let mean = if KIND == LAYER { sum / count } else { 0.0 };
    [mean, square / count - mean * mean]
}

/// Sums of numbers, where a mean is wanted, and of squares, with those of a register more.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn added<V: Vector, const KIND: u8>([sum, square]: [V; 2], x: V, middle: V) -> [V; 2] {
    // SAFETY: as promised.
    unsafe {
        if KIND == LAYER {
            let x = x.sub(middle);
            [sum.add(x), x.mul_add(x, square)]
        } else {
            [sum, x.mul_add(x, square)]
        }
    }
}

/// A row when its scaling is known.
struct Normal<'a, const KIND: u8> {
    by: Scaling,
    from: Row<'a>,
    gain: &'a [f32],
    /// Of RMS norm, none.
    bias: &'a [f32],
}

impl<const KIND: u8> Numbers for Normal<'_, KIND> {
    #[inline(always)]
    unsafe fn at<V: Vector>(&self, at: usize, count: usize) -> V {
        let Self { by: Scaling { shift, scale, offset, .. }, from, gain, bias } = self;
        // SAFETY: as promised; gain, and where there are some bias and gates, have as many numbers as the row.
        unsafe {
            let x = from.at::<V, KIND>(at, count);
            let gain = load_first::<V>(gain.as_ptr().add(at), count);
            if KIND == LAYER {
                let bias = load_first(bias.as_ptr().add(at), count);
                return x.sub(V::splat(*shift)).mul_add(V::splat(*scale), V::splat(*offset)).mul_add(gain, bias);
            }
            let normal = x.mul(V::splat(*scale)).mul(gain);
            if KIND != GATED_AFTER {
                return normal;
            }
            normal.mul(load_first(from.gates.as_ptr().add(at), count))
        }
    }
}

/// Mean and scale of a row.
#[cold]
fn in_f64<const KIND: u8>(row: Row, epsilon: f64) -> [f64; 2] {
    let count = row.numbers.len() as f64;
    let mean = if KIND == LAYER { row.wide::<KIND>().sum::<f64>() / count } else { 0.0 };
    let variance = row.wide::<KIND>().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    [mean, 1.0 / (variance + epsilon).sqrt()]
}

/// Writes a row by its mean and scale; of RMS norm there is no bias.
#[cold]
pub(super) fn number_by_number<const KIND: u8>(
    [mean, scale]: [f64; 2],
    from: Row,
    [gain, bias]: [&[f32]; 2],
    to: &mut [f32],
) {
    for (at, (x, to)) in from.wide::<KIND>().zip(to).enumerate() {
        let bias = bias.get(at).map_or(0.0, |bias| f64::from(*bias));
        let gate = if KIND == GATED_AFTER { f64::from(from.gates[at]) } else { 1.0 };
        *to = (((x - mean) * scale * f64::from(gain[at]) + bias) * gate) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(norm: &Norm, kind: Kind, to: &mut [f32], streams: bool) -> Result<()> {
        with_isa!(norm.isa, |tools| tools.run(Rows { norm, kind, from: norm.input, to, streams }));
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
                let gated = [Gate::Before, Gate::After].map(|gate| Kind::Gated(gate, &input));
                for kind in [Kind::Rms, Kind::Layer(&gain)].into_iter().chain(gated) {
                    let [plain, streamed] = [false, true].map(|streams| {
                        let mut to = vec![f32::NAN; begin + input.len()];
                        rows(&norm, kind, &mut to[begin..], streams).unwrap();
                        to.split_off(begin)
                    });
                    assert!(plain.iter().all(|number| number.is_finite()));
                    assert_eq!(plain, streamed, "{} {width} {begin}", isa.name());
                }
            }
        }
    }
}
