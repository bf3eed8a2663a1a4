//! Matrix multiplication of your own.

use benchbook_core::{Inputs, Params, Setting};
use burn::tensor::{Device, Tensor};

use super::burn_matmul::upload_pairs;
use crate::flex::Custom;

/// An implementation of `matmul` from a function of `a` `[m, k]` and `b` `[k, n]` that gives `[m, n]`.
pub fn custom(
    name: &str,
    call: impl Fn(&Tensor<2>, &Tensor<2>) -> Tensor<2> + Send + Sync + 'static,
) -> Custom<[Tensor<2>; 2], 2> {
    Custom::new("matmul", name, upload, move |[a, b]| call(a, b))
}

fn upload(setting: &Setting, device: &Device, _params: &Params, inputs: &Inputs) -> Vec<[Tensor<2>; 2]> {
    upload_pairs(setting, device, inputs)
}
