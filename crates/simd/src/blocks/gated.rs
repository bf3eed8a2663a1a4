//! SwiGLU between products whose results lie in memory.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per row, not once per register")]

use super::write::{Numbers, past_caches, seen, write};
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{load_first, silu};
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// silu(gate) ⊙ up into `out` `[rows, hidden]`, of `both` `[rows, 2 · hidden]`, in whose rows the gate comes before up (SwiGLU:
/// Shazeer, arXiv 2002.05202). Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, rows of nothing, an instruction set that is absent.
pub fn swiglu(isa: Isa, hidden: usize, both: &[f32], out: &mut [f32]) -> Result<()> {
    let Some(rows) = out.len().checked_div(hidden) else {
        return Err(Error::Shape("rows of 0 numbers have no gate".into()));
    };
    expect_len("the result", &[rows, hidden], out.len())?;
    expect_len("gate and up", &[rows, 2 * hidden], both.len())?;
    with_isa!(isa, |tools| run(&tools, hidden, both, out));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, hidden: usize, both: &[f32], out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    let numbers = each(out.len() / hidden, hidden) * hidden;
    let streams = past_caches(3 * out.len());
    parallel_for(out.chunks_mut(numbers).zip(both.chunks(2 * numbers)), |(to, from)| {
        tools.run(Rows { hidden, from, to, streams });
    });
}

/// Some rows.
struct Rows<'a> {
    hidden: usize,
    /// `[rows, 2 · hidden]`
    from: &'a [f32],
    /// `[rows, hidden]`
    to: &'a mut [f32],
    streams: bool,
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { hidden, from, to, streams } = self;
        for (from, to) in from.chunks_exact(2 * hidden).zip(to.chunks_exact_mut(hidden)) {
            let (gate, up) = from.split_at(hidden);
            // SAFETY: as promised; all three have as many numbers.
            unsafe { write::<V, _>(&Gated { gate, up }, to, streams) };
        }
        seen(streams);
    }
}

/// A row, gated.
struct Gated<'a> {
    gate: &'a [f32],
    up: &'a [f32],
}

impl Numbers for Gated<'_> {
    #[inline(always)]
    unsafe fn at<V: Vector>(&self, at: usize, count: usize) -> V {
        // SAFETY: as promised; both have as many numbers as the row.
        unsafe {
            let gate = load_first::<V>(self.gate.as_ptr().add(at), count);
            silu(gate).mul(load_first(self.up.as_ptr().add(at), count))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_gated_by_its_own() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.present()) {
            for (rows, hidden) in [(1, 1), (3, 5), (2, 16), (7, 33), (40, 257)] {
                let both: Vec<f32> = (0..rows * 2 * hidden).map(|at| ((at * at) % 83) as f32 / 9.0 - 4.0).collect();
                let mut out = vec![f32::NAN; rows * hidden];
                swiglu(isa, hidden, &both, &mut out).unwrap();
                for (at, found) in out.iter().enumerate() {
                    let of = |part: usize| f64::from(both[at / hidden * 2 * hidden + part * hidden + at % hidden]);
                    let (gate, up) = (of(0), of(1));
                    let right = up * gate / (1.0 + (-gate).exp());
                    assert!((f64::from(*found) - right).abs() <= 1e-6 * right.abs().max(1.0), "{} {at}", isa.name());
                }
            }
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let mut out = [0.0; 4];
        for (hidden, both) in [(0, 8), (3, 8), (2, 7), (4, 4)] {
            assert!(swiglu(Isa::detect(), hidden, &vec![0.0; both], &mut out).is_err(), "{hidden} {both}");
        }
        assert!(swiglu(Isa::detect(), 2, &[], &mut []).is_ok());
    }
}
