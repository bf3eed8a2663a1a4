//! Products in whole numbers: the left factor is rounded to eight bits within the call, each row by its largest value, the right
//! one has been packed before (ZeroQuant, Yao et al., arXiv 2206.01861, section 4.1).
#![expect(
    unsafe_code,
    reason = "pointers, whose bounds are checked once per task; columns of the result do not lie together"
)]

use std::ops::Range;

use benchbook_formats::ends;

use super::bytes::{ByteDot, Job, Jobs, Work, call};
use super::call::Factors;
use super::decoder::Code;
use super::dot::{Dot, Step, add_word};
use super::fused::{AHEAD, SHARES, scale};
use super::words::{CodedWeights, Words};
use crate::error::{Error, Result};
use crate::memory::{Pieces, Soon, plain, scratch};
use crate::team::parallel_for;
use crate::vector::{Rows, Vector};

/// Steps of a sum at most: with more, 128 · 127 for each could be beyond 32 bits.
const MOST_STEPS: usize = 1 << 17;

/// Bytes of the panels of a task at most, which stay in a second-level cache while rows go by.
const WIDE: usize = 1 << 18;

/// Factors from one rounded row to the next are this many more than a row has: rows a power of two apart would share the same
/// few lines of a cache.
const APART: usize = 64;

/// Rows and columns of a tile at most, on any instruction set.
const TILE: usize = 12 * 32;

/// Weights in whole numbers, packed for products of bytes: made once for a model, used by every call.
#[derive(Debug, Clone)]
pub struct IntegerWeights {
    words: Words,
    code: Code,
    dot: ByteDot,
}

impl IntegerWeights {
    /// Packs weights whose codes are [`Code::Int8`] or [`Code::Int4`].
    ///
    /// # Errors
    /// Other codes, slices of the wrong length, groups of nothing or such that cut words, more than 131072 steps in one sum,
    /// instructions that are absent.
    pub fn new(weights: &CodedWeights, dot: ByteDot) -> Result<Self> {
        if !matches!(weights.code, Code::Int4 | Code::Int8) {
            return Err(Error::Shape(format!("{:?} stands for no whole numbers", weights.code)));
        }
        let steps = weights.group.min(weights.size[0]);
        if steps > MOST_STEPS {
            return Err(Error::Shape(format!(
                "a sum of {steps} products may need more than 32 bits: {MOST_STEPS} are the most"
            )));
        }
        let words = Words::new(weights, dot.checked()?.columns())?;
        Ok(Self { words, code: weights.code, dot })
    }

    /// Bytes that codes and scales take; columns are filled up to whole panels.
    pub fn bytes(&self) -> usize {
        self.words.bytes()
    }
}

/// `out = left · right` for `rows` rows of `left` `[rows, k]`, each rounded to whole numbers from −127 to 127 by a scale of its own:
/// its largest value / 127. Of every group of steps the sum of products is a whole number, the same with any [`ByteDot`].
///
/// A row with a NaN or an infinity is NaN. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length.
pub fn matmul_dynamic(rows: usize, left: &[f32], right: &IntegerWeights, out: &mut [f32]) -> Result<()> {
    let [k, n] = right.words.size;
    if !(Factors { size: [rows, k, n], left, right }).begin(out)? {
        return Ok(());
    }
    call(right.dot, right.code.bits(), Call { rows, left, right, out })
}

/// A call of [`matmul_dynamic`] that has something to compute.
struct Call<'a> {
    rows: usize,
    left: &'a [f32],
    right: &'a IntegerWeights,
    out: &'a mut [f32],
}

/// The left factor in whole numbers.
struct Rounded<'a, S> {
    /// `[rows, per_row]`, with zeros behind the last step
    steps: &'a [S],
    per_row: usize,
    /// `[rows, groups]`: what the sums of a group begin with, so that codes may be taken as unsigned.
    starts: &'a [i32],
    /// `[rows]`
    scales: &'a [f32],
}

