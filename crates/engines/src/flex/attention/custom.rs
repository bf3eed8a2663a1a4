//! Attention of your own.

use burn::tensor::Tensor;

use super::AttentionInputs;
use crate::flex::Custom;

/// An implementation of `attention` from a function that gives `[batch, heads, seq_q, head_dim]`.
///
/// The function must respect `mask` (true hides a key) and `causal` (aligned to the bottom right), and may meet
/// fewer heads in `key` and `value` than in `query`: its output is compared with the reference like any other.
pub fn custom(
    name: &str,
    call: impl Fn(&AttentionInputs) -> Tensor<4> + Send + Sync + 'static,
) -> Custom<AttentionInputs, 4> {
    Custom::new("attention", name, AttentionInputs::upload, call)
}
