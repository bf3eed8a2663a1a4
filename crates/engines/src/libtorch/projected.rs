//! Attention with its projections: products around `scaled_dot_product_attention`.

use benchbook_core::{Implementation, Inputs, Params, Result, Setting, Subject};
use tch::{TchError, Tensor};

use super::array::upload;
use super::subject::{TorchSubject, torch_error};
use super::version::engine;

/// What one writes in PyTorch (EN1): one product for queries, keys and values with their weights side by side, as
/// `torch.nn.MultiheadAttention` has them, views of it as heads, fused attention, one product.
///
/// Weights are put side by side before timing.
pub struct SdpaProjected;

struct Call {
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

impl Implementation for SdpaProjected {
    fn name(&self) -> &'static str {
        "torch-sdpa"
    }

    fn workload(&self) -> &'static str {
        "projected-attention"
    }

    fn about(&self) -> &'static str {
        "libtorch 2.9.0 matmul for q, k and v at once, scaled_dot_product_attention, matmul, without burn in between"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["EN1"]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["libtorch"]
    }

    fn engine(&self, _device: &str) -> (String, String) {
        engine()
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let one = |_| {
            let tensor = |name: &str| upload(inputs.get(name), setting.dtype);
            let weights = [tensor("w_query")?, tensor("w_key")?, tensor("w_value")?];
            Ok(Call {
                input: tensor("input")?,
                weights: Tensor::f_cat(&weights, 1)?,
                out: tensor("w_out")?,
                heads: params.int("heads"),
                kv_heads: params.int("kv_heads"),
                causal: params.flag("causal"),
            })
        };
        let calls: Result<Vec<_>, TchError> = (0..setting.copies).map(one).collect();
        let calls = calls.map_err(|error| torch_error(self.name(), &error))?;
        Ok(Box::new(TorchSubject::new(self.name(), calls, attend)))
    }
}

fn attend(call: &Call) -> Result<[Tensor; 1], TchError> {
    let Call { input, weights, out, heads, kv_heads, causal } = call;
    let (batch, seq, hidden) = input.size3()?;
    let head_dim = hidden / heads;
    let all = input.f_matmul(weights)?.f_reshape([batch, seq, heads + 2 * kv_heads, head_dim])?.f_transpose(1, 2)?;
    let (query, key) = (all.f_narrow(1, 0, *heads)?, all.f_narrow(1, *heads, *kv_heads)?);
    let value = all.f_narrow(1, heads + kv_heads, *kv_heads)?;
    let (mask, grouped) = (None::<Tensor>, heads != kv_heads);
    let attended = Tensor::f_scaled_dot_product_attention(&query, &key, &value, mask, 0.0, *causal, None, grouped)?;
    let together = attended.f_transpose(1, 2)?.f_reshape([batch, seq, hidden])?;
    Ok([together.f_matmul(out)?])
}
