//! Contextual positions: sums of many gates, and what the kernel refuses.

use benchbook_core::{DType, Implementation, Support, Workload};
use benchbook_engines::flex::attention::contextual::ROWS;
use benchbook_engines::flex::fused::{Options, attention, contextual_attention};
use benchbook_workloads::attention::ContextualAttention;
use burn::tensor::{DType as BurnDType, Device, Distribution, Tensor};

use crate::common::{SEED, case, error, setting};

#[test]
fn hundreds_of_gates_are_added_up_well() {
    let sizes = [("heads", 2), ("kv_heads", 1), ("seq", 600), ("head_dim", 16), ("positions", 400)];
    let params = case(&ContextualAttention, &sizes);
    let posed = ContextualAttention.pose(&params).unwrap();
    let inputs = posed.inputs(SEED);
    for row in ROWS {
        for device in row.devices().into_iter().filter(|device| benchbook_engines::probe(device).is_none()) {
            for dtype in [DType::F64, DType::F32] {
                if row.supports(device, dtype, &params) == Support::Yes {
                    let error = error(&ContextualAttention, &row, &setting(device, dtype), &params, &inputs);
                    // A sum in `f32` is off by more than 1e-4; libtorch's, rounded to `f32` at the end, by 1e-5.
                    let bound = if dtype == DType::F32 { 4e-5 } else { posed.tolerance(dtype) };
                    assert!(error <= bound, "{} in {dtype} on {device}: {error:e}", row.name);
                }
            }
        }
    }
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

#[test]
fn an_embedding_of_zeros_adds_nothing() {
    let (query, key) = (random([1, 4, 20, 8]), random([1, 2, 30, 8]));
    let value = random([1, 2, 30, 8]);
    let none = Tensor::<2>::zeros([5, 8], &Device::flex());
    let found = contextual_attention(query.clone(), key.clone(), value.clone(), none, Some(0.4)).unwrap();
    let options = Options { causal: true, scale: Some(0.4), window: None };
    let wanted = attention(query, key, value, None, options).unwrap();
    assert!((found - wanted).abs().max().into_scalar::<f32>() < 1e-5);
}

#[test]
fn views_are_read_as_what_they_show() {
    // [batch, seq, heads, head_dim], as projections leave it, and a transposed embedding.
    let [query, key, value] = [9, 12, 12].map(|seq| random([2, seq, 4, 16]).swap_dims(1, 2));
    let embedding = random([16, 7]).transpose();
    let copied = [&query, &key, &value].map(|tensor| Tensor::<4>::from_data(tensor.to_data(), &Device::flex()));
    let same = Tensor::<2>::from_data(embedding.to_data(), &Device::flex());
    let seen = contextual_attention(query, key, value, embedding, None).unwrap();
    let [query, key, value] = copied;
    assert_eq!(seen.to_data(), contextual_attention(query, key, value, same, None).unwrap().to_data());
}

#[test]
fn what_does_not_fit_is_refused() {
    let (query, key) = (random([1, 4, 6, 8]), random([1, 2, 6, 8]));
    let asked = |key: &Tensor<4>, embedding: Tensor<2>| {
        let result = contextual_attention(query.clone(), key.clone(), key.clone(), embedding, None);
        result.unwrap_err().to_string()
    };
    for (message, part) in [
        (asked(&key, random([5, 7])), "the embedding is [5, 7], not [1 or more, 8]"),
        (asked(&key, random([0, 8])), "the embedding is [0, 8]"),
        (asked(&key, random([5, 8]).cast(BurnDType::F64)), "the embedding is F64"),
        (asked(&key, Tensor::ones([5, 8], &Device::flex().autodiff())), "track gradients"),
        (asked(&random([1, 3, 6, 8]), random([5, 8])), "4 query heads"),
    ] {
        assert!(message.contains(part), "{message}");
    }
}
