//! Few rows by weights of few bits: numbers are made of the codes in registers, and multiplied there.
//!
//! Weights are read once, as fast as memory gives them. A lane is a column, so that nothing is summed across lanes; the products of
//! a group are summed before they are scaled, all of them in the order of the steps, whatever the number of rows.
#![expect(
    unsafe_code,
    reason = "pointers, whose bounds are checked once per task; columns of the result do not lie together"
)]

use std::ops::Range;

use super::decoded::PackedWeights;
use super::decoder::{Decoder, with_decoder};
use super::table::Scales;
use super::words::Words;
use crate::bits::Bits;
use crate::memory::{Pieces, Soon, scratch};
use crate::team::parallel_for;
use crate::tools::{Kernel, Tools};
use crate::vector::Strided;

/// Tasks of a thread, so that a late one does not hold up the rest for long.
pub const SHARES: usize = 4;

/// Words that memory is asked for ahead: 4 KiB, since processors do not look into the next page.
pub const AHEAD: usize = 1024;

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// `out = left · right` for rows `left` `[rows, k]`, each of which has the same bits alone and in any company.
pub fn few<T: Tools + Sync>(tools: &T, left: &[f32], right: &PackedWeights, out: &mut [f32]) {
    let words = &right.words;
    let [k, n] = words.size;
    let rows = out.len() / n;
    by_panels([rows, n, words.columns], out, |panels, sums| {
        let left = Strided { start: left.as_ptr(), per_row: k, per_step: 1 };
        with_decoder!(right.code, right.nan, |decoder| {
            tools.run(Few { decoder, words, panels, rows, left, sums });
        });
    });
}

/// Shares out `rows` rows of `n` columns by panels of so many: a task sets sums `[rows, panels · columns]` in memory of its own,
/// from which they are copied.
pub fn by_panels([rows, n, columns]: [usize; 3], out: &mut [f32], set: impl Fn(Range<usize>, &mut [f32]) + Sync) {
    let panels = n.div_ceil(columns);
    // Even: a single row may take two panels at once.
    let each = panels.div_ceil(SHARES * rayon::current_num_threads()).next_multiple_of(2);
    let out = Pieces::new(out);
    parallel_for((0..panels).step_by(each), |first| {
        let panels = first..panels.min(first + each);
        let wide = panels.len() * columns;
        let (first, real) = (first * columns, wide.min(n - first * columns));
        scratch([rows * wide], |[sums]| {
            set(panels, sums);
            for (row, sums) in sums.chunks_exact(wide).enumerate() {
                // SAFETY: these columns are this task's alone.
                unsafe { out.piece(row * n + first..row * n + first + real) }.copy_from_slice(&sums[..real]);
            }
        });
    });
}

/// The sums of some panels.
struct Few<'a, D> {
    decoder: D,
    words: &'a Words,
    panels: Range<usize>,
    rows: usize,
    /// `[rows, k]`
    left: Strided,
    /// `[rows, panels · columns]`
    sums: &'a mut [f32],
}

impl<D: Decoder> Kernel for Few<'_, D> {
    #[inline(always)]
    unsafe fn run<V: Bits, const ROWS: usize, const STATES: usize>(self) {
        let Self { decoder, words, panels, rows, left, sums } = self;
        let (columns, wide) = (words.columns, panels.len() * words.columns);
        assert!(columns == 2 * V::LANES && sums.len() >= rows * wide);
        // SAFETY: the CPU has the instruction set.
        let ready = unsafe { decoder.ready::<V>() };
        let mut panel = panels.start;
        while panel < panels.end {
            let together = if rows == 1 && panel + 1 < panels.end { 2 } else { 1 };
            for row in (0..rows).step_by(ROWS) {
                let to = sums[row * wide + (panel - panels.start) * columns..].as_mut_ptr();
                let sums = Sums { words, panel, left: left.from(row), to, per_row: wide };
                // SAFETY: the rows are there, on the left as the caller of `few` has checked; all columns of these panels are.
                unsafe {
                    if together == 2 {
                        sums.add::<V, D, 1, 4>(&ready);
                    } else {
                        sums.rows::<V, D, ROWS>(&ready, ROWS.min(rows - row));
                    }
                }
            }
            panel += together;
        }
    }
}

