//! Attention with its projections: products around `scaled_dot_product_attention`.

use benchbook_core::{Inputs, Row, Setting};
use benchbook_workloads::attention::{ProjectedAttention, ProjectedAttentionParams};
use tch::{TchError, Tensor};

use super::array::upload;
use super::implementation::{Call, row};
use super::subject::find;

/// What one writes in PyTorch (EN1): one product for queries, keys and values with their weights side by side, as
/// `torch.nn.MultiheadAttention` has them, views of it as heads, fused attention, one product.
///
/// Weights are put side by side before timing.
pub const SDPA_PROJECTED: Row<ProjectedAttention> = row::<Projected, 1>(
    "torch-sdpa",
    "libtorch's matmul for q, k and v at once, scaled_dot_product_attention, matmul, without burn in between",
);

pub struct Projected {
    /// `[batch, seq, hidden]`
    input: Tensor,
    /// `[hidden, (heads + 2 · kv_heads) · head_dim]`
    weights: Tensor,
    /// `[heads · head_dim, hidden]`
    out: Tensor,
    heads: i64,
    kv_heads: i64,
    causal: bool,
}

impl Call<1> for Projected {
    type Problem = ProjectedAttention;

    fn prepared(setting: &Setting, params: &ProjectedAttentionParams, inputs: &Inputs) -> Result<Self, TchError> {
        let tensor = |name: &str| upload(inputs.get(name), setting.dtype);
        let weights = [tensor("w_query")?, tensor("w_key")?, tensor("w_value")?];
        Ok(Self {
            input: tensor("input")?,
            weights: Tensor::f_cat(&weights, 1)?,
            out: tensor("w_out")?,
            heads: params.heads as i64,
            kv_heads: params.kv_heads as i64,
            causal: params.causal,
        })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        let Self { input, weights, out, heads, kv_heads, causal } = self;
        let (batch, seq, hidden) = input.size3()?;
        let head_dim = hidden / heads;
        let all =
            input.f_matmul(weights)?.f_reshape([batch, seq, heads + 2 * kv_heads, head_dim])?.f_transpose(1, 2)?;
        let (query, key) = (all.f_narrow(1, 0, *heads)?, all.f_narrow(1, *heads, *kv_heads)?);
        let value = all.f_narrow(1, heads + kv_heads, *kv_heads)?;
        let (mask, grouped) = (None::<Tensor>, heads != kv_heads);
        let attended = Tensor::f_scaled_dot_product_attention(&query, &key, &value, mask, 0.0, *causal, None, grouped)?;
        let together = attended.f_transpose(1, 2)?.f_reshape([batch, seq, hidden])?;
        Ok([together.f_matmul(out)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        let (all, one) = (self.heads + 2 * self.kv_heads, self.weights.size()[1]);
        let columns = |from: i64, heads: i64| self.weights.narrow(1, from * one / all, heads * one / all);
        match name {
            "w_query" => Some(columns(0, self.heads)),
            "w_key" => Some(columns(self.heads, self.kv_heads)),
            "w_value" => Some(columns(self.heads + self.kv_heads, self.kv_heads)),
            _ => find(&["input", "w_out"], &[&self.input, &self.out], name),
        }
    }
}
