//! Rows of numbers: how many a task takes, and how they are added up.
#![expect(unsafe_code, reason = "registers of any instruction set")]

use crate::vector::Vector;

/// Tasks of a thread, so that a late one does not hold up the rest for long.
const SHARES: usize = 4;

/// Numbers of a task at least: fewer are done before another thread has heard of them.
const LEAST: usize = 4096;

/// Registers that a sum is kept in: additions wait for nothing.
pub const SUMS: usize = 4;

/// Numbers that are added up in `f32`; the sums of such blocks are added in `f64`.
pub const BLOCK: usize = 4096;

/// Numbers that memory is asked for ahead at least: 4 KiB, since processors do not look into the next page.
pub const AHEAD: usize = 1024;

/// Of so many rows, those of a task; `width` is not 0.
pub fn each(rows: usize, width: usize) -> usize {
    rows.div_ceil(SHARES * rayon::current_num_threads()).max(LEAST.div_ceil(width))
}

/// The sum of registers, lane by lane first.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub unsafe fn total<V: Vector>([a, b, c, d]: [V; SUMS]) -> f64 {
    // SAFETY: as promised.
    f64::from(unsafe { a.add(b).add(c.add(d)).sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_neither_too_small_nor_too_few() {
        assert_eq!(each(1, 1 << 17), 1);
        assert_eq!(each(3, 7), LEAST.div_ceil(7));
        let threads = rayon::current_num_threads();
        assert_eq!(each(SHARES * threads * 100, 4096), 100);
    }
}
