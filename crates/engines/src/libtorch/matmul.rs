//! `torch.mm`.

use benchbook_core::{Inputs, Row, Setting};
use benchbook_workloads::matmul::{Matmul, MatmulParams};
use tch::{TchError, Tensor};

use super::array::upload;
use super::implementation::{Call, row};
use super::subject::find;

/// `torch.mm` without burn in between (EN1).
pub const MM: Row<Matmul> = row::<[Tensor; 2], 1>("torch-mm", "libtorch's torch.mm, called without burn in between");

impl Call<1> for [Tensor; 2] {
    type Problem = Matmul;

    fn prepared(setting: &Setting, _params: &MatmulParams, inputs: &Inputs) -> Result<Self, TchError> {
        Ok([upload(inputs.get("a"), setting.dtype)?, upload(inputs.get("b"), setting.dtype)?])
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        Ok([self[0].f_mm(&self[1])?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["a", "b"], &[&self[0], &self[1]], name)
    }
}
