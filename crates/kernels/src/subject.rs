//! A burn function as a thing to time.

use std::hint::black_box;

use benchbook_core::{Error, HostArray, Result, Subject};
use burn::tensor::{Device, Tensor};

use crate::tensor::download;

/// Calls a function of burn tensors on copies of its inputs in turn and keeps the last results, `N` of them.
pub struct TensorSubject<I, const D: usize, const N: usize = 1> {
    implementation: &'static str,
    device_name: String,
    device: Device,
    inputs: Vec<I>,
    next: usize,
    call: Box<dyn Fn(&I) -> [Tensor<D>; N]>,
    output: Option<[Tensor<D>; N]>,
}

impl<I, const D: usize> TensorSubject<I, D> {
    /// A subject that calls `call` on each of `inputs` in turn, on `device`.
    pub fn new(
        implementation: &'static str,
        device_name: &str,
        device: Device,
        inputs: Vec<I>,
        call: impl Fn(&I) -> Tensor<D> + 'static,
    ) -> Self {
        Self::of(implementation, device_name, device, inputs, Box::new(move |input: &I| [call(input)]))
    }

    /// The same for a function that may refuse its inputs: the first one is tried here, so that what is wrong with shapes is
    /// said before anything is timed.
    ///
    /// # Errors
    /// What `call` says of the first input.
    pub fn checked(
        implementation: &'static str,
        device_name: &str,
        device: Device,
        inputs: Vec<I>,
        call: impl Fn(&I) -> Result<Tensor<D>> + 'static,
    ) -> Result<Self> {
        Self::several(implementation, device_name, device, inputs, move |input: &I| Ok([call(input)?]))
    }
}

impl<I, const D: usize, const N: usize> TensorSubject<I, D, N> {
    /// As [`TensorSubject::checked`], for a function that gives several tensors, which the host reads one after another as
    /// rows of the last axis.
    ///
    /// # Errors
    /// What `call` says of the first input.
    pub fn several(
        implementation: &'static str,
        device_name: &str,
        device: Device,
        inputs: Vec<I>,
        call: impl Fn(&I) -> Result<[Tensor<D>; N]> + 'static,
    ) -> Result<Self> {
        inputs.first().map(&call).transpose()?;
        let call = move |input: &I| call(input).unwrap_or_else(|error| panic!("{error}"));
        Ok(Self::of(implementation, device_name, device, inputs, Box::new(call)))
    }

    fn of(
        implementation: &'static str,
        device_name: &str,
        device: Device,
        inputs: Vec<I>,
        call: Box<dyn Fn(&I) -> [Tensor<D>; N]>,
    ) -> Self {
        let device_name = device_name.to_owned();
        Self { implementation, device_name, device, inputs, next: 0, call, output: None }
    }

    fn error(&self, reason: String) -> Error {
        Error::Implementation { implementation: self.implementation.into(), device: self.device_name.clone(), reason }
    }
}

impl<I, const D: usize, const N: usize> Subject for TensorSubject<I, D, N> {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            self.output = Some(black_box((self.call)(black_box(&self.inputs[self.next]))));
            self.next = if self.next + 1 == self.inputs.len() { 0 } else { self.next + 1 };
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.device.sync().map_err(|error| self.error(format!("the device reports a failure: {error:?}")))
    }

    fn allocates_in_rust(&self) -> bool {
        self.device == Device::flex()
    }

    fn output(&mut self) -> Result<HostArray> {
        let outputs = self.output.clone().ok_or_else(|| self.error("nothing has run yet".into()))?;
        if let Some(strange) = outputs.iter().map(Tensor::device).find(|device| *device != self.device) {
            return Err(self.error(format!("the result lies on {strange:?}, not on {:?}", self.device)));
        }
        let parts: Result<_, String> = outputs.into_iter().map(download).collect();
        Ok(HostArray::stacked(parts.map_err(|reason| self.error(reason))?))
    }
}
