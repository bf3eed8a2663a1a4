//! A torch call as a thing to time.

use std::fmt::Display;
use std::hint::black_box;

use benchbook_core::{Error, HostArray, Result, Subject};
use tch::{Device, TchError, Tensor};

use super::array::download;

/// Calls a function of torch tensors on copies of its inputs in turn and keeps the last results, `N` of them.
pub struct TorchSubject<I, const N: usize> {
    implementation: &'static str,
    device: String,
    inputs: Vec<I>,
    next: usize,
    call: Call<I, N>,
    output: Option<[Tensor; N]>,
    failure: Option<TchError>,
}

/// Inputs of a call, each under the name that its workload gives it.
pub trait NamedInputs {
    /// The input called `name`, or a view of it, where the call takes it as it is.
    fn input(&self, name: &str) -> Option<Tensor>;
}

/// A second handle on the tensor of that name.
pub fn find(names: &[&str], tensors: &[&Tensor], name: &str) -> Option<Tensor> {
    let found = names.iter().zip(tensors).find(|(known, _)| **known == name);
    found.map(|(_, tensor)| tensor.shallow_clone())
}

/// Overwrites whole rows of the last axis, `first` and what follows, in place.
fn overwrite(tensor: &Tensor, first: usize, values: &[f32]) -> Result<(), TchError> {
    let width = tensor.size().last().copied().unwrap_or(1).max(1);
    // A view of some columns is no rows one after another, but it has two axes already.
    let rows = if tensor.dim() == 2 { tensor.shallow_clone() } else { tensor.f_view([-1, width])? };
    let values = Tensor::f_from_slice(values)?.f_reshape([-1, width])?;
    rows.f_narrow(0, first as i64, values.size()[0])?.f_copy_(&values).map(drop)
}

/// Gives `N` results, which the host reads as one array: as it is where it is one, else rows one after another.
pub type Call<I, const N: usize> = fn(&I) -> Result<[Tensor; N], TchError>;

/// An error of an implementation on a device of libtorch.
pub fn torch_error(implementation: &str, device: &str, reason: impl Display) -> Error {
    Error::Implementation { implementation: implementation.into(), device: device.into(), reason: reason.to_string() }
}

impl<I, const N: usize> TorchSubject<I, N> {
    /// A subject that calls `call` on each of `inputs` in turn, without recording gradients.
    pub fn new(implementation: &'static str, device: &str, inputs: Vec<I>, call: Call<I, N>) -> Self {
        Self { implementation, device: device.to_owned(), inputs, next: 0, call, output: None, failure: None }
    }

    fn error(&self, reason: impl Display) -> Error {
        torch_error(self.implementation, &self.device, reason)
    }
}

impl<I: NamedInputs, const N: usize> Subject for TorchSubject<I, N> {
    fn run(&mut self, iterations: u64) {
        let _no_gradients = tch::no_grad_guard();
        for _ in 0..iterations {
            match black_box((self.call)(black_box(&self.inputs[self.next]))) {
                Ok(output) => self.output = Some(output),
                Err(error) => drop(self.failure.get_or_insert(error)),
            }
            self.next = if self.next + 1 == self.inputs.len() { 0 } else { self.next + 1 };
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), |error| Err(self.error(error)))
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        let _no_gradients = tch::no_grad_guard();
        let mut written = false;
        for tensor in self.inputs.iter().filter_map(|copy| copy.input(input)) {
            overwrite(&tensor, first, values).map_err(|error| self.error(error))?;
            written = true;
        }
        Ok(written)
    }

    fn allocates_in_rust(&self) -> bool {
        false
    }

    fn output(&mut self) -> Result<HostArray> {
        match &self.output {
            None => Err(self.error("nothing has run yet")),
            Some(outputs) if outputs.iter().any(|output| output.device() != Device::Cpu) => {
                Err(self.error("the result does not lie on the CPU"))
            }
            Some(outputs) => {
                let parts: Result<_, TchError> = outputs.iter().map(download).collect();
                Ok(HostArray::stacked(parts.map_err(|error| self.error(error))?))
            }
        }
    }
}
