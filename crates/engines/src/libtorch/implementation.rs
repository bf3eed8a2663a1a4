//! A function of torch tensors as an implementation.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use tch::TchError;

use super::mkl::DEVICES;
use super::subject::{Call, NamedInputs, TorchSubject, torch_error};
use super::version::engine;

/// PyTorch's own code for a workload, without burn in between (EN1): what it needs, made before timing, and the call.
pub struct Torch<I, const N: usize> {
    /// The name in plans, SQL and tables.
    pub name: &'static str,
    /// The workload it solves.
    pub workload: &'static str,
    /// What is called, in a line.
    pub about: &'static str,
    /// Whether it can take a case.
    pub supports: fn(DType, &Params) -> Support,
    /// What one call needs, on the device.
    pub inputs: fn(&Setting, &Params, &Inputs) -> Result<I, TchError>,
    /// The call.
    pub call: Call<I, N>,
}

impl<I: NamedInputs + 'static, const N: usize> Implementation for Torch<I, N> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn workload(&self) -> &'static str {
        self.workload
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["EN1"]
    }

    fn devices(&self) -> Vec<&'static str> {
        DEVICES.to_vec()
    }

    fn supports(&self, _device: &str, dtype: DType, params: &Params) -> Support {
        (self.supports)(dtype, params)
    }

    fn engine(&self, _device: &str) -> (String, String) {
        engine()
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let copies: Result<Vec<_>, _> = (0..setting.copies).map(|_| (self.inputs)(setting, params, inputs)).collect();
        let copies = copies.map_err(|error| torch_error(self.name, &setting.device, error))?;
        Ok(Box::new(TorchSubject::new(self.name, &setting.device, copies, self.call)))
    }
}

/// Takes every case.
pub fn any(_dtype: DType, _params: &Params) -> Support {
    Support::Yes
}
