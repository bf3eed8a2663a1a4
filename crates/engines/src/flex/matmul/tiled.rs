//! Our matrix multiplication.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::Tensor;

use super::burn_matmul::upload_pairs;
use crate::flex::attention::fused_engine;
use crate::flex::{TensorSubject, fused, open};

/// Hand-written for CPUs: packed factors, tiles in registers (Goto & van de Geijn, ACM TOMS 34, 2008).
pub struct Tiled;

impl Implementation for Tiled {
    fn name(&self) -> &'static str {
        "tiled"
    }

    fn workload(&self) -> &'static str {
        "matmul"
    }

    fn about(&self) -> &'static str {
        "hand-written: AVX-512, AVX2 or portable, packed and tiled (Goto & van de Geijn, ACM TOMS 34, 2008)"
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex"]
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        Support::of(&[DType::F32], dtype)
    }

    fn engine(&self, _device: &str) -> (String, String) {
        fused_engine()
    }

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = upload_pairs(setting, &device, inputs);
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, multiply)))
    }
}

fn multiply([left, right]: &[Tensor<2>; 2]) -> Result<Tensor<2>> {
    fused::matmul(left.clone(), right.clone())
}
