//! Fused attention: the sizes and inputs of a call, and what every kernel asks of them.

mod backward;
mod block;
mod cache;
mod call;
mod coded;
mod coded_step;
mod contextual;
mod decode;
mod few;
mod grad_step;
mod hadamard;
mod isa;
mod latent;
mod projected;
mod projections;
mod score_mod;
mod step;
mod walk;

pub use backward::{Forward, Gradients, attention_backward};
pub use cache::{Cache, Paged};
pub use call::{attention, attention_with_score_mod, attention_with_sums};
pub use coded::{CodedCache, CodedKeys};
pub use coded_step::decode_coded;
pub use contextual::{Contextual, contextual_attention};
pub use decode::decode;
pub use hadamard::hadamard;
pub use latent::{LatentAttention, LatentMatrices, LatentSizes, LatentWeights, latent_attention};
pub use projected::{Projected, projected_attention};
pub use projections::{Projections, Weights};
pub use score_mod::{Place, ScoreMod, WithBlockMask};

use crate::error::{Error, Result, expect_len};
use crate::isa::Isa;
use crate::memory::Element;
use block::{Head, Hidden};

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
    fn check(&self) -> Result<()> {
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
    fn check_query(&self) -> Result<()> {
        self.heads.check()?;
        expect_len("query", &self.heads.query(), self.query.len())?;
        if self.window == Some(0) {
            let message = "a window of 0 keys shows nothing: leave it away or give 1 at least";
            return Err(Error::Shape(message.into()));
        }
        Ok(())
    }

    /// Factor of the scores.
    fn scale(&self) -> f32 {
        self.scale.unwrap_or_else(|| 1.0 / (self.heads.head_dim as f32).sqrt())
    }

    /// What the queries of a sequence see.
    fn hidden(&self, batch: usize) -> Hidden<'_> {
        let Heads { seq_q, seq_kv, .. } = self.heads;
        Hidden {
            causal: self.causal,
            window: self.window.map(|window| window.min(seq_q + seq_kv)),
            mask: self.mask.map(|mask| &mask[batch * seq_q * seq_kv..][..seq_q * seq_kv]),
            offset: seq_kv as isize - seq_q as isize,
            together: 1,
        }
    }

    /// Query head `index` of all sequences' heads, with the key head that it shares; without a score_mod.
    fn head(&self, index: usize) -> Head<'_, T> {
        let Heads { heads, kv_heads, seq_q, seq_kv, head_dim, .. } = self.heads;
        let kv = index / (heads / kv_heads) * seq_kv * head_dim;
        Head {
            heads: &self.heads,
            query: &self.query[index * seq_q * head_dim..][..seq_q * head_dim],
            key: &self.key[kv..][..seq_kv * head_dim],
            value: &self.value[kv..][..seq_kv * head_dim],
            of_value: [head_dim; 2],
            scale: self.scale() * std::f32::consts::LOG2_E,
            hidden: self.hidden(index / heads),
            score_mod: None,
        }
    }
}
