//! Attention by candle: by its operations, with the scores in memory, and by its flash attention for CPUs.

use benchbook_core::{DType, Inputs, Row, Support};
use benchbook_workloads::attention::{Attention, AttentionParams};
use candle_core::{Result, Tensor};
use candle_nn::attention::{AttnMask, flash_attn};
use candle_nn::ops::softmax_last_dim;

use super::call::{Call, find, row, upload};
use crate::hidden::penalties;

/// What candle's own models do on CPUs: product, mask, softmax, product. Every hidden position, causal ones included, is in one
/// array of −∞ that is added, made before timing.
pub const ATTENTION: Row<Attention> = row::<Composed>(
    "candle",
    "candle's matmul, softmax_last_dim and matmul, the scores in memory (arXiv 1706.03762, eq. 1)",
);

/// candle-nn's own, which keeps no scores. It wants heads behind positions: they are swapped in the call, as its models do.
pub const FLASH: Row<Attention> =
    row::<Flash>("candle-flash", "candle_nn::attention::flash_attn, on heads and positions in each other's place")
        .only(one);

/// Several sequences go another way inside of it, which aligns causality by itself.
fn one(_device: &str, _dtype: DType, params: &AttentionParams) -> Support {
    match params {
        AttentionParams { masked: true, .. } => Support::No("it is asked without a mask of its own".into()),
        AttentionParams { batch: 1, .. } => Support::Yes,
        AttentionParams { batch, .. } => Support::No(format!("written for one sequence, not for {batch}")),
    }
}

pub struct Composed {
    /// `[batch, heads, seq_q, head_dim]`
    query: Tensor,
    /// `[batch, kv_heads, seq_kv, head_dim]`
    key: Tensor,
    /// `[batch, kv_heads, seq_kv, head_dim]`
    value: Tensor,
    /// `[batch or 1, 1, seq_q, seq_kv]`
    added: Option<Tensor>,
    scale: f64,
    /// Query heads that share a key head.
    group: usize,
}

impl Call for Composed {
    type Problem = Attention;

    fn prepared(params: &AttentionParams, inputs: &Inputs) -> Result<Self> {
        let tensor = |name: &str| upload(inputs.get(name));
        let added = penalties(params, inputs).as_ref().map(upload).transpose()?;
        Ok(Self {
            query: tensor("query")?,
            key: tensor("key")?,
            value: tensor("value")?,
            added,
            scale: 1.0 / (params.head_dim as f64).sqrt(),
            group: params.heads / params.kv_heads,
        })
    }

    fn call(&self) -> Result<Tensor> {
        let (key, value) = (repeated(&self.key, self.group)?, repeated(&self.value, self.group)?);
        let scores = self.query.matmul(&key.t()?)?.affine(self.scale, 0.0)?;
        let scores = match &self.added {
            Some(added) => scores.broadcast_add(added)?,
            None => scores,
        };
        softmax_last_dim(&scores)?.matmul(&value)
    }

    fn input(&self, name: &str) -> Option<&Tensor> {
        find(&["query", "key", "value"], &[&self.query, &self.key, &self.value], name)
    }
}

/// Each head for the query heads that share it, as candle-transformers' `repeat_kv` has it.
fn repeated(tensor: &Tensor, group: usize) -> Result<Tensor> {
    if group == 1 {
        return Ok(tensor.clone());
    }
    let (batch, kv_heads, seq, head_dim) = tensor.dims4()?;
    Tensor::cat(&vec![tensor; group], 2)?.reshape((batch, kv_heads * group, seq, head_dim))
}

pub struct Flash {
    /// `[1, heads, seq_q, head_dim]`
    query: Tensor,
    /// `[1, kv_heads, seq_kv, head_dim]`
    key: Tensor,
    /// `[1, kv_heads, seq_kv, head_dim]`
    value: Tensor,
    scale: f32,
    /// Keys before the first query, where no query sees a later one.
    offset: Option<usize>,
}

impl Call for Flash {
    type Problem = Attention;

    fn prepared(params: &AttentionParams, inputs: &Inputs) -> Result<Self> {
        let tensor = |name: &str| upload(inputs.get(name));
        Ok(Self {
            query: tensor("query")?,
            key: tensor("key")?,
            value: tensor("value")?,
            scale: 1.0 / (params.head_dim as f32).sqrt(),
            offset: params.causal.then(|| params.seq_kv - params.seq_q),
        })
    }

    fn call(&self) -> Result<Tensor> {
        let [query, key, value] = [&self.query, &self.key, &self.value].map(|tensor| tensor.transpose(1, 2));
        let mask = self.offset.map_or(AttnMask::None, AttnMask::causal_with_offset);
        flash_attn::<f32>(&query?, &key?, &value?, self.scale, mask, None, None)
    }

    fn input(&self, name: &str) -> Option<&Tensor> {
        find(&["query", "key", "value"], &[&self.query, &self.key, &self.value], name)
    }
}
