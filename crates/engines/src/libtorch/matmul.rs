//! `torch.mm`.

use benchbook_core::{Inputs, Params, Setting};
use tch::{TchError, Tensor};

use super::array::upload;
use super::implementation::{Torch, any};
use super::subject::{NamedInputs, find};

/// `torch.mm` without burn in between (EN1).
pub const MM: Torch<[Tensor; 2], 1> = Torch {
    name: "torch-mm",
    workload: "matmul",
    about: "libtorch 2.9.0 torch.mm, called without burn in between",
    supports: any,
    inputs: prepared,
    call: multiply,
};

impl NamedInputs for [Tensor; 2] {
    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["a", "b"], &[&self[0], &self[1]], name)
    }
}

fn prepared(setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<[Tensor; 2], TchError> {
    Ok([upload(inputs.get("a"), setting.dtype)?, upload(inputs.get("b"), setting.dtype)?])
}

fn multiply([a, b]: &[Tensor; 2]) -> Result<[Tensor; 1], TchError> {
    Ok([a.f_mm(b)?])
}
