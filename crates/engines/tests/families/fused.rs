//! Our operations on burn's tensors: what they refuse, and tensors that do not lie as they are read.

use benchbook_engines::flex::fused::{Options, attention, matmul};
use burn::tensor::{Bool, DType, Device, Distribution, Tensor};

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn largest<const D: usize>(tensor: Tensor<D>) -> f32 {
    tensor.abs().max().into_scalar::<f32>()
}

#[test]
fn what_does_not_fit_is_refused_with_the_shapes() {
    let (query, key) = (random([2, 4, 8, 16]), random([2, 4, 6, 16]));
    let refused = |query: &Tensor<4>, key: &Tensor<4>, value: &Tensor<4>, options: Options| {
        attention(query.clone(), key.clone(), value.clone(), None, options).unwrap_err().to_string()
    };
    let plain = Options::default();
    let narrow = random([2, 4, 6, 8]);
    for (message, parts) in [
        (refused(&query, &narrow, &narrow, plain), ["[2, 4, 8, 16]", "[2, 4, 6, 8]"]),
        (refused(&query, &key, &random([2, 4, 7, 16]), plain), ["[2, 4, 6, 16]", "[2, 4, 7, 16]"]),
        (refused(&query, &random([2, 3, 6, 16]), &random([2, 3, 6, 16]), plain), ["4 query heads", "3 key heads"]),
        (refused(&query, &key, &key, Options { window: Some(0), ..plain }), ["window of 0", "[2, 4, 8, 16]"]),
        (refused(&query.clone().cast(DType::F64), &key, &key, plain), ["F64", "[F32, BF16]"]),
    ] {
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let mask = Tensor::<4, Bool>::full([2, 1, 8, 5], true, &Device::flex());
    let message = attention(query.clone(), key.clone(), key.clone(), Some(mask), plain).unwrap_err().to_string();
    assert!(message.contains("[2, 1, 8, 5]") && message.contains("[2, 1, 8, 6]"), "{message}");
    let message = matmul(random([3, 4]), random([5, 6])).unwrap_err().to_string();
    assert!(message.contains("[3, 4]") && message.contains("[5, 6]"), "{message}");
    let message = matmul(random([3, 4]), random([4, 6]).cast(DType::BF16)).unwrap_err().to_string();
    assert!(message.contains("BF16"), "{message}");
    let tracked = Tensor::<2>::ones([4, 6], &Device::flex().autodiff());
    let message = matmul(tracked.clone(), tracked.transpose()).unwrap_err().to_string();
    assert!(message.contains("track gradients"), "{message}");
}

#[test]
fn views_are_read_as_what_they_show() {
    // [batch, seq, heads, head_dim], as projections leave it.
    let [query, key, value] = [9, 12, 12].map(|seq| random([2, seq, 4, 16]).swap_dims(1, 2));
    let copied = [&query, &key, &value].map(|tensor| Tensor::<4>::from_data(tensor.to_data(), &Device::flex()));
    let options = Options { causal: true, window: Some(5), scale: Some(0.3) };
    let seen = attention(query, key, value, None, options).unwrap();
    let [query, key, value] = copied;
    assert_eq!(seen.to_data(), attention(query, key, value, None, options).unwrap().to_data());

    let (left, right) = (random([30, 20]), random([30, 20]));
    let product = matmul(left.clone().transpose(), right.clone()).unwrap();
    let burn = left.transpose().matmul(right);
    assert!(largest(product - burn) < 1e-4);
}

#[test]
fn a_product_in_bf16_is_that_in_f32_rounded() {
    let [left, right] = [random([30, 20]), random([20, 40])].map(|one| one.cast(DType::BF16));
    let product = matmul(left.clone(), right.clone()).unwrap();
    assert_eq!((product.dims(), product.dtype()), ([30, 40], DType::BF16));
    let wide = matmul(left.cast(DType::F32), right.cast(DType::F32)).unwrap();
    assert_eq!(product.to_data(), wide.clone().cast(DType::BF16).to_data());
    assert!(largest(product.cast(DType::F32) - wide) > 0.0, "sums of twenty have more digits than bf16 holds");
}

#[test]
fn nothing_and_everything_hidden_are_defined() {
    let empty = attention(random([1, 2, 0, 8]), random([1, 2, 4, 8]), random([1, 2, 4, 8]), None, Options::default());
    assert_eq!(empty.unwrap().dims(), [1, 2, 0, 8]);
    let no_keys = attention(random([1, 2, 5, 8]), random([1, 2, 0, 8]), random([1, 2, 0, 8]), None, Options::default());
    assert_eq!(largest(no_keys.unwrap()), 0.0, "a query that sees no key gets zeros");
    let mask = Tensor::<4, Bool>::full([1, 1, 5, 4], true, &Device::flex());
    let (query, key) = (random([1, 2, 5, 8]), random([1, 2, 4, 8]));
    let hidden = attention(query, key.clone(), key, Some(mask), Options::default()).unwrap();
    assert_eq!(largest(hidden), 0.0);
    assert_eq!(matmul(random([3, 0]), random([0, 2])).unwrap().dims(), [3, 2]);
}
