//! The extension: what burn hands over, and what it gets back.

use std::sync::Arc;

use benchbook_simd::{Attend, Element, Forward, Gradients, Heads, Isa, Product, Rotary, ScoreMod, Tiles};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{BoolTensor, FloatTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::{DType, TensorData, bf16};
use rayon::prelude::*;

use super::{Options, Pages};

/// Operations that `flex` gets from `benchbook-simd`; shapes and dtypes were checked by the callers in `call`.
#[backend_extension(Flex)]
pub trait FusedOps: Backend {
    /// softmax(scale · Q Kᵀ) V of `[batch, heads, seq, head_dim]`.
    fn fused_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        options: Options,
    ) -> FloatTensor<Self>;

    /// The same with a mask `[batch, 1, seq_q, seq_kv]`, true where a key is hidden.
    fn fused_attention_masked(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        mask: BoolTensor<Self>,
        options: Options,
    ) -> FloatTensor<Self>;

    /// The same, with what a score_mod makes of each score.
    fn programmable_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        score_mod: Arc<dyn ScoreMod>,
        options: Options,
    ) -> FloatTensor<Self>;

    /// The same, with queries and keys turned by their positions first.
    fn rotary_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        rotary: Arc<Rotary>,
        options: Options,
    ) -> FloatTensor<Self>;

    /// Gradients of query, key and value, given that of the result: forward and backward.
    fn fused_attention_gradients(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: Options,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Attention of the last queries of each sequence to keys in blocks of a pool.
    fn paged_attention(
        query: FloatTensor<Self>,
        key_pool: FloatTensor<Self>,
        value_pool: FloatTensor<Self>,
        pages: Arc<Pages>,
        options: Options,
    ) -> FloatTensor<Self>;

    /// The product of `[m, k]` and `[k, n]`, in `f32` or `bf16` (computed in `f32`).
    fn tiled_matmul(left: FloatTensor<Self>, right: FloatTensor<Self>, tiles: Tiles) -> FloatTensor<Self>;
}

pub(super) type Given = FloatTensor<Flex>;

impl FusedOps for Flex {
    fn fused_attention(query: Given, key: Given, value: Given, options: Options) -> Given {
        attend([&query, &key, &value], None, None, options)
    }

    fn fused_attention_masked(
        query: Given,
        key: Given,
        value: Given,
        mask: BoolTensor<Self>,
        options: Options,
    ) -> Given {
        let mask = mask.to_contiguous();
        let (start, end) = mask.layout().contiguous_offsets().unwrap_or_default();
        let hidden = bytemuck::checked::try_cast_slice(&mask.storage::<u8>()[start..end]);
        let hidden = hidden.unwrap_or_else(|error| panic!("attention: a mask's byte is neither 0 nor 1: {error}"));
        attend([&query, &key, &value], Some(hidden), None, options)
    }

    fn programmable_attention(
        query: Given,
        key: Given,
        value: Given,
        score_mod: Arc<dyn ScoreMod>,
        options: Options,
    ) -> Given {
        attend([&query, &key, &value], None, Some(&*score_mod), options)
    }

    fn rotary_attention(query: Given, key: Given, value: Given, rotary: Arc<Rotary>, options: Options) -> Given {
        let [query, key, value] = [query, key, value].map(|tensor| tensor.to_contiguous());
        let call = call::<f32>(&query, &key, &value, None, options);
        let mut out = vec![0.0; call.query.len()];
        let done = benchbook_simd::rotary_attention(&call, &rotary, &mut out);
        done.unwrap_or_else(|error| panic!("rotary attention: {error}"));
        tensor(out, call.heads.query())
    }

    fn fused_attention_gradients(
        query: Given,
        key: Given,
        value: Given,
        grad: Given,
        options: Options,
    ) -> (Given, Given, Given) {
        let [query, key, value, grad] = [query, key, value, grad].map(|tensor| tensor.to_contiguous());
        let call = call(&query, &key, &value, None, options);
        let heads = call.heads;
        let (mut out, mut lse) = (vec![0.0; call.query.len()], vec![0.0; call.query.len() / heads.head_dim]);
        let forward = benchbook_simd::attention_with_sums(&call, &mut out, &mut lse);
        let [mut query_grad, mut key_grad, mut value_grad] =
            [call.query.len(), call.key.len(), call.value.len()].map(|length| vec![0.0; length]);
        let mut grads = Gradients { query: &mut query_grad, key: &mut key_grad, value: &mut value_grad };
        let left = Forward { out: &out, lse: &lse, grad: numbers(&grad) };
        let backward = forward.and_then(|()| benchbook_simd::attention_backward(&call, &left, &mut grads));
        backward.unwrap_or_else(|error| panic!("attention: {error}"));
        (tensor(query_grad, heads.query()), tensor(key_grad, heads.key()), tensor(value_grad, heads.key()))
    }

