//! A copy: what every kernel that reads and writes as much can reach at best.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per row, not once per register")]

use super::rows::AHEAD;
use super::write::{Numbers, past_caches, seen, write};
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::load_first;
use crate::memory::{LINE, Soon};
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Copies `from` to `out`, of as many numbers: past the caches where both are more than the last level holds. Nothing is allocated.
///
/// # Errors
/// Slices of different lengths, an instruction set that is absent.
pub fn copy(isa: Isa, from: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("the copy", &[from.len()], out.len())?;
    with_isa!(isa, |tools| run(&tools, from, out));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, from: &[f32], out: &mut [f32]) {
    let numbers = each(from.len().div_ceil(LINE), LINE) * LINE;
    let streams = past_caches(2 * from.len());
    parallel_for(out.chunks_mut(numbers).zip(from.chunks(numbers)), |(to, from)| {
        tools.run(Stretch { from, to, streams });
    });
}

/// A stretch of what is copied.
struct Stretch<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
    streams: bool,
}

impl Kernel for Stretch<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { from, to, streams } = self;
        let soon = Soon::at(from.as_ptr().wrapping_add(AHEAD));
        // SAFETY: as promised; both have as many numbers.
        unsafe { write::<V, _>(&Same { from, soon }, to, streams) };
        seen(streams);
    }
}

/// A row as it is; what lies at `soon` is asked for meanwhile.
pub struct Same<'a> {
    pub from: &'a [f32],
    pub soon: Soon,
}

impl Numbers for Same<'_> {
    #[inline(always)]
    unsafe fn at<V: Vector>(&self, at: usize, count: usize) -> V {
        self.soon.ask(at);
        // SAFETY: as promised.
        unsafe { load_first(self.from.as_ptr().add(at), count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stretch leaves between the numbers beside it.
    fn copied(isa: Isa, from: &[f32], begin: usize, streams: bool) -> Result<Vec<f32>> {
        let mut room = vec![-1.0; begin + from.len() + LINE];
        let to = &mut room[begin..begin + from.len()];
        with_isa!(isa, |tools| tools.run(Stretch { from, to, streams }));
        Ok(room)
    }

    #[test]
    fn every_number_is_copied_and_nothing_beside_it_whether_it_is_streamed_or_not() {
        let from: Vec<f32> = (0..200).map(|index| index as f32).collect();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.present()) {
            for (begin, length) in (0..LINE).flat_map(|begin| [0, 1, 7, 16, 33, 200].map(|length| (begin, length))) {
                let right = [&vec![-1.0; begin][..], &from[..length], &[-1.0; LINE]].concat();
                for streams in [false, true] {
                    let found = copied(isa, &from[..length], begin, streams).unwrap();
                    assert_eq!(found, right, "{} {length} numbers at {begin}, {streams}", isa.name());
                }
            }
        }
    }
}