/// Sums of some rows and of the columns of one or two panels.
struct Sums<'a> {
    words: &'a Words,
    /// The first of the panels.
    panel: usize,
    left: Strided,
    to: *mut f32,
    /// Numbers from one row of the sums to the next.
    per_row: usize,
}

impl Sums<'_> {
    /// # Safety
    /// As for [`Self::add`], with so many rows, `ROWS` at most, which is 8 at most.
    #[inline(always)]
    unsafe fn rows<V: Bits, D: Decoder, const ROWS: usize>(&self, ready: &D::Ready<V>, rows: usize) {
        // SAFETY: as promised.
        unsafe {
            match rows {
                1 => self.add::<V, D, 1, 2>(ready),
                2 => self.add::<V, D, 2, 2>(ready),
                3 => self.add::<V, D, 3, 2>(ready),
                4 => self.add::<V, D, 4, 2>(ready),
                5 if ROWS > 4 => self.add::<V, D, 5, 2>(ready),
                6 if ROWS > 4 => self.add::<V, D, 6, 2>(ready),
                7 if ROWS > 4 => self.add::<V, D, 7, 2>(ready),
                _ if ROWS > 4 => self.add::<V, D, 8, 2>(ready),
                _ => unreachable!("{rows} rows of {ROWS}"),
            }
        }
    }

    /// Sets the sums of `ROWS` rows and of `SIDES` registers of columns.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set; the words have panels of two registers, and as many of them from `panel` on as the sides
    /// take; the left factor has `ROWS` rows of all steps, and the sums have room for them.
    #[inline(always)]
    unsafe fn add<V: Bits, D: Decoder, const ROWS: usize, const SIDES: usize>(&self, ready: &D::Ready<V>) {
        let words = self.words;
        let panel = words.from(self.panel);
        let (columns, k, each) = (words.columns, words.size[0], words.group / D::WORDS * D::PARTS * D::STEPS);
        // SAFETY: as promised, with places within the words, the scales, the left factor and the sums.
        unsafe {
            for group in 0..words.groups() {
                let at = panel.words.as_ptr().add(group * words.group * columns);
                let (apart, count) = (words.down * columns, each.min(k - group * each));
                let part =
                    products::<V, D, ROWS, SIDES>(ready, at, [columns, apart], count, self.left.step(group * each));
                for (row, part) in part.into_iter().enumerate() {
                    for (side, sum) in part.into_iter().enumerate() {
                        let at = group * columns + place::<V>(side, words.groups() * columns);
                        let scale = scale::<V>(panel.scales, at);
                        let to = self.to.add(row * self.per_row + side * V::LANES);
                        let sum = if group == 0 { sum.mul(scale) } else { sum.mul_add(scale, V::load(to)) };
                        sum.store(to);
                    }
                }
            }
        }
    }
}

/// Where a register of columns lies, of two in a panel, where panels lie so far apart.
#[inline(always)]
fn place<V: Bits>(side: usize, apart: usize) -> usize {
    side / 2 * apart + side % 2 * V::LANES
}

