//! Sums of products of bytes, by the inner loop of products in whole numbers, on factors that stay in a first-level cache.
#![expect(unsafe_code, reason = "pointers, whose bounds are checked once per task")]

use crate::error::{Error, Result, expect_len};
use crate::matmul::bytes::{ByteDot, Job, Jobs, Work, call};
use crate::matmul::dot::{Dot, Step, add_word};
use crate::matmul::words::pack;
use crate::memory::{plain, scratch};
use crate::team::parallel_for;
use crate::vector::{Rows, Vector};

/// Sums of a task: a whole number of tiles of any instruction set.
pub const SUMS: usize = 1920;

/// Products of a sum.
pub const PRODUCTS: usize = 4096;

/// Steps of the factors, which are taken again and again.
const STEPS: usize = 256;

/// Rows and columns of a tile at most.
const ROWS: usize = 12;
const COLUMNS: usize = 32;

/// The code of a step, which four bits hold.
fn code(step: usize) -> u8 {
    (step % 8) as u8
}

/// The other factor of a step.
fn factor(step: usize) -> i32 {
    (step % 5) as i32 - 1
}

/// Each of `from` `[tasks, 1920]` and the sum of 4,096 products of bytes, into `out`: with codes of `bits` bits, 8 or 4, of which
/// that of step `s` is `s % 8`, and factors `s % 5 − 1`, over 256 steps sixteen times. Sums lie in registers, and factors in a
/// first-level cache.
///
/// Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Numbers that are no whole tasks or not as many as results, codes of another width, instructions that are absent.
pub fn byte_dots(dot: ByteDot, bits: usize, from: &[f32], out: &mut [f32]) -> Result<()> {
    if !from.len().is_multiple_of(SUMS) {
        return Err(Error::Shape(format!("{} numbers are no whole number of tasks of {SUMS}", from.len())));
    }
    if ![4, 8].contains(&bits) {
        return Err(Error::Shape(format!("codes have 4 or 8 bits here, not {bits}")));
    }
    expect_len("the results", &[from.len()], out.len())?;
    call(dot, bits, Tasks { from, out })
}

struct Tasks<'a> {
    from: &'a [f32],
    out: &'a mut [f32],
}

impl Work for Tasks<'_> {
    fn run<J: Jobs>(self, jobs: &J) {
        let Self { from, out } = self;
        let (bits, columns) = (<J::Dot as Dot>::BITS, 2 * <<J::Dot as Dot>::Numbers as Vector>::LANES);
        let room = (ROWS * STEPS * size_of::<<J::Dot as Dot>::Step>()).div_ceil(size_of::<f32>());
        scratch([STEPS * bits / 32 * columns, room], |[words, steps]| {
            let words = plain::<u32>(words);
            words.fill(0);
            let mut codes = [0; STEPS * COLUMNS];
            let codes = &mut codes[..STEPS * columns];
            codes.chunks_exact_mut(columns).enumerate().for_each(|(step, row)| row.fill(code(step)));
            pack(codes, [STEPS, columns], bits, columns, words);
            let steps = &mut plain::<<J::Dot as Dot>::Step>(steps)[..ROWS * STEPS];
            for (at, to) in steps.iter_mut().enumerate() {
                *to = Step::of(factor(at % STEPS));
            }
            let (words, steps) = (&*words, &*steps);
            parallel_for(out.chunks_exact_mut(SUMS).zip(from.chunks_exact(SUMS)), |(numbers, from)| {
                numbers.copy_from_slice(from);
                jobs.run(Task { words, steps, numbers });
            });
        });
    }
}

/// The sums of a task.
struct Task<'a, S> {
    /// `[STEPS · BITS / 32, columns]`
    words: &'a [u32],
    /// `[ROWS, STEPS]`
    steps: &'a [S],
    numbers: &'a mut [f32],
}

impl<D: Dot> Job<D> for Task<'_, D::Step> {
    #[inline(always)]
    unsafe fn run<const TALL: usize>(self) {
        let Self { words, steps, numbers } = self;
        let (lanes, columns, each) = (D::Numbers::LANES, 2 * D::Numbers::LANES, 32 / D::BITS);
        let down = words.len() / columns;
        assert!(words.len() == down * columns && down * each == STEPS && steps.len() == ROWS * STEPS && TALL <= ROWS);
        assert!(numbers.len().is_multiple_of(TALL * columns));
        for tile in numbers.chunks_exact_mut(TALL * columns) {
            // SAFETY: the CPU has the instruction set, as promised; words, steps and numbers are there.
            unsafe {
                let mut all = [[D::start(0); 2]; TALL];
                for _ in 0..PRODUCTS / STEPS {
                    let mut rows = Rows::<D::Step, TALL>::new(steps.as_ptr(), STEPS);
                    for word in 0..down {
                        add_word(words.as_ptr().add(word * columns), &rows, &mut all);
                        rows.forward(each);
                    }
                }
                for (row, sums) in all.into_iter().enumerate() {
                    for (side, sum) in sums.into_iter().enumerate() {
                        let to = tile.as_mut_ptr().add(row * columns + side * lanes);
                        D::Numbers::load(to).add(sum.numbers()).store(to);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_is_added() {
        let sum = 16 * (0..STEPS).map(|step| i32::from(code(step)) * factor(step)).sum::<i32>();
        assert!(sum != 0, "else nothing shows");
        for (dot, bits) in ByteDot::ALL.into_iter().filter(|dot| dot.present()).flat_map(|dot| [(dot, 8), (dot, 4)]) {
            // Exact in f32: whole numbers below 2^24.
            let from: Vec<f32> = (0..3 * SUMS).map(|at| at as f32).collect();
            let mut out = vec![f32::NAN; from.len()];
            byte_dots(dot, bits, &from, &mut out).unwrap();
            for (at, found) in out.iter().enumerate() {
                assert_eq!(*found, at as f32 + sum as f32, "{} with {bits} bits", dot.name());
            }
        }
    }

    #[test]
    fn what_is_no_task_is_refused() {
        let said = |bits, from: &[f32], out: &mut [f32]| {
            byte_dots(ByteDot::Portable, bits, from, out).unwrap_err().to_string()
        };
        assert!(said(8, &[0.0; 5], &mut [0.0; 5]).contains("1920"));
        assert!(said(6, &[0.0; SUMS], &mut [0.0; SUMS]).contains("4 or 8 bits here, not 6"));
        assert!(said(8, &[0.0; SUMS], &mut []).contains("the results holds 0"));
        byte_dots(ByteDot::Portable, 8, &[], &mut []).unwrap();
    }
}