impl Work for Call<'_> {
    fn run<J: Jobs>(self, jobs: &J) {
        let Self { rows, left, right, out } = self;
        let (words, k) = (&right.words, right.words.size[0]);
        let (groups, each) = (words.groups(), 32 / J::Dot::BITS);
        let per_row = (words.down * each).next_multiple_of(APART) + APART;
        let room = (rows * per_row * size_of::<<J::Dot as Dot>::Step>()).div_ceil(size_of::<f32>());
        scratch([room, rows * groups, rows], |[steps, starts, scales]| {
            let steps = &mut plain::<<J::Dot as Dot>::Step>(steps)[..rows * per_row];
            let starts = plain::<i32>(starts);
            let rows_of = left.chunks_exact(k).zip(steps.chunks_exact_mut(per_row));
            let rows_of = rows_of.zip(starts.chunks_exact_mut(groups).zip(scales.iter_mut()));
            // The code of zero, which is taken from each.
            let (group, zero) = (words.group * each, 1 << (J::Dot::BITS - 1));
            parallel_for(rows_of, |((row, steps), (starts, scale))| {
                jobs.run(Round { row, group, zero, steps, starts, scale });
            });
            let left = Rounded { steps, per_row, starts, scales };
            multiply(jobs, rows, &left, words, &Pieces::new(out));
        });
    }
}

/// The products, shared out by columns.
fn multiply<J: Jobs>(jobs: &J, rows: usize, left: &Rounded<<J::Dot as Dot>::Step>, words: &Words, out: &Pieces) {
    let panels = words.panels();
    let near = (WIDE / (words.down * words.columns * size_of::<u32>())).max(1);
    let each = near.min(panels.div_ceil(SHARES * rayon::current_num_threads()));
    parallel_for((0..panels).step_by(each), |first| {
        jobs.run(Multiply { panels: first..panels.min(first + each), rows, left, words, out });
    });
}

/// Rounds a row.
struct Round<'a, S> {
    row: &'a [f32],
    /// Steps whose sum begins anew.
    group: usize,
    zero: i32,
    steps: &'a mut [S],
    starts: &'a mut [i32],
    scale: &'a mut f32,
}

/// All bits of an `f32` but its sign: as whole numbers, they are in the order of the absolute values, NaN above all.
const MAGNITUDE: u32 = 0x7fff_ffff;

/// 1.5 · 2²³: a number that is added to it is rounded to the nearest whole one, ties to even, which its lowest bits are then.
const WHOLE: f32 = 12_582_912.0;

impl<D: Dot> Job<D> for Round<'_, D::Step> {
    #[inline(always)]
    unsafe fn run<const ROWS: usize>(self) {
        let largest = self.row.iter().fold(0, |largest, number| (number.to_bits() & MAGNITUDE).max(largest));
        let scale = ends(f32::from_bits(largest), 8);
        *self.scale = scale;
        let (real, beyond) = self.steps.split_at_mut(self.row.len());
        for (to, number) in real.iter_mut().zip(self.row) {
            *to = D::Step::of((number / scale + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits()) as i32);
        }
        beyond.fill(D::Step::of(0));
        for (start, steps) in self.starts.iter_mut().zip(self.steps.chunks(self.group)) {
            // It wraps where a row is NaN, whose steps may be anything.
            let sum = steps.iter().fold(0_i32, |sum, step| sum.wrapping_add(step.wide()));
            *start = sum.wrapping_mul(-self.zero);
        }
    }
}

/// Multiplies all rows by some panels.
struct Multiply<'a, S> {
    panels: Range<usize>,
    rows: usize,
    left: &'a Rounded<'a, S>,
    words: &'a Words,
    out: &'a Pieces<'a>,
}

impl<D: Dot> Job<D> for Multiply<'_, D::Step> {
    #[inline(always)]
    unsafe fn run<const ROWS: usize>(self) {
        let Self { panels, rows, left, words, out } = self;
        let (n, columns) = (words.size[1], words.columns);
        assert!(columns == 2 * D::Numbers::LANES && ROWS * columns <= TILE && left.scales.len() == rows);
        assert!(left.steps.len() == rows * left.per_row && left.per_row * D::BITS >= words.down * 32);
        let mut sums = [0.0; TILE];
        for row in (0..rows).step_by(ROWS) {
            let count = ROWS.min(rows - row);
            for panel in panels.clone() {
                let tile = Tile { words, panel, left, row };
                // SAFETY: the CPU has the instruction set; rows and panel are there, and so is room for their sums.
                unsafe { tile.rows::<D, ROWS>(count, &mut sums) }
                let first = panel * columns;
                let real = columns.min(n - first);
                for (index, sums) in sums.chunks_exact(columns).take(count).enumerate() {
                    let (at, scale) = ((row + index) * n + first, left.scales[row + index]);
                    // SAFETY: these columns are this task's alone.
                    let to = unsafe { out.piece(at..at + real) };
                    to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum * scale);
                }
            }
        }
    }
}

