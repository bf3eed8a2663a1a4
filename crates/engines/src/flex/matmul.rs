//! Matrix multiplication: burn's, ours, and your own.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::{Device, Tensor};

use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::upload;
use crate::flex::{CPU_DEVICES, Custom, TensorSubject, burn_engine, fused, fused_engine, open};

/// `Tensor::matmul`: the gemm crate on `flex`, libtorch's BLAS on `libtorch`.
pub struct Burn;

impl Implementation for Burn {
    fn name(&self) -> &'static str {
        "burn"
    }

    fn workload(&self) -> &'static str {
        "matmul"
    }

    fn about(&self) -> &'static str {
        "Tensor::matmul: the gemm crate 0.19 on flex, libtorch's BLAS on libtorch"
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    fn engine(&self, device: &str) -> (String, String) {
        burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = upload_pairs(setting, &device, params, inputs);
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, by_burn)))
    }
}

impl NamedInputs for [Tensor<2>; 2] {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        find(&["a", "b"], self, name)
    }
}

/// `setting.copies` copies of `a` and `b` on `device`, each in memory of its own.
fn upload_pairs(setting: &Setting, device: &Device, _params: &Params, inputs: &Inputs) -> Vec<[Tensor<2>; 2]> {
    (0..setting.copies).map(|_| ["a", "b"].map(|name| upload::<2>(inputs.get(name), device, setting.dtype))).collect()
}

fn by_burn([a, b]: &[Tensor<2>; 2]) -> Tensor<2> {
    a.clone().matmul(b.clone())
}

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

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = upload_pairs(setting, &device, params, inputs);
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, by_hand)))
    }
}

fn by_hand([left, right]: &[Tensor<2>; 2]) -> Result<Tensor<2>> {
    fused::matmul(left.clone(), right.clone())
}

/// An implementation of `matmul` from a function of `a` `[m, k]` and `b` `[k, n]` that gives `[m, n]`.
pub fn custom(
    name: &str,
    call: impl Fn(&Tensor<2>, &Tensor<2>) -> Tensor<2> + Send + Sync + 'static,
) -> Custom<[Tensor<2>; 2], 2> {
    Custom::new("matmul", name, upload_pairs, move |[a, b]| call(a, b))
}
