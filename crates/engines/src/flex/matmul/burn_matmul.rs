//! burn's matrix multiplication.

use benchbook_core::{Implementation, Inputs, Params, Result, Setting, Subject};
use benchbook_simd::Isa;
use burn::tensor::{Device, Tensor};

use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::upload;
use crate::flex::{CPU_DEVICES, TensorSubject, open};

/// `Tensor::matmul`: the gemm crate on `flex`, libtorch's BLAS on `libtorch`.
pub struct Burn;

/// The engine behind one of burn's devices and its version; behind it the instructions of its products, where it chooses
/// them as our own kernels do (gemm-common 0.19, `init_gemm_fn`).
pub fn burn_engine(device: &str) -> (String, String) {
    match device {
        "flex" if cfg!(target_arch = "x86_64") => {
            ("burn-flex".to_owned(), format!("0.22.1 gemm {}", Isa::detect().name()))
        }
        "flex" => ("burn-flex".to_owned(), "0.22.1".to_owned()),
        _ => ("burn-tch".to_owned(), "0.22.1".to_owned()),
    }
}

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

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = upload_pairs(setting, &device, inputs);
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, multiply)))
    }
}

impl NamedInputs for [Tensor<2>; 2] {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        find(&["a", "b"], self, name)
    }
}

/// `setting.copies` copies of `a` and `b` on `device`, each in memory of its own.
pub(super) fn upload_pairs(setting: &Setting, device: &Device, inputs: &Inputs) -> Vec<[Tensor<2>; 2]> {
    (0..setting.copies).map(|_| ["a", "b"].map(|name| upload::<2>(inputs.get(name), device, setting.dtype))).collect()
}

fn multiply([a, b]: &[Tensor<2>; 2]) -> Tensor<2> {
    a.clone().matmul(b.clone())
}