/// Sums of some rows and of the columns of a panel.
struct Tile<'a, S> {
    words: &'a Words,
    panel: usize,
    left: &'a Rounded<'a, S>,
    /// The first of the rows.
    row: usize,
}

impl<S: Step> Tile<'_, S> {
    /// # Safety
    /// As for [`Self::add`], with so many rows, `ROWS` at most.
    #[inline(always)]
    unsafe fn rows<D: Dot<Step = S>, const ROWS: usize>(&self, rows: usize, sums: &mut [f32; TILE]) {
        // SAFETY: as promised.
        unsafe {
            match rows {
                1 => self.add::<D, 1>(sums),
                2 => self.add::<D, 2>(sums),
                3 if ROWS > 2 => self.add::<D, 3>(sums),
                4 if ROWS > 3 => self.add::<D, 4>(sums),
                5 if ROWS > 4 => self.add::<D, 5>(sums),
                6 if ROWS > 5 => self.add::<D, 6>(sums),
                7 if ROWS > 6 => self.add::<D, 7>(sums),
                8 if ROWS > 6 => self.add::<D, 8>(sums),
                9 if ROWS > 6 => self.add::<D, 9>(sums),
                10 if ROWS > 6 => self.add::<D, 10>(sums),
                11 if ROWS > 6 => self.add::<D, 11>(sums),
                12 if ROWS > 6 => self.add::<D, 12>(sums),
                _ => unreachable!("{rows} rows of {ROWS}"),
            }
        }
    }

    /// Sets the sums `[ROWS, columns]`, scaled as the weights are.
    ///
    /// # Safety
    /// The CPU has `D`'s instruction set; the words have panels of two registers, and the left factor has these rows.
    #[inline(always)]
    unsafe fn add<D: Dot<Step = S>, const ROWS: usize>(&self, sums: &mut [f32; TILE]) {
        let Self { words, left, row, .. } = *self;
        let panel = words.from(self.panel);
        let (columns, groups, lanes) = (words.columns, words.groups(), D::Numbers::LANES);
        assert!(ROWS * columns <= TILE && left.starts.len() >= (row + ROWS) * groups);
        // SAFETY: as promised, with places within words, scales, rows and sums.
        unsafe {
            let steps = left.steps.as_ptr().add(row * left.per_row);
            for group in 0..groups {
                let mut all = [[D::start(0); 2]; ROWS];
                for (index, sums) in all.iter_mut().enumerate() {
                    *sums = [D::start(*left.starts.as_ptr().add((row + index) * groups + group)); 2];
                }
                let first = group * words.group;
                let mut rows = Rows::<S, ROWS>::new(steps.add(first * (32 / D::BITS)), left.per_row);
                for word in first..words.down.min(first + words.group) {
                    let at = panel.words.as_ptr().add(word * columns);
                    (0..2).for_each(|side| Soon::at(at.add(side * lanes)).ask(AHEAD));
                    add_word(at, &rows, &mut all);
                    rows.forward(32 / D::BITS);
                }
                for (index, all) in all.into_iter().enumerate() {
                    for (side, sum) in all.into_iter().enumerate() {
                        let scale = scale::<D::Numbers>(panel.scales, group * columns + side * lanes);
                        let to = sums.as_mut_ptr().add(index * columns + side * lanes);
                        let sum = sum.numbers();
                        let sum = if group == 0 { sum.mul(scale) } else { sum.mul_add(scale, Vector::load(to)) };
                        sum.store(to);
                    }
                }
            }
        }
    }
}
