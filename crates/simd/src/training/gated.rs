//! SwiGLU on the way back.
#![expect(unsafe_code, reason = "registers of any instruction set; pointers, whose bounds are those of a row")]

use super::chain::opened;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{load_first, store_first};
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// The gradients of gate and up of [`swiglu`](crate::swiglu) into `to` `[rows, 2 · hidden]`, of `both` `[rows, 2 · hidden]`, in whose
/// rows the gate comes before up, and of the gradient of the result `[rows, hidden]`. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, rows of nothing, an instruction set that is absent.
pub fn swiglu_backward(isa: Isa, hidden: usize, both: &[f32], grad: &[f32], to: &mut [f32]) -> Result<()> {
    let Some(rows) = grad.len().checked_div(hidden) else {
        return Err(Error::Shape("rows of 0 numbers have no gate".into()));
    };
    expect_len("the gradient of the result", &[rows, hidden], grad.len())?;
    expect_len("gate and up", &[rows, 2 * hidden], both.len())?;
    expect_len("the gradient of gate and up", &[rows, 2 * hidden], to.len())?;
    if rows > 0 {
        with_isa!(isa, |tools| run(&tools, hidden, [both, grad], to));
    }
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, hidden: usize, [both, grad]: [&[f32]; 2], to: &mut [f32]) {
    let numbers = each(grad.len() / hidden, hidden) * hidden;
    let tasks = to.chunks_mut(2 * numbers).zip(both.chunks(2 * numbers).zip(grad.chunks(numbers)));
    parallel_for(tasks, |(to, (both, grad))| tools.run(Rows { hidden, both, grad, to }));
}

/// Some rows.
struct Rows<'a> {
    hidden: usize,
    /// `[rows, 2 · hidden]`
    both: &'a [f32],
    /// `[rows, hidden]`
    grad: &'a [f32],
    /// `[rows, 2 · hidden]`
    to: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { hidden, both, grad, to } = self;
        let rows = both.chunks_exact(2 * hidden).zip(grad.chunks_exact(hidden));
        for ((both, grad), to) in rows.zip(to.chunks_exact_mut(2 * hidden)) {
            for at in (0..hidden).step_by(V::LANES) {
                let lanes = V::LANES.min(hidden - at);
                // SAFETY: as promised, and within rows of which `both` and `to` have two halves of this length.
                unsafe {
                    let [open, slope] = opened(load_first::<V>(both.as_ptr().add(at), lanes));
                    let up = load_first::<V>(both.as_ptr().add(hidden + at), lanes);
                    let grad = load_first::<V>(grad.as_ptr().add(at), lanes);
                    store_first(grad.mul(up).mul(slope), to.as_mut_ptr().add(at), lanes);
                    store_first(grad.mul(open), to.as_mut_ptr().add(hidden + at), lanes);
                }
            }
        }
    }
}
