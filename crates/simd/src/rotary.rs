//! Rotary position embedding.

use crate::attention::{Attend, attention};
use crate::error::{Error, Result, expect_len};
use crate::memory::scratch;
use crate::team::parallel_for;

/// Angles for positions and pairs of numbers (Su et al., arXiv 2104.09864, section 3.2.2), computed once.
///
/// A pair is number `i` and number `i + head_dim / 2`, as GPT-NeoX and Llama have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    half: usize,
    /// `[positions, half]`
    cos: Vec<f32>,
    /// `[positions, half]`
    sin: Vec<f32>,
}

impl Rotary {
    /// Angles `position · base^(−2 i / head_dim)`, in `f64` before they are rounded.
    ///
    /// # Errors
    /// An odd `head_dim`.
    pub fn new(positions: usize, head_dim: usize, base: f64) -> Result<Self> {
        if !head_dim.is_multiple_of(2) {
            return Err(Error::Shape(format!("head_dim {head_dim} is odd: numbers are rotated in pairs")));
        }
        let half = head_dim / 2;
        let angle = |index: usize| {
            let (position, pair) = (index / half, index % half);
            position as f64 * base.powf(-2.0 * pair as f64 / head_dim as f64)
        };
        let (cos, sin) =
            (0..positions * half).map(|index| (angle(index).cos() as f32, angle(index).sin() as f32)).unzip();
        Ok(Self { half, cos, sin })
    }

    /// Positions that there are angles for.
    pub fn positions(&self) -> usize {
        self.cos.len().checked_div(self.half).unwrap_or(0)
    }

    /// Numbers of a vector.
    pub fn head_dim(&self) -> usize {
        2 * self.half
    }

    /// Rotates `from` `[…, seq, head_dim]`, whose first position is `first`, into `to`, of the same shape.
    ///
    /// # Errors
    /// Slices of different or uneven length, positions without an angle.
    pub fn rotate(&self, seq: usize, first: usize, from: &[f32], to: &mut [f32]) -> Result<()> {
        let width = 2 * self.half;
        expect_len("the rotated numbers", &[from.len()], to.len())?;
        if !from.len().is_multiple_of((seq * width).max(1)) {
            return Err(Error::Shape(format!("{} numbers are no whole number of [{seq}, {width}]", from.len())));
        }
        if first + seq > self.positions() {
            let known = self.positions();
            return Err(Error::Shape(format!(
                "positions up to {} are asked, angles are known for {known}",
                first + seq
            )));
        }
        if from.is_empty() {
            return Ok(());
        }
        parallel_for(to.chunks_mut(seq * width).zip(from.chunks(seq * width)), |(to, from)| {
            for (row, (to, from)) in to.chunks_exact_mut(width).zip(from.chunks_exact(width)).enumerate() {
                let angles = (first + row) * self.half..(first + row + 1) * self.half;
                let angles = self.cos[angles.clone()].iter().zip(&self.sin[angles]);
                let ((left, right), (x, y)) = (to.split_at_mut(self.half), from.split_at(self.half));
                let pairs = left.iter_mut().zip(right).zip(x.iter().zip(y));
                for (((left, right), (x, y)), (cos, sin)) in pairs.zip(angles) {
                    (*left, *right) = (x * cos - y * sin, y * cos + x * sin);
                }
            }
        });
        Ok(())
    }
}

/// [`attention`] with queries and keys turned by their positions first, into scratch; the last query stands at the position
/// of the last key.
///
/// # Errors
/// As of [`attention`]; more queries than keys, or positions without an angle.
pub fn rotary_attention(call: &Attend, rotary: &Rotary, out: &mut [f32]) -> Result<()> {
    let (seq_q, seq_kv) = (call.heads.seq_q, call.heads.seq_kv);
    let Some(first) = seq_kv.checked_sub(seq_q) else {
        return Err(Error::Shape(format!("{seq_q} queries have no position among {seq_kv} keys")));
    };
    scratch([call.query.len(), call.key.len()], |[query, key]| {
        rotary.rotate(seq_q, first, call.query, query)?;
        rotary.rotate(seq_kv, 0, call.key, key)?;
        attention(&Attend { query, key, ..*call }, out)
    })
}
