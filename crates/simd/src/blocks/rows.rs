//! Rows of numbers: how they are added up.
#![expect(unsafe_code, reason = "registers of any instruction set")]

use crate::vector::Vector;

/// Registers that a sum is kept in: additions wait for nothing.
pub const SUMS: usize = 4;

/// Numbers that are added up in `f32`; the sums of such blocks are added in `f64`.
pub const BLOCK: usize = 4096;

/// Numbers that memory is asked for ahead at least: 4 KiB, since processors do not look into the next page.
pub const AHEAD: usize = 1024;

/// The sum of registers, lane by lane first.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub unsafe fn total<V: Vector>([a, b, c, d]: [V; SUMS]) -> f64 {
    // SAFETY: as promised.
    f64::from(unsafe { a.add(b).add(c.add(d)).sum() })
}
