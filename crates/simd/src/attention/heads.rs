//! The sizes of an attention call.

use crate::error::{Error, Result};

/// Sizes of queries `[batch, heads, seq_q, head_dim]` and of keys and values `[batch, kv_heads, seq_kv, head_dim]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Sequences.
    pub batch: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, each shared by `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Queries of a sequence.
    pub seq_q: usize,
    /// Keys and values of a sequence.
    pub seq_kv: usize,
    /// Numbers of one query, key or value.
    pub head_dim: usize,
}

impl Heads {
    /// The shape of queries and results.
    pub fn query(&self) -> [usize; 4] {
        [self.batch, self.heads, self.seq_q, self.head_dim]
    }

    /// The shape of keys, and of values.
    pub fn key(&self) -> [usize; 4] {
        [self.batch, self.kv_heads, self.seq_kv, self.head_dim]
    }

    /// Refuses sizes that make no sense together.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<()> {
        let Self { heads, kv_heads, head_dim, .. } = *self;
        if kv_heads == 0 || heads % kv_heads != 0 {
            return Err(Error::Shape(format!("{heads} query heads cannot share {kv_heads} key heads evenly")));
        }
        if head_dim == 0 {
            return Err(Error::Shape("head_dim is 0: there is nothing to attend with".into()));
        }
        Ok(())
    }
}
