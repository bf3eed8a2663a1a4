//! Products with fewer steps or of less rank than the one that they stand for: what pruned channels and low rank leave.

use super::call::{Product, matmul};
use crate::error::{Error, Result, expect_len};
use crate::isa::Isa;
use crate::memory::scratch;
use crate::team::parallel_for;

/// `out = left[:, kept] · right`: the columns `kept` of `left` `[m, k]`, where `size` is m, k and n, by `right` `[kept, n]`.
///
/// Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, columns that are not there, or an instruction set that is absent.
pub fn matmul_kept(
    isa: Isa,
    size: [usize; 3],
    left: &[f32],
    kept: &[usize],
    right: &[f32],
    out: &mut [f32],
) -> Result<()> {
    let ([m, k, n], width) = (size, kept.len());
    expect_len("the left factor", &[m, k], left.len())?;
    if let Some(strange) = kept.iter().find(|column| **column >= k) {
        return Err(Error::Shape(format!("column {strange} is kept of {k} columns, numbered from 0")));
    }
    scratch([m * width], |[room]| {
        if !room.is_empty() {
            parallel_for(room.chunks_exact_mut(width).zip(left.chunks_exact(k)), |(to, from)| {
                to.iter_mut().zip(kept).for_each(|(to, column)| *to = from[*column]);
            });
        }
        matmul(&Product { size: [m, width, n], left: room, right, isa }, out)
    })
}

/// `out = (left · first) · second` for `left` `[m, k]`, `first` `[k, rank]` and `second` `[rank, n]`, where `size` is m, k, rank
/// and n. Of rank 0 it is zero.
///
/// Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, or an instruction set that is absent.
pub fn matmul_low_rank(
    isa: Isa,
    size: [usize; 4],
    left: &[f32],
    [first, second]: [&[f32]; 2],
    out: &mut [f32],
) -> Result<()> {
    let [m, k, rank, n] = size;
    scratch([m * rank], |[middle]| {
        matmul(&Product { size: [m, k, rank], left, right: first, isa }, middle)?;
        matmul(&Product { size: [m, rank, n], left: middle, right: second, isa }, out)
    })
}