/// The sums of products of `count` steps of rows with the numbers in words `[_, columns]`, of one panel, or of two that lie
/// `apart`.
///
/// # Safety
/// The CPU has `V`'s instruction set; the words of these steps can be read at `at`, and the left factor has the rows and steps.
#[inline(always)]
pub unsafe fn products<V: Bits, D: Decoder, const ROWS: usize, const SIDES: usize>(
    ready: &D::Ready<V>,
    at: *const u32,
    [columns, apart]: [usize; 2],
    count: usize,
    left: Strided,
) -> [[V; SIDES]; ROWS] {
    const { assert!(D::PARTS == 1 || D::PARTS == 4) };
    let together = D::PARTS * D::STEPS;
    // SAFETY: as promised.
    unsafe {
        let mut sums = [[V::splat(0.0); SIDES]; ROWS];
        for index in 0..count.div_ceil(together) {
            let at = at.add(index * D::WORDS * columns);
            let (left, rest) = (left.step(index * together), count - index * together);
            // Which part it is, is known to the compiler.
            part::<V, D, ROWS, SIDES>(ready, 0, at, [columns, apart], rest, left, &mut sums);
            if D::PARTS == 4 {
                part::<V, D, ROWS, SIDES>(ready, 1, at, [columns, apart], rest, left, &mut sums);
                part::<V, D, ROWS, SIDES>(ready, 2, at, [columns, apart], rest, left, &mut sums);
                part::<V, D, ROWS, SIDES>(ready, 3, at, [columns, apart], rest, left, &mut sums);
            }
        }
        sums
    }
}

/// Adds to `sums` the products of a part of words, of which `rest` steps are there.
///
/// # Safety
/// As for [`products`], and there is such a part.
#[inline(always)]
unsafe fn part<V: Bits, D: Decoder, const ROWS: usize, const SIDES: usize>(
    ready: &D::Ready<V>,
    part: usize,
    at: *const u32,
    [columns, apart]: [usize; 2],
    rest: usize,
    left: Strided,
    sums: &mut [[V; SIDES]; ROWS],
) {
    let (left, rest) = (left.step(part * D::STEPS), rest.saturating_sub(part * D::STEPS));
    // SAFETY: as promised.
    unsafe {
        let mut codes = [D::words::<V>(at, columns, part); SIDES];
        for (side, codes) in codes.iter_mut().enumerate() {
            let at = at.add(place::<V>(side, apart));
            // Every word is asked for once.
            if part < D::WORDS && (side % 2 * V::LANES * size_of::<u32>()).is_multiple_of(LINE_BYTES) {
                Soon::at(at).ask(part * columns + AHEAD);
            }
            *codes = D::words::<V>(at, columns, part);
        }
        // The number of steps of a whole part is known to the compiler.
        if rest >= D::STEPS {
            steps::<V, D, ROWS, SIDES>(ready, D::STEPS, codes, left, sums);
        } else {
            steps::<V, D, ROWS, SIDES>(ready, rest, codes, left, sums);
        }
    }
}

/// Adds to `sums` the products of `count` numbers of each row and of the first steps of a part.
///
/// # Safety
/// The CPU has `V`'s instruction set, and `left` has the rows and these steps.
#[inline(always)]
unsafe fn steps<V: Bits, D: Decoder, const ROWS: usize, const SIDES: usize>(
    ready: &D::Ready<V>,
    count: usize,
    codes: [V::Words; SIDES],
    left: Strided,
    sums: &mut [[V; SIDES]; ROWS],
) {
    for step in 0..count {
        // SAFETY: as promised.
        unsafe {
            let mut numbers = [V::splat(0.0); SIDES];
            for (number, codes) in numbers.iter_mut().zip(&codes) {
                *number = D::number::<V>(ready, *codes, step);
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let factor = V::splat(*left.start.add(row * left.per_row + step));
                for (sum, number) in sums.iter_mut().zip(&numbers) {
                    *sum = factor.mul_add(*number, *sum);
                }
            }
        }
    }
}

/// The scales of a register of columns from scale `at` on.
///
/// # Safety
/// The CPU has `V`'s instruction set, and there are as many scales.
#[inline(always)]
pub unsafe fn scale<V: Bits>(scales: Scales, at: usize) -> V {
    // SAFETY: as promised.
    unsafe {
        match scales {
            Scales::Numbers(numbers) => V::load(numbers.as_ptr().add(at)),
            Scales::Powers(powers) => V::powers(powers.as_ptr().add(at)),
        }
    }
}
