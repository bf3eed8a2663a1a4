//! A function of yours as an implementation, beside the library's.

use std::sync::Arc;

use benchbook_core::{DType, Implementation, Inputs, Parameters, Params, Problem, Result, Setting, Subject, Support};
use burn::tensor::Tensor;

use crate::flex::subject::{NamedInputs, prepare};
use crate::flex::tensor::Target;
use crate::flex::{CPU_DEVICES, burn_engine};

/// Puts one copy of the inputs of `P` on a device.
type Upload<P, I> = fn(&Target, &<P as Problem>::Params, &Inputs) -> Result<I>;

/// An implementation of `P` that calls a function of burn tensors on inputs of type `I`.
pub struct Custom<P: Problem, I, const D: usize> {
    name: &'static str,
    upload: Upload<P, I>,
    call: Arc<dyn Fn(&I) -> Tensor<D> + Send + Sync>,
}

impl<P: Problem, I, const D: usize> Custom<P, I, D> {
    /// An implementation called `name`.
    pub(crate) fn new(
        name: &str,
        upload: Upload<P, I>,
        call: impl Fn(&I) -> Tensor<D> + Send + Sync + 'static,
    ) -> Self {
        // Names live as long as the process, as those of the library do; a notebook has few.
        Self { name: Box::leak(name.into()), upload, call: Arc::new(call) }
    }
}

impl<P: Problem, I: NamedInputs + 'static, const D: usize> Implementation for Custom<P, I, D> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn workload(&self) -> &'static str {
        P::NAME
    }

    fn about(&self) -> &'static str {
        "a function given by the user"
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        Support::of(&DType::FLOATS, dtype)
    }

    fn engine(&self, device: &str) -> (String, String) {
        burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let (params, call) = (P::Params::read(P::NAME, params)?, Arc::clone(&self.call));
        prepare(self.name, setting, &params, inputs, self.upload, move |inputs: &I| Ok([call(inputs)]))
    }
}
