//! A burn function as a thing to time.

use std::hint::black_box;

use benchbook_core::{Array, Error, Inputs, Metric, Result, Setting, Subject};
use burn::tensor::{Device, Tensor, TensorData};

use crate::flex::tensor::{Target, download};

/// A tensor of which whole rows of the last axis can be overwritten: one, or all.
pub trait Rows {
    /// Overwrites rows, `first` and what follows; in place, where nobody else holds the tensor.
    ///
    /// # Panics
    /// If there are no such rows, or `values` holds several and not all.
    fn write(&mut self, first: usize, values: &[f32]);
}

impl<const D: usize> Rows for Tensor<D> {
    fn write(&mut self, first: usize, values: &[f32]) {
        let dims = self.dims();
        let mut ranges = dims.map(|length| 0..length);
        if values.len() < dims.iter().product() {
            assert_eq!(values.len(), dims[D - 1], "one row, or all");
            let mut left = first;
            for axis in (0..D - 1).rev() {
                ranges[axis] = left % dims[axis]..left % dims[axis] + 1;
                left /= dims[axis];
            }
        }
        let shape = ranges.clone().map(|range| range.len());
        let value = Tensor::from_data(TensorData::new(values.to_vec(), shape), (&self.device(), self.dtype()));
        self.inplace(|tensor| tensor.slice_assign(ranges, value));
    }
}

/// Inputs of a call, each under the name that its workload gives it.
pub trait NamedInputs {
    /// The input called `name`, where the call takes it as it is.
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows>;
}

/// Inputs, and what was made of them or of the case before timing.
impl<I: NamedInputs, M> NamedInputs for (I, M) {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.0.input(name)
    }
}

/// Overwrites rows of the input called `name` in every copy of the inputs; `false` where they hold no such input.
pub fn write_rows<'a, I: NamedInputs + 'a>(
    copies: impl IntoIterator<Item = &'a mut I>,
    name: &str,
    first: usize,
    values: &[f32],
) -> bool {
    let mut written = false;
    for copy in copies {
        if let Some(rows) = copy.input(name) {
            rows.write(first, values);
            written = true;
        }
    }
    written
}

/// Tensors of one rank, in the order of their names.
pub fn find<'a, const D: usize>(
    names: &[&str],
    tensors: impl IntoIterator<Item = &'a mut Tensor<D>>,
    name: &str,
) -> Option<&'a mut dyn Rows> {
    let found = names.iter().zip(tensors).find(|(known, _)| **known == name);
    found.map(|(_, tensor)| tensor as &mut dyn Rows)
}

/// Calls a function of burn tensors on copies of its inputs in turn and keeps the last results, `N` of them.
pub struct TensorSubject<I, const D: usize, const N: usize> {
    implementation: &'static str,
    device_name: String,
    device: Device,
    inputs: Vec<I>,
    next: usize,
    call: Box<dyn Fn(&I) -> Result<[Tensor<D>; N]>>,
    outputs: Option<[Tensor<D>; N]>,
    failure: Option<Error>,
    metrics: Vec<Metric>,
}

impl<I, const D: usize, const N: usize> TensorSubject<I, D, N> {
    /// A subject that calls `call` on each of `inputs` in turn, on `device`. What `call` refuses comes with the next
    /// [`Subject::sync`].
    pub fn new(
        implementation: &'static str,
        device_name: &str,
        device: Device,
        inputs: Vec<I>,
        call: impl Fn(&I) -> Result<[Tensor<D>; N]> + 'static,
    ) -> Self {
        let (device_name, call) = (device_name.to_owned(), Box::new(call));
        let (outputs, failure, metrics) = (None, None, Vec::new());
        Self { implementation, device_name, device, inputs, next: 0, call, outputs, failure, metrics }
    }

    /// The same on the device of `setting`, with as many copies of the inputs as it asks for: `upload` puts one there, in
    /// memory of its own.
    ///
    /// # Errors
    /// The device is absent, or what `upload` says.
    pub fn uploaded<P>(
        implementation: &'static str,
        setting: &Setting,
        params: &P,
        inputs: &Inputs,
        upload: impl Fn(&Target, &P, &Inputs) -> Result<I>,
        call: impl Fn(&I) -> Result<[Tensor<D>; N]> + 'static,
    ) -> Result<Self> {
        let target = Target::of(setting)?;
        let copies: Result<Vec<I>> = (0..setting.copies).map(|_| upload(&target, params, inputs)).collect();
        Ok(Self::new(implementation, &setting.device, target.device, copies?, call))
    }

    /// The same, with what the implementation has to say of itself on this case.
    #[must_use]
    pub fn with_metrics(self, metrics: Vec<Metric>) -> Self {
        Self { metrics, ..self }
    }

    fn error(&self, reason: String) -> Error {
        Error::Implementation { implementation: self.implementation.into(), device: self.device_name.clone(), reason }
    }
}

/// What a row is prepared by that names how to upload one copy of the inputs, and the call.
///
/// # Errors
/// As of [`TensorSubject::uploaded`].
pub fn prepare<P, I: NamedInputs + 'static, const D: usize, const N: usize>(
    implementation: &'static str,
    setting: &Setting,
    params: &P,
    inputs: &Inputs,
    upload: impl Fn(&Target, &P, &Inputs) -> Result<I>,
    call: impl Fn(&I) -> Result<[Tensor<D>; N]> + 'static,
) -> Result<Box<dyn Subject>> {
    Ok(Box::new(TensorSubject::uploaded(implementation, setting, params, inputs, upload, call)?))
}

impl<I: NamedInputs, const D: usize, const N: usize> Subject for TensorSubject<I, D, N> {
    fn run(&mut self, iterations: u64) {
        for turn in 0..iterations {
            // A call may write where the last one did, as our kernels do; not the first, whose memory may be measured.
            if turn > 0 {
                self.outputs = None;
            }
            match black_box((self.call)(black_box(&self.inputs[self.next]))) {
                Ok(outputs) => self.outputs = Some(outputs),
                Err(error) => drop(self.failure.get_or_insert(error)),
            }
            self.next = if self.next + 1 == self.inputs.len() { 0 } else { self.next + 1 };
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.device.sync().map_err(|error| self.error(format!("the device reports a failure: {error:?}")))?;
        self.failure.take().map_or(Ok(()), Err)
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        Ok(write_rows(&mut self.inputs, input, first, values))
    }

    fn allocates_in_rust(&self) -> bool {
        self.device == Device::flex()
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let outputs = self.outputs.clone().ok_or_else(|| self.error("nothing has run yet".into()))?;
        if let Some(strange) = outputs.iter().map(Tensor::device).find(|device| *device != self.device) {
            return Err(self.error(format!("the result lies on {strange:?}, not on {:?}", self.device)));
        }
        let arrays: Result<_, String> = outputs.into_iter().map(download).collect();
        arrays.map_err(|reason| self.error(reason))
    }

    fn metrics(&self) -> Vec<Metric> {
        self.metrics.clone()
    }
}
