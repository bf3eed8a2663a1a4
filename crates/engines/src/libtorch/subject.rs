//! A torch call as a thing to time.

use std::fmt::Display;
use std::hint::black_box;

use benchbook_core::{Array, Error, Result, Subject};
use tch::{Device, TchError, Tensor};

use super::array::download;
use super::implementation::Call;

/// Makes a call on copies of its inputs in turn and keeps the last results, `N` of them.
pub struct TorchSubject<C, const N: usize> {
    implementation: &'static str,
    device: String,
    copies: Vec<C>,
    next: usize,
    outputs: Option<[Tensor; N]>,
    failure: Option<TchError>,
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

/// An error of an implementation on a device of libtorch.
pub fn torch_error(implementation: &str, device: &str, reason: impl Display) -> Error {
    Error::Implementation { implementation: implementation.into(), device: device.into(), reason: reason.to_string() }
}

impl<C, const N: usize> TorchSubject<C, N> {
    /// A subject that makes each of these calls in turn, without recording gradients.
    pub fn new(implementation: &'static str, device: &str, copies: Vec<C>) -> Self {
        Self { implementation, device: device.to_owned(), copies, next: 0, outputs: None, failure: None }
    }

    fn error(&self, reason: impl Display) -> Error {
        torch_error(self.implementation, &self.device, reason)
    }
}

impl<C: Call<N>, const N: usize> Subject for TorchSubject<C, N> {
    fn run(&mut self, iterations: u64) {
        let _no_gradients = tch::no_grad_guard();
        for turn in 0..iterations {
            // A call may write where the last one did, as our kernels do; not the first, whose memory may be measured.
            if turn > 0 {
                self.outputs = None;
            }
            match black_box(black_box(&self.copies[self.next]).call()) {
                Ok(outputs) => self.outputs = Some(outputs),
                Err(error) => drop(self.failure.get_or_insert(error)),
            }
            self.next = if self.next + 1 == self.copies.len() { 0 } else { self.next + 1 };
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), |error| Err(self.error(error)))
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        let _no_gradients = tch::no_grad_guard();
        let mut written = false;
        for tensor in self.copies.iter().filter_map(|copy| copy.input(input)) {
            overwrite(&tensor, first, values).map_err(|error| self.error(error))?;
            written = true;
        }
        Ok(written)
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        match &self.outputs {
            None => Err(self.error("nothing has run yet")),
            Some(outputs) if outputs.iter().any(|output| output.device() != Device::Cpu) => {
                Err(self.error("the result does not lie on the CPU"))
            }
            Some(outputs) => {
                let arrays: Result<_, TchError> = outputs.iter().map(download).collect();
                arrays.map_err(|error| self.error(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use benchbook_core::{Inputs, Problem, Setting};
    use benchbook_workloads::matmul::Matmul;

    use super::*;

    /// A call that torch refuses once.
    struct Refused {
        /// The calls before that one.
        before: u32,
        calls: Cell<u32>,
    }

    impl Call<1> for Refused {
        type Problem = Matmul;

        fn prepared(
            _setting: &Setting,
            _params: &<Matmul as Problem>::Params,
            _inputs: &Inputs,
        ) -> Result<Self, TchError> {
            Ok(Self { before: 0, calls: Cell::new(0) })
        }

        fn call(&self) -> Result<[Tensor; 1], TchError> {
            let calls = self.calls.replace(self.calls.get() + 1);
            let columns: i64 = if calls == self.before { 3 } else { 2 };
            Ok([Tensor::f_from_slice(&[1.0_f32; 4])?.f_view([2, columns])?])
        }

        fn input(&self, _name: &str) -> Option<Tensor> {
            None
        }
    }

    #[test]
    fn what_any_call_of_a_sample_is_refused_for_is_told() {
        for before in 0..4 {
            let call = Refused { before, calls: Cell::new(0) };
            let mut subject = TorchSubject::new("refused", "libtorch", vec![call]);
            subject.run(4);
            let told = subject.sync();
            let is_it = |reason: &str| reason.contains("invalid for input of size 4");
            assert!(
                matches!(&told, Err(Error::Implementation { reason, .. }) if is_it(reason)),
                "call {before}: {told:?}"
            );
            assert!(subject.sync().is_ok(), "it is told once");
        }
    }
}
