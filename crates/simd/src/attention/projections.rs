//! The weights of the projections around attention.
#![expect(unsafe_code, reason = "the tile of an instruction set is made where it was detected")]

use super::Heads;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::isa::{self, Tile};
use crate::matmul::pack::{Panels, STEPS};

/// Weights as matrices, row-major; `hidden` is `heads · head_dim`.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, each shared by `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Numbers of one query, key or value.
    pub head_dim: usize,
    /// `[hidden, heads · head_dim]`
    pub query: &'a [f32],
    /// `[hidden, kv_heads · head_dim]`
    pub key: &'a [f32],
    /// `[hidden, kv_heads · head_dim]`
    pub value: &'a [f32],
    /// `[heads · head_dim, hidden]`
    pub out: &'a [f32],
}

/// Weights packed for an instruction set, head by head: made once for a model, used by every call.
#[derive(Debug)]
pub struct Projections {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    isa: Isa,
    /// Query heads whose results are taken to the last product at once.
    pub(super) together: usize,
    pub(super) query: Panels,
    pub(super) key: Panels,
    pub(super) value: Panels,
    pub(super) out: Panels,
}

impl Projections {
    /// Packs weights for the instructions `isa`.
    ///
    /// # Errors
    /// Slices of the wrong length, heads that do not divide, an instruction set that is absent.
    pub fn new(weights: &Weights, isa: Isa) -> Result<Self> {
        let Weights { heads, kv_heads, head_dim, query, key, value, out } = *weights;
        Heads { batch: 1, heads, kv_heads, seq_q: 1, seq_kv: 1, head_dim }.check()?;
        let Some(hidden) = heads.checked_mul(head_dim).filter(|hidden| hidden.checked_mul(*hidden).is_some()) else {
            return Err(Error::Shape(format!("{heads} heads of {head_dim} are more numbers than memory has")));
        };
        for (name, shape, found) in [
            ("the query weights", [hidden, hidden], query.len()),
            ("the key weights", [hidden, kv_heads * head_dim], key.len()),
            ("the value weights", [hidden, kv_heads * head_dim], value.len()),
            ("the output weights", [hidden, hidden], out.len()),
        ] {
            expect_len(name, &shape, found)?;
        }
        Ok(with_isa!(isa, |tile| Self::packed(&tile, weights, isa)))
    }

    fn packed<T: Tile>(tile: &T, weights: &Weights, isa: Isa) -> Self {
        let Weights { heads, kv_heads, head_dim, query, key, value, out } = *weights;
        let hidden = heads * head_dim;
        // Heads whose results are a run of steps of the last product; all of them where one is wider than a run.
        let together = STEPS.checked_div(head_dim).filter(|together| *together > 0);
        let run = together.map_or(STEPS, |together| together * head_dim);
        Self {
            heads,
            kv_heads,
            head_dim,
            isa,
            together: together.unwrap_or(heads),
            query: Panels::new(tile, query, hidden, STEPS, [heads, head_dim]),
            key: Panels::new(tile, key, hidden, STEPS, [kv_heads, head_dim]),
            value: Panels::new(tile, value, hidden, STEPS, [kv_heads, head_dim]),
            out: Panels::new(tile, out, hidden, run, [1, hidden]),
        }
    }

    /// Query heads.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Key and value heads.
    pub fn kv_heads(&self) -> usize {
        self.kv_heads
    }

    /// Numbers of one query, key or value.
    pub fn head_dim(&self) -> usize {
        self.head_dim
    }

    /// Numbers of a position: `heads · head_dim`.
    pub fn hidden(&self) -> usize {
        self.heads * self.head_dim
    }

    /// The instructions that the weights are packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }
}
