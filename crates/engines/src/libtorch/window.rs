//! Rotary positions and a window around `scaled_dot_product_attention`.

use benchbook_core::{DType, Inputs, Row, Setting};
use benchbook_workloads::attention::{WindowAttention, WindowAttentionParams};
use tch::{Kind, TchError, Tensor};

use super::array::{upload_attended, upload_numbers};
use super::implementation::{Call, row};
use super::subject::find;

/// What one writes in PyTorch (EN1): the rotation as operations on halves of each vector, the window as a boolean mask for
/// fused attention, made before timing, as angles are. Where the window hides nothing, `is_causal` takes the mask's place.
pub const SDPA_WINDOW: Row<WindowAttention> = row::<Window, 1>(
    "torch-sdpa",
    "libtorch's rotation by tensor operations, scaled_dot_product_attention with the window as a mask",
);

pub struct Window {
    query: Tensor,
    key: Tensor,
    value: Tensor,
    /// `[seq, head_dim / 2]`
    cos: Tensor,
    /// `[seq, head_dim / 2]`
    sin: Tensor,
    /// `[seq, seq]`, true where a key is seen: torch's meaning.
    keep: Option<Tensor>,
    grouped: bool,
}

impl Call<1> for Window {
    type Problem = WindowAttention;

    fn prepared(setting: &Setting, params: &WindowAttentionParams, inputs: &Inputs) -> Result<Self, TchError> {
        let [query, key, value] = upload_attended(setting, inputs)?;
        Ok(Self {
            query,
            key,
            value,
            cos: angles([params.seq, params.head_dim], setting.dtype, f64::cos)?,
            sin: angles([params.seq, params.head_dim], setting.dtype, f64::sin)?,
            keep: keep(params.seq as i64, params.window_size as i64)?,
            grouped: params.heads != params.kv_heads,
        })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        let Self { query, key, value, cos, sin, keep, grouped } = self;
        let (query, key) = (rotated(query, cos, sin)?, rotated(key, cos, sin)?);
        let causal = keep.is_none();
        Ok([Tensor::f_scaled_dot_product_attention(&query, &key, value, keep.as_ref(), 0.0, causal, None, *grouped)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["query", "key", "value"], &[&self.query, &self.key, &self.value], name)
    }
}

/// A function of the angles of positions, `[seq, head_dim / 2]`.
pub fn angles([seq, head_dim]: [usize; 2], dtype: DType, of: fn(f64) -> f64) -> Result<Tensor, TchError> {
    upload_numbers(crate::angles::angles([seq, head_dim], of), &[seq as i64, head_dim as i64 / 2], dtype)
}

/// Keys that are not later than the query, and less than the window earlier; nothing where that is causality alone.
fn keep(seq: i64, window: i64) -> Result<Option<Tensor>, TchError> {
    if window >= seq {
        return Ok(None);
    }
    let all = Tensor::f_ones([seq, seq], (Kind::Bool, tch::Device::Cpu))?;
    Ok(Some(all.f_tril(0)?.f_triu(1 - window)?))
}

/// Number i and number i + head_dim / 2 are a pair, as in GPT-NeoX and in LLaMA as Transformers has it.
pub fn rotated(tensor: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor, TchError> {
    let (_, half) = cos.size2()?;
    let (x, y) = (tensor.f_narrow(-1, 0, half)?, tensor.f_narrow(-1, half, half)?);
    let left = x.f_mul(cos)?.f_sub(&y.f_mul(sin)?)?;
    let right = y.f_mul(cos)?.f_add(&x.f_mul(sin)?)?;
    Tensor::f_cat(&[left, right], -1)
}
