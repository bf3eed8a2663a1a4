//! A kernel of plain slices as a thing to time. What it keeps from call to call lies beside its inputs, and results are of any
//! dtype.

use std::hint::black_box;

use benchbook_core::{Array, DType, Element, Error, Inputs, Metric, Result, Setting, Subject};
use burn::tensor::bf16;

use crate::flex::subject::{NamedInputs, Rows, write_rows};

impl Rows for Array {
    fn write(&mut self, first: usize, values: &[f32]) {
        if self.dtype() == DType::Bf16 {
            let start = first * self.width();
            let numbers = &mut self.of_mut::<bf16>()[start..][..values.len()];
            numbers.iter_mut().zip(values).for_each(|(number, value)| *number = bf16::from_f32(*value));
        } else {
            Array::write(self, first, values);
        }
    }
}

/// The input of real numbers that can be overwritten, under the name that its workload gives it.
#[derive(Clone)]
pub struct Named(pub &'static str, pub Array);

impl NamedInputs for Named {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == self.0 { Some(&mut self.1) } else { None }
    }
}

impl<const N: usize> NamedInputs for [Named; N] {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.iter_mut().find_map(|one| one.input(name))
    }
}

/// Inputs under these names.
pub fn named<const N: usize>(inputs: &Inputs, names: [&'static str; N]) -> [Named; N] {
    names.map(|name| Named(name, inputs.get(name).clone()))
}

/// Their numbers.
pub fn numbers<const N: usize>(inputs: &[Named; N]) -> [&[f32]; N] {
    inputs.each_ref().map(|input| input.1.of::<f32>())
}

/// Token ids that can be overwritten.
#[derive(Clone)]
pub struct Ids(pub Array);

impl Rows for Ids {
    fn write(&mut self, first: usize, values: &[f32]) {
        let start = first * self.0.width();
        let ids = &mut self.0.of_mut::<i32>()[start..][..values.len()];
        ids.iter_mut().zip(values).for_each(|(id, value)| *id = *value as i32);
    }
}

/// Room for a result of this shape.
pub fn room<T: Element + Default>(shape: Vec<usize>) -> Array {
    let numbers = shape.iter().product();
    Array::new(shape, &vec![T::default(); numbers])
}

/// An error of an implementation, with its reason.
pub fn failed(implementation: &str, device: &str, reason: &str) -> Error {
    Error::Implementation { implementation: implementation.into(), device: device.into(), reason: reason.into() }
}

/// What a kernel makes of its inputs `I`, in the room `O` for its results.
type Kernel<I, O> = dyn Fn(&mut I, &mut O) -> benchbook_simd::Result<()>;

/// Calls a kernel on copies of its inputs in turn, each with room for its results, which is a list of arrays.
pub struct Calls<I, O> {
    implementation: &'static str,
    device: String,
    copies: Vec<(I, O)>,
    next: usize,
    last: Option<usize>,
    kernel: Box<Kernel<I, O>>,
    wrong: Option<String>,
    metrics: Vec<Metric>,
}

impl<I, O: Clone> Calls<I, O> {
    /// A subject that calls `kernel` on as many copies of its inputs as `setting` asks for: `copy` makes one, in memory of its own.
    /// `outputs` has room for each of the results.
    ///
    /// # Errors
    /// What `copy` says.
    pub fn new(
        implementation: &'static str,
        setting: &Setting,
        copy: impl Fn() -> benchbook_simd::Result<I>,
        outputs: &O,
        kernel: impl Fn(&mut I, &mut O) -> benchbook_simd::Result<()> + 'static,
    ) -> Result<Self> {
        let one = |_| copy().map(|inputs| (inputs, outputs.clone()));
        let copies: benchbook_simd::Result<Vec<(I, O)>> = (0..setting.copies).map(one).collect();
        let copies = copies.map_err(|error| failed(implementation, &setting.device, &error.to_string()))?;
        Ok(Self::of(implementation, setting, copies, Box::new(kernel)))
    }

    fn of(implementation: &'static str, setting: &Setting, copies: Vec<(I, O)>, kernel: Box<Kernel<I, O>>) -> Self {
        let device = setting.device.clone();
        Self { implementation, device, copies, next: 0, last: None, kernel, wrong: None, metrics: Vec::new() }
    }

    /// The same, with what the implementation has to say of itself on this case.
    #[must_use]
    pub fn with_metrics(self, metrics: Vec<Metric>) -> Self {
        Self { metrics, ..self }
    }
}

impl<I: Clone, const N: usize> Calls<I, [Array; N]> {
    /// A subject that calls a kernel of `f32` on as many copies of `inputs` as `setting` asks for; `shapes` are those of its results.
    pub fn of_slices(
        implementation: &'static str,
        setting: &Setting,
        inputs: I,
        shapes: [Vec<usize>; N],
        kernel: impl Fn(&I, [&mut [f32]; N]) -> benchbook_simd::Result<()> + 'static,
    ) -> Self {
        let outputs = shapes.map(room::<f32>);
        let copies = (0..setting.copies).map(|_| (inputs.clone(), outputs.clone())).collect();
        let call = move |inputs: &mut I, outputs: &mut [Array; N]| {
            kernel(inputs, outputs.each_mut().map(|array| array.of_mut::<f32>()))
        };
        Self::of(implementation, setting, copies, Box::new(call))
    }
}

impl<I: NamedInputs, O: AsRef<[Array]>> Subject for Calls<I, O> {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            let (inputs, outputs) = &mut self.copies[self.next];
            if let Err(error) = (self.kernel)(black_box(inputs), outputs) {
                self.wrong = Some(error.to_string());
            }
            black_box(outputs);
            self.last = Some(self.next);
            self.next = (self.next + 1) % self.copies.len();
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.wrong.as_deref().map_or(Ok(()), |wrong| Err(failed(self.implementation, &self.device, wrong)))
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        Ok(write_rows(self.copies.iter_mut().map(|(inputs, _)| inputs), input, first, values))
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let last = self.last.ok_or_else(|| failed(self.implementation, &self.device, "nothing has run yet"))?;
        Ok(self.copies[last].1.as_ref().to_vec())
    }

    fn metrics(&self) -> Vec<Metric> {
        self.metrics.clone()
    }
}
