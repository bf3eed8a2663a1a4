//! The state-space duality of Mamba-2.

use super::linear::{Decay, Linear, LinearSize, linear};
use crate::error::Result;
use crate::isa::Isa;

/// Sizes of a state-space duality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SsdSize {
    /// Sequences.
    pub batch: usize,
    /// Steps of a sequence.
    pub seq: usize,
    /// Heads, each with a state `[head_dim, state]`.
    pub heads: usize,
    /// Numbers of x of a head.
    pub head_dim: usize,
    /// B and C of a step, each shared by `heads / groups` heads.
    pub groups: usize,
    /// Numbers of B, and of C.
    pub state: usize,
}

/// What goes through it (Dao & Gu, arXiv 2405.21060, section 6). With Δ = softplus(`delta` + `delta_bias`) and A = −exp(`a_log`),
/// one number a head: h ← exp(Δ A) h + Δ x Bᵀ, y = h C + D x.
#[derive(Debug, Clone, Copy)]
pub struct Ssd<'a> {
    /// Sizes of all that follows.
    pub size: SsdSize,
    /// `[batch, seq, heads, head_dim]`
    pub x: &'a [f32],
    /// `[batch, seq, heads]`, before its bias and the softplus
    pub delta: &'a [f32],
    /// `[heads]`
    pub delta_bias: &'a [f32],
    /// `[heads]`
    pub a_log: &'a [f32],
    /// `[batch, seq, groups, state]`
    pub b: &'a [f32],
    /// `[batch, seq, groups, state]`
    pub c: &'a [f32],
    /// `[heads]`
    pub d: &'a [f32],
    /// `[batch, heads, head_dim, state]`, before the first step
    pub start: &'a [f32],
    /// Steps of a chunk; [`CHUNK`](super::CHUNK) is a good one.
    pub chunk: usize,
    /// Instructions to use.
    pub isa: Isa,
}

/// The duality into `out` `[batch, seq, heads, head_dim]`, and the state after the last step into `end`
/// `[batch, heads, head_dim, state]`, chunk by chunk: within a chunk as attention with decay, from one to the next through the
/// state. Products of B and C are shared by the heads of a group.
///
/// What is left between two steps is 2 to the power of a difference of sums of logarithms, which are summed in `f64` and kept in
/// two `f32` each: so it does not depend on where a chunk begins. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, heads that cannot share groups evenly, a size or chunk of 0, an instruction set that is absent.
pub fn ssd(call: &Ssd, out: &mut [f32], end: &mut [f32]) -> Result<()> {
    let Ssd { size, x, delta, delta_bias, a_log, b, c, d, start, chunk, isa } = *call;
    let SsdSize { batch, seq, heads, head_dim, groups, state } = size;
    let size = LinearSize { batch, seq, heads, groups, key_dim: state, value_dim: head_dim };
    let decay = Decay::Selective { delta, bias: delta_bias, a_log, skip: d };
    linear(&Linear { size, query: c, key: b, value: x, decay, start, keys_last: true, chunk, isa }, out, end)
}
