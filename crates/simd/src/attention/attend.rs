//! The inputs of an attention call, and what every kernel asks of them.

use super::Heads;
use super::block::Head;
use super::hidden::Hidden;
use crate::element::Element;
use crate::error::{Error, Result, expect_len};
use crate::isa::Isa;

/// What is attended to what.
#[derive(Debug, Clone, Copy)]
pub struct Attend<'a, T = f32> {
    /// Sizes of all that follows.
    pub heads: Heads,
    /// `[batch, heads, seq_q, head_dim]`
    pub query: &'a [T],
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub key: &'a [T],
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub value: &'a [T],
    /// Factor of the scores; `None`: 1 / √head_dim.
    pub scale: Option<f32>,
    /// Whether a query sees no key after its own position; the last query sees the last key.
    pub causal: bool,
    /// How many keys a query sees at most, the one at its own position included.
    pub window: Option<usize>,
    /// `[batch, seq_q, seq_kv]`, true where a key is hidden.
    pub mask: Option<&'a [bool]>,
    /// Instructions to use.
    pub isa: Isa,
}

impl<T: Element> Attend<'_, T> {
    /// Refuses sizes that make no sense, and inputs of other lengths.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check(&self) -> Result<()> {
        self.check_query()?;
        let Heads { batch, seq_q, seq_kv, .. } = self.heads;
        expect_len("key", &self.heads.key(), self.key.len())?;
        expect_len("value", &self.heads.key(), self.value.len())?;
        self.mask.map_or(Ok(()), |mask| expect_len("mask", &[batch, seq_q, seq_kv], mask.len()))
    }

    /// The same, for keys and values that lie elsewhere.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check_query(&self) -> Result<()> {
        self.heads.check()?;
        expect_len("query", &self.heads.query(), self.query.len())?;
        if self.window == Some(0) {
            let message = "a window of 0 keys shows nothing: leave it away or give 1 at least";
            return Err(Error::Shape(message.into()));
        }
        Ok(())
    }

    /// Factor of the scores.
    pub(super) fn scale(&self) -> f32 {
        self.scale.unwrap_or_else(|| 1.0 / (self.heads.head_dim as f32).sqrt())
    }

    /// What the queries of a sequence see.
    pub(super) fn hidden(&self, batch: usize) -> Hidden<'_> {
        let Heads { seq_q, seq_kv, .. } = self.heads;
        Hidden {
            causal: self.causal,
            window: self.window.map(|window| window.min(seq_q + seq_kv)),
            mask: self.mask.map(|mask| &mask[batch * seq_q * seq_kv..][..seq_q * seq_kv]),
            offset: seq_kv as isize - seq_q as isize,
        }
    }

    /// Query head `index` of all sequences' heads, with the key head that it shares; without a program.
    pub(super) fn head(&self, index: usize) -> Head<'_, T> {
        let Heads { heads, kv_heads, seq_q, seq_kv, head_dim, .. } = self.heads;
        let kv = index / (heads / kv_heads) * seq_kv * head_dim;
        Head {
            heads: &self.heads,
            query: &self.query[index * seq_q * head_dim..][..seq_q * head_dim],
            key: &self.key[kv..][..seq_kv * head_dim],
            value: &self.value[kv..][..seq_kv * head_dim],
            scale: self.scale() * std::f32::consts::LOG2_E,
            hidden: self.hidden(index / heads),
            program: None,
        }
    }
}
