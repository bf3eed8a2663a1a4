//! A torch call as a thing to time.

use std::hint::black_box;

use benchbook_core::{Error, HostArray, Result, Subject};
use tch::{Device, TchError, Tensor};

use super::array::download;

/// Calls a function of torch tensors on copies of its inputs in turn and keeps the last result.
pub struct TorchSubject<I> {
    implementation: &'static str,
    inputs: Vec<I>,
    next: usize,
    call: fn(&I) -> Result<Tensor, TchError>,
    output: Option<Result<Tensor, TchError>>,
}

/// An error of an implementation on libtorch.
pub fn torch_error(implementation: &str, error: &TchError) -> Error {
    Error::Implementation {
        implementation: implementation.into(),
        device: "libtorch".into(),
        reason: error.to_string(),
    }
}

impl<I> TorchSubject<I> {
    /// A subject that calls `call` on each of `inputs` in turn, without recording gradients.
    pub fn new(implementation: &'static str, inputs: Vec<I>, call: fn(&I) -> Result<Tensor, TchError>) -> Self {
        Self { implementation, inputs, next: 0, call, output: None }
    }
}

impl<I> Subject for TorchSubject<I> {
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

    fn output(&mut self) -> Result<HostArray> {
        let wrong = |reason: &str| Error::Implementation {
            implementation: self.implementation.into(),
            device: "libtorch".into(),
            reason: reason.into(),
        };
        match &self.output {
            None => Err(wrong("nothing has run yet")),
            Some(Err(error)) => Err(torch_error(self.implementation, error)),
            Some(Ok(output)) if output.device() != Device::Cpu => Err(wrong("the result does not lie on the CPU")),
            Some(Ok(output)) => download(output).map_err(|error| torch_error(self.implementation, &error)),
        }
    }
}
