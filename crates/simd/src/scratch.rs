//! Memory that a thread keeps between calls, so that a timed call allocates nothing.

use std::cell::RefCell;

/// Numbers in a cache line.
pub const LINE: usize = 16;

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; LINE]);

thread_local! {
    /// Memory that nobody uses now; the last one was in use last.
    static KEPT: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `with` on this thread's scratch, cut into parts of `lengths` numbers, each at a cache line.
///
/// What the parts hold is what some call before left there. A call within `with` on the same thread, as when a thread
/// that waits takes another task, gets memory of its own, which is kept too.
pub fn scratch<R, const N: usize>(lengths: [usize; N], with: impl FnOnce([&mut [f32]; N]) -> R) -> R {
    let lines = lengths.map(|length| length.div_ceil(LINE));
    let mut kept = KEPT.with(|kept| kept.borrow_mut().pop()).unwrap_or_default();
    let wanted = lines.iter().sum();
    if kept.len() < wanted {
        kept.resize(wanted, Line([0.0; LINE]));
    }
    let mut rest = flat(&mut kept);
    let parts = std::array::from_fn(|part| {
        let (mine, others) = std::mem::take(&mut rest).split_at_mut(lines[part] * LINE);
        rest = others;
        &mut mine[..lengths[part]]
    });
    let result = with(parts);
    KEPT.with(|all| all.borrow_mut().push(kept));
    result
}

/// The numbers of the lines.
#[expect(unsafe_code, reason = "the standard library has no safe view of an array's elements through its wrapper")]
fn flat(lines: &mut [Line]) -> &mut [f32] {
    // SAFETY: a line is 16 numbers and nothing else, without padding, since 16 · 4 is its alignment.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * LINE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_aligned_apart_and_kept() {
        let addresses = || {
            scratch([3, 17], |[a, b]| {
                assert_eq!((a.len(), b.len()), (3, 17));
                a.fill(1.0);
                b.fill(2.0);
                assert_eq!(a.as_ptr() as usize % 64, 0);
                assert_eq!(b.as_ptr() as usize % 64, 0);
                let inner = scratch([3], |[c]| {
                    c.fill(9.0);
                    c.as_ptr() as usize
                });
                assert!(a.iter().all(|x| *x == 1.0) && b.iter().all(|x| *x == 2.0));
                [a.as_ptr() as usize, inner]
            })
        };
        assert_eq!(addresses(), addresses(), "both memories are kept, in their order");
    }
}
