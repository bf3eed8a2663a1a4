//! `torch.mm`.

use benchbook_core::{Implementation, Inputs, Params, Result, Setting, Subject};
use tch::{TchError, Tensor};

use super::array::upload;
use super::subject::{TorchSubject, torch_error};
use super::version::engine;

/// `torch.mm` without burn in between (EN1).
pub struct Mm;

impl Implementation for Mm {
    fn name(&self) -> &'static str {
        "torch-mm"
    }

    fn workload(&self) -> &'static str {
        "matmul"
    }

    fn about(&self) -> &'static str {
        "libtorch 2.9.0 torch.mm, called without burn in between"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["EN1"]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["libtorch"]
    }

    fn engine(&self, _device: &str) -> (String, String) {
        engine()
    }

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let one = |_| Ok([upload(inputs.get("a"), setting.dtype)?, upload(inputs.get("b"), setting.dtype)?]);
        let copies: Result<Vec<_>, TchError> = (0..setting.copies).map(one).collect();
        let copies = copies.map_err(|error| torch_error(self.name(), &error))?;
        Ok(Box::new(TorchSubject::new(self.name(), copies, multiply)))
    }
}

fn multiply([a, b]: &[Tensor; 2]) -> Result<[Tensor; 1], TchError> {
    Ok([a.f_mm(b)?])
}
