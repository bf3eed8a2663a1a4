//! Softmax of rows.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per row, not once per register")]

use super::rows::{AHEAD, BLOCK, SUMS, total};
use super::write::{Numbers, past_caches, seen, write};
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{exp, load_first, store_first, sum_first};
use crate::memory::{Soon, scratch};
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Rows of which the softmax is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Softmax<'a> {
    /// Numbers of a row.
    pub width: usize,
    /// `[rows, width]`
    pub input: &'a [f32],
    /// Instructions to use.
    pub isa: Isa,
}

/// Softmax over the last axis (Bridle, *Probabilistic interpretation of feedforward classification network outputs*, 1990) into
/// `out` `[rows, width]`: e^(x − most) over the sum of these, of each row.
///
/// A row is read from memory once, and its powers stay in memory of the thread until their sum is known; the largest number of the
/// next row is found before a row is written. What is below the largest by more than 87 counts nothing. A row of −∞ alone is no
/// number, and so is one that holds +∞ or NaN, as the formula says. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn softmax(call: &Softmax, out: &mut [f32]) -> Result<()> {
    let Softmax { width, input, isa } = *call;
    let rows = input.len().checked_div(width).unwrap_or(0);
    expect_len("the input", &[rows, width], input.len())?;
    expect_len("the result", &[rows, width], out.len())?;
    with_isa!(isa, |tools| run(&tools, call, out));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, call: &Softmax, out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    let width = call.width;
    let numbers = each(out.len() / width, width) * width;
    let streams = past_caches(2 * out.len());
    parallel_for(out.chunks_mut(numbers).zip(call.input.chunks(numbers)), |(to, from)| {
        scratch([width], |[powers]| tools.run(Rows { from, to, powers, streams }));
    });
}

/// Some rows.
struct Rows<'a> {
    /// `[rows, width]`
    from: &'a [f32],
    /// `[rows, width]`
    to: &'a mut [f32],
    /// `[width]`: those of a row.
    powers: &'a mut [f32],
    streams: bool,
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { from, to, powers, streams } = self;
        let width = powers.len();
        let mut rows = from.chunks_exact(width);
        let Some(first) = rows.next() else { return };
        // SAFETY: as promised; powers have the width of a row.
        unsafe {
            let mut next = (first, largest::<V>(first));
            for to in to.chunks_exact_mut(width) {
                let (from, most) = next;
                let sum = raised::<V>(from, most, powers);
                // Their sum comes while the largest number of the next row is found, and that while this row is written.
                next = match rows.next() {
                    Some(row) => (row, largest::<V>(row)),
                    None => (from, most),
                };
                write::<V, _>(&Shares { powers, share: (1.0 / sum) as f32 }, to, streams);
            }
        }
        seen(streams);
    }
}

/// The largest number of a row, whatever else is none; −∞ where nothing is. The row behind this one, or what comes 4 KiB later, is
/// asked for meanwhile.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn largest<V: Vector>(row: &[f32]) -> f32 {
    let (from, soon) = (row.as_ptr(), Soon::at(row.as_ptr().wrapping_add(row.len().max(AHEAD))));
    let (turns, whole) = (row.len() - row.len() % (SUMS * V::LANES), row.len() - row.len() % V::LANES);
    // SAFETY: as promised, and every register lies within the row.
    let most = unsafe {
        let mut most = [V::splat(f32::NEG_INFINITY); SUMS];
        for turn in (0..turns).step_by(SUMS * V::LANES) {
            for (register, most) in most.iter_mut().enumerate() {
                let at = turn + register * V::LANES;
                soon.ask(at);
                *most = most.max(V::load(from.add(at)));
            }
        }
        for at in (turns..whole).step_by(V::LANES) {
            soon.ask(at);
            most[0] = most[0].max(V::load(from.add(at)));
        }
        let [a, b, c, d] = most;
        a.max(b).max(c.max(d)).largest()
    };
    row[whole..].iter().fold(most, |most, x| most.max(*x))
}

/// The powers e^(x − most) of a row, and their sum.
///
/// # Safety
/// The CPU has `V`'s instruction set; there is room for as many powers.
#[inline(always)]
unsafe fn raised<V: Vector>(row: &[f32], most: f32, powers: &mut [f32]) -> f64 {
    let mut sum = 0.0;
    // SAFETY: as promised, and every register lies within its block.
    unsafe {
        let most = V::splat(most);
        for (block, to) in row.chunks(BLOCK).zip(powers.chunks_mut(BLOCK)) {
            let (from, to) = (block.as_ptr(), to.as_mut_ptr());
            let (turns, whole) = (block.len() - block.len() % (SUMS * V::LANES), block.len() - block.len() % V::LANES);
            let mut sums = [V::splat(0.0); SUMS];
            for turn in (0..turns).step_by(SUMS * V::LANES) {
                for (register, sum) in sums.iter_mut().enumerate() {
                    let at = turn + register * V::LANES;
                    let power = power(V::load(from.add(at)), most);
                    power.store(to.add(at));
                    *sum = sum.add(power);
                }
            }
            for at in (turns..whole).step_by(V::LANES) {
                let power = power(V::load(from.add(at)), most);
                power.store(to.add(at));
                sums[0] = sums[0].add(power);
            }
            sum += total(sums);
            let rest = block.len() - whole;
            if rest > 0 {
                let power = power(load_first::<V>(from.add(whole), rest), most);
                store_first(power, to.add(whole), rest);
                sum += f64::from(sum_first(power, rest));
            }
        }
    }
    sum
}

/// e^(x − most).
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn power<V: Vector>(x: V, most: V) -> V {
    // SAFETY: as promised.
    unsafe { exp(x.sub(most)) }
}

/// Powers over their sum.
struct Shares<'a> {
    powers: &'a [f32],
    /// One over the sum.
    share: f32,
}

impl Numbers for Shares<'_> {
    #[inline(always)]
    unsafe fn at<V: Vector>(&self, at: usize, count: usize) -> V {
        // SAFETY: as promised.
        unsafe { load_first::<V>(self.powers.as_ptr().add(at), count).mul(V::splat(self.share)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(isa: Isa, from: &[f32], powers: &mut [f32], to: &mut [f32], streams: bool) -> Result<()> {
        with_isa!(isa, |tools| tools.run(Rows { from, to, powers, streams }));
        Ok(())
    }

    #[test]
    fn what_is_streamed_has_the_same_bits() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.present()) {
            for (width, begin) in
                [1, 5, 16, 33, 130].into_iter().flat_map(|width| [0, 3, 13].map(|begin| (width, begin)))
            {
                let from: Vec<f32> = (0..5 * width).map(|index| (index * index % 37) as f32 / 8.0).collect();
                let [plain, streamed] = [false, true].map(|streams| {
                    let (mut to, mut powers) = (vec![f32::NAN; begin + from.len()], vec![f32::NAN; width]);
                    rows(isa, &from, &mut powers, &mut to[begin..], streams).unwrap();
                    to.split_off(begin)
                });
                assert!(plain.iter().all(|number| (0.0..=1.0).contains(number)));
                assert_eq!(plain, streamed, "{} {width} {begin}", isa.name());
            }
        }
    }
}
