//! A function that gives three gradients, as a thing to time.

use std::hint::black_box;

use benchbook_core::{Error, HostArray, Result, Subject};
use burn::tensor::Tensor;

use super::GradientInputs;
use crate::tensor::download;

/// Gives the gradients of query, key and value.
type Call = fn(&GradientInputs) -> Result<[Tensor<4>; 3]>;

/// Calls a function on copies of its inputs in turn and keeps the last gradients.
pub struct GradientSubject {
    implementation: &'static str,
    device: String,
    inputs: Vec<GradientInputs>,
    next: usize,
    call: Call,
    output: Option<Result<[Tensor<4>; 3]>>,
}

impl GradientSubject {
    pub fn new(implementation: &'static str, device: &str, inputs: Vec<GradientInputs>, call: Call) -> Self {
        Self { implementation, device: device.to_owned(), inputs, next: 0, call, output: None }
    }

    fn error(&self, reason: String) -> Error {
        Error::Implementation { implementation: self.implementation.into(), device: self.device.clone(), reason }
    }
}

impl Subject for GradientSubject {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            self.output = Some(black_box((self.call)(black_box(&self.inputs[self.next]))));
            self.next = (self.next + 1) % self.inputs.len();
        }
    }

    fn sync(&mut self) -> Result<()> {
        let device = self.inputs[self.next].grad.device();
        device.sync().map_err(|error| self.error(format!("the device reports a failure: {error:?}")))
    }

    fn allocates_in_rust(&self) -> bool {
        self.device == "flex"
    }

    fn output(&mut self) -> Result<HostArray> {
        let gradients = match &self.output {
            None => return Err(self.error("nothing has run yet".into())),
            Some(Err(error)) => return Err(self.error(error.to_string())),
            Some(Ok(gradients)) => gradients.clone(),
        };
        let width = gradients[0].dims()[3];
        let mut data = Vec::new();
        for gradient in gradients {
            data.extend(download(gradient).map_err(|reason| self.error(reason))?.data);
        }
        Ok(HostArray::new(vec![data.len() / width, width], data))
    }
}