    fn paged_attention(query: Given, key_pool: Given, value_pool: Given, pages: Arc<Pages>, options: Options) -> Given {
        match query.dtype() {
            DType::BF16 => paged_as::<bf16>(&query, &key_pool, &value_pool, &pages, options),
            _ => paged_as::<f32>(&query, &key_pool, &value_pool, &pages, options),
        }
    }

    fn tiled_matmul(left: Given, right: Given, tiles: Tiles) -> Given {
        let (left, right) = (left.to_contiguous(), right.to_contiguous());
        let ([m, k], n) = (sizes(&left), sizes::<2>(&right)[1]);
        let multiplied = |left: &[f32], right: &[f32]| {
            let mut out = vec![0.0_f32; m * n];
            let product = Product { size: [m, k, n], left, right, isa: Isa::detect() };
            benchbook_simd::matmul_with(&product, tiles, &mut out).unwrap_or_else(|error| panic!("matmul: {error}"));
            out
        };
        if left.dtype() == DType::BF16 {
            let out = multiplied(&widened(&left), &widened(&right));
            return tensor(out.into_par_iter().map(bf16::from_f32).collect::<Vec<bf16>>(), [m, n]);
        }
        tensor(multiplied(numbers(&left), numbers(&right)), [m, n])
    }
}

/// The numbers of a contiguous tensor in `bf16`, each as the upper half of an `f32`.
fn widened(tensor: &Given) -> Vec<f32> {
    numbers::<bf16>(tensor).par_iter().map(|number| f32::from_bits(u32::from(number.to_bits()) << 16)).collect()
}

fn attend(inputs: [&Given; 3], mask: Option<&[bool]>, score_mod: Option<&dyn ScoreMod>, options: Options) -> Given {
    match inputs[0].dtype() {
        DType::BF16 => attend_as::<bf16>(inputs, mask, score_mod, options),
        _ => attend_as::<f32>(inputs, mask, score_mod, options),
    }
}

fn attend_as<T: Element + burn::tensor::Element + bytemuck::Pod>(
    inputs: [&Given; 3],
    mask: Option<&[bool]>,
    score_mod: Option<&dyn ScoreMod>,
    options: Options,
) -> Given {
    let [query, key, value] = inputs.map(|tensor| tensor.to_contiguous());
    let call = call::<T>(&query, &key, &value, mask, options);
    let mut out = vec![<T as bytemuck::Zeroable>::zeroed(); call.query.len()];
    let done = match score_mod {
        Some(score_mod) => benchbook_simd::attention_with_score_mod(&call, score_mod, &mut out),
        None => benchbook_simd::attention(&call, &mut out),
    };
    done.unwrap_or_else(|error| panic!("attention: {error}"));
    tensor(out, call.heads.query())
}

/// The call of contiguous tensors.
pub(super) fn call<'a, T: burn::tensor::Element + bytemuck::Pod>(
    query: &'a Given,
    key: &'a Given,
    value: &'a Given,
    mask: Option<&'a [bool]>,
    Options { scale, causal, window }: Options,
) -> Attend<'a, T> {
    let ([batch, heads, seq_q, head_dim], [_, kv_heads, seq_kv, _]) = (sizes(query), sizes(key));
    let heads = Heads { batch, heads, kv_heads, seq_q, seq_kv, head_dim };
    let [query, key, value] = [query, key, value].map(|tensor| numbers(tensor));
    Attend { heads, query, key, value, scale, causal, window, mask, isa: Isa::detect() }
}

fn paged_as<T: Element + burn::tensor::Element + bytemuck::Pod>(
    query: &Given,
    key_pool: &Given,
    value_pool: &Given,
    pages: &Pages,
    Options { scale, causal, window }: Options,
) -> Given {
    let [query, key_pool, value_pool] = [query, key_pool, value_pool].map(|tensor| tensor.to_contiguous());
    let (heads, cache) = pages.of(sizes(&query), sizes(&key_pool));
    let [query, key, value] = [&query, &key_pool, &value_pool].map(|tensor| numbers::<T>(tensor));
    let call = Attend { heads, query, key, value, scale, causal, window, mask: None, isa: Isa::detect() };
    let mut out = vec![<T as bytemuck::Zeroable>::zeroed(); query.len()];
    benchbook_simd::decode(&call, &cache, &mut out).unwrap_or_else(|error| panic!("paged attention: {error}"));
    tensor(out, heads.query())
}

pub(super) fn tensor<T: burn::tensor::Element, const D: usize>(numbers: Vec<T>, shape: [usize; D]) -> Given {
    Flex::float_from_data(TensorData::new(numbers, shape), &burn::backend::FlexDevice)
}

pub(super) fn sizes<const D: usize>(tensor: &Given) -> [usize; D] {
    std::array::from_fn(|axis| tensor.layout().shape()[axis])
}

/// The numbers of a contiguous tensor; none where it has another dtype, which the callers have ruled out.
pub(super) fn numbers<T: burn::tensor::Element + bytemuck::Pod>(tensor: &Given) -> &[T] {
    tensor.as_slice().unwrap_or_default()
}
