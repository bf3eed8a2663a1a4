//! A torch call as a thing to time.

use std::hint::black_box;

use benchbook_core::{Error, HostArray, Result, Subject};
use tch::{Device, TchError, Tensor};

use super::array::download;

/// Calls a function of torch tensors on copies of its inputs in turn and keeps the last results, `N` of them.
pub struct TorchSubject<I, const N: usize> {
    implementation: &'static str,
    inputs: Vec<I>,
    next: usize,
    call: Call<I, N>,
    output: Option<Result<[Tensor; N], TchError>>,
}

/// Gives `N` results, which the host reads as one array: as it is where it is one, else rows one after another.
pub type Call<I, const N: usize> = fn(&I) -> Result<[Tensor; N], TchError>;

/// An error of an implementation on libtorch.
pub fn torch_error(implementation: &str, error: &TchError) -> Error {
    Error::Implementation {
        implementation: implementation.into(),
        device: "libtorch".into(),
        reason: error.to_string(),
    }
}

impl<I, const N: usize> TorchSubject<I, N> {
    /// A subject that calls `call` on each of `inputs` in turn, without recording gradients.
    pub fn new(implementation: &'static str, inputs: Vec<I>, call: Call<I, N>) -> Self {
        Self { implementation, inputs, next: 0, call, output: None }
    }
}

impl<I, const N: usize> Subject for TorchSubject<I, N> {
    fn run(&mut self, iterations: u64) {
        let _no_gradients = tch::no_grad_guard();
        for _ in 0..iterations {
            self.output = Some(black_box((self.call)(black_box(&self.inputs[self.next]))));
            self.next = if self.next + 1 == self.inputs.len() { 0 } else { self.next + 1 };
        }
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn allocates_in_rust(&self) -> bool {
        false
    }

    fn output(&mut self) -> Result<HostArray> {
        let wrong = |reason: &str| Error::Implementation {
            implementation: self.implementation.into(),
            device: "libtorch".into(),
            reason: reason.into(),
        };
        match &self.output {
            None => Err(wrong("nothing has run yet")),
            Some(Err(error)) => Err(torch_error(self.implementation, error)),
            Some(Ok(outputs)) if outputs.iter().any(|output| output.device() != Device::Cpu) => {
                Err(wrong("the result does not lie on the CPU"))
            }
            Some(Ok(outputs)) => {
                let parts: Result<_, TchError> = outputs.iter().map(download).collect();
                Ok(HostArray::stacked(parts.map_err(|error| torch_error(self.implementation, &error))?))
            }
        }
    }
}
