//! A function of yours as an implementation, beside the library's.

use std::sync::Arc;

use benchbook_core::{Implementation, Inputs, Params, Result, Setting, Subject};
use burn::tensor::{Device, Tensor};

use crate::flex::subject::NamedInputs;
use crate::flex::{CPU_DEVICES, TensorSubject, burn_engine, open};

/// Puts `copies` copies of a workload's inputs on a device.
type Upload<I> = fn(&Setting, &Device, &Params, &Inputs) -> Vec<I>;

/// An implementation that calls a function of burn tensors on inputs of type `I`.
pub struct Custom<I, const D: usize> {
    name: &'static str,
    workload: &'static str,
    upload: Upload<I>,
    call: Arc<dyn Fn(&I) -> Tensor<D> + Send + Sync>,
}

impl<I, const D: usize> Custom<I, D> {
    /// An implementation of `workload` called `name`.
    pub(crate) fn new(
        workload: &'static str,
        name: &str,
        upload: Upload<I>,
        call: impl Fn(&I) -> Tensor<D> + Send + Sync + 'static,
    ) -> Self {
        // Names live as long as the process, as those of the library do; a notebook has few.
        Self { name: Box::leak(name.into()), workload, upload, call: Arc::new(call) }
    }
}

impl<I: NamedInputs + 'static, const D: usize> Implementation for Custom<I, D> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn workload(&self) -> &'static str {
        self.workload
    }

    fn about(&self) -> &'static str {
        "a function given by the user"
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    fn engine(&self, device: &str) -> (String, String) {
        burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = (self.upload)(setting, &device, params, inputs);
        let call = Arc::clone(&self.call);
        Ok(Box::new(TensorSubject::new(self.name, &setting.device, device, copies, move |inputs| call(inputs))))
    }
}
