//! Rows that are written where their numbers are computed, past the caches or not.
#![expect(unsafe_code, reason = "registers of any instruction set; pointers, whose bounds are those of a row")]

use std::ops::Range;

use crate::cache::last_level_bytes;
use crate::math::store_first;
use crate::memory::LINE;
use crate::vector::Vector;

/// What a row becomes.
pub trait Numbers {
    /// Those from `at` on, as many as a register has or `count` of them.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set, `count` is at most `LANES`, and the row has these numbers.
    unsafe fn at<V: Vector>(&self, at: usize, count: usize) -> V;
}

/// Whether what a call writes goes past the caches: where `numbers`, those that it reads among them, are more than the last
/// level holds. A line is then not read before it is written, which leaves two thirds of the traffic; below, the next one to read
/// it would have to get it back from memory.
pub fn past_caches(numbers: usize) -> bool {
    numbers > last_level_bytes() / size_of::<f32>()
}

/// Lets this thread and others see what went past the caches. To Rust, such stores are made by another thread, which only this
/// instruction waits for (`_mm_stream_ps`, "Safety of non-temporal stores"); a fence of atomics does not.
pub fn seen(streams: bool) {
    #[cfg(target_arch = "x86_64")]
    if streams {
        // SAFETY: every x86-64 has this instruction, which changes no register; the compiler takes it to change any memory.
        unsafe { std::arch::asm!("sfence", options(nostack, preserves_flags)) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = streams;
}

/// Writes a row of as many numbers, past the caches or not.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub unsafe fn write<V: Vector, N: Numbers>(numbers: &N, to: &mut [f32], streams: bool) {
    // SAFETY: as promised, and within the row.
    unsafe { if streams { write_past_caches::<V, N>(numbers, to) } else { write_to_caches::<V, N>(numbers, to) } }
}

/// # Safety
/// As of [`write`].
#[inline(always)]
unsafe fn write_to_caches<V: Vector, N: Numbers>(numbers: &N, to: &mut [f32]) {
    let (all, to) = (to.len(), to.as_mut_ptr());
    // SAFETY: as promised, and within the row.
    unsafe {
        if all < V::LANES {
            return store_first(numbers.at::<V>(0, all), to, all);
        }
        // The first and the last register overlap with their neighbours, so that all between are aligned and none is in part.
        numbers.at::<V>(0, V::LANES).store(to);
        // Where no such place can be found, the rest is as right, and slower.
        let mut at = match to.align_offset(size_of::<f32>() * V::LANES) {
            0 => V::LANES,
            aligned => aligned.min(V::LANES),
        };
        while at + V::LANES <= all {
            numbers.at::<V>(at, V::LANES).store(to.add(at));
            at += V::LANES;
        }
        if at < all {
            numbers.at::<V>(all - V::LANES, V::LANES).store(to.add(all - V::LANES));
        }
    }
}

/// # Safety
/// As of [`write`].
#[inline(always)]
unsafe fn write_past_caches<V: Vector, N: Numbers>(numbers: &N, to: &mut [f32]) {
    let [before, within, behind] = parts(to);
    let to = to.as_mut_ptr();
    // SAFETY: as promised, and within the row; whole lines are aligned, and hold whole registers.
    unsafe {
        write_part::<V, N>(numbers, to, before);
        for at in within.step_by(V::LANES) {
            numbers.at::<V>(at, V::LANES).stream(to.add(at));
        }
        write_part::<V, N>(numbers, to, behind);
    }
}

/// # Safety
/// As of [`write`], within the row.
#[inline(always)]
unsafe fn write_part<V: Vector, N: Numbers>(numbers: &N, to: *mut f32, part: Range<usize>) {
    for at in part.clone().step_by(V::LANES) {
        let count = V::LANES.min(part.end - at);
        // SAFETY: as promised.
        unsafe { store_first(numbers.at::<V>(at, count), to.add(at), count) };
    }
}

/// The numbers of `to` before, in and behind the whole lines of the cache that it has.
fn parts(to: &[f32]) -> [Range<usize>; 3] {
    let all = to.len();
    let first = to.as_ptr().align_offset(LINE * size_of::<f32>()).min(all);
    let last = all - (all - first) % LINE;
    [0..first, first..last, last..all]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_streamed_and_nothing_is_left_out() {
        let numbers = vec![0.0_f32; 200];
        for (begin, length) in (0..20).flat_map(|begin| [0, 1, 15, 16, 17, 33, 160].map(|length| (begin, length))) {
            let to = &numbers[begin..begin + length];
            let [before, within, behind] = parts(to);
            assert_eq!((before.start, before.end, within.end, behind.end), (0, within.start, behind.start, length));
            assert!(within.len().is_multiple_of(LINE) && before.len() < LINE && behind.len() < LINE);
            assert!(within.is_empty() || (&raw const to[within.start]).addr().is_multiple_of(64));
        }
    }
}
