//! A kernel of plain slices as a thing to time.

use std::hint::black_box;

use benchbook_core::{Array, Error, Metric, Result, Setting, Subject};

use crate::flex::subject::{NamedInputs, Rows, write_rows};

impl Rows for Array {
    fn write(&mut self, first: usize, values: &[f32]) {
        Array::write(self, first, values);
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

/// What a kernel makes of its inputs, in room for each of its results.
type Kernel<I, const N: usize> = dyn Fn(&I, [&mut [f32]; N]) -> benchbook_simd::Result<()>;

/// Calls a kernel on copies of its inputs in turn, each with room for `N` results.
pub struct Slices<I, const N: usize> {
    implementation: &'static str,
    device: String,
    copies: Vec<(I, [Array; N])>,
    next: usize,
    last: Option<usize>,
    kernel: Box<Kernel<I, N>>,
    wrong: Option<String>,
    metrics: Vec<Metric>,
}

impl<I: Clone, const N: usize> Slices<I, N> {
    /// A subject that calls `kernel` on as many copies of `inputs` as `setting` asks for; `shapes` are those of its results.
    pub fn new(
        implementation: &'static str,
        setting: &Setting,
        inputs: I,
        shapes: [Vec<usize>; N],
        kernel: impl Fn(&I, [&mut [f32]; N]) -> benchbook_simd::Result<()> + 'static,
    ) -> Self {
        let room = shapes.map(|shape| {
            let numbers = shape.iter().product();
            Array::new(shape, &vec![0.0_f32; numbers])
        });
        let copies = (0..setting.copies).map(|_| (inputs.clone(), room.clone())).collect();
        let (device, kernel) = (setting.device.clone(), Box::new(kernel));
        Self { implementation, device, copies, next: 0, last: None, kernel, wrong: None, metrics: Vec::new() }
    }
}

impl<I, const N: usize> Slices<I, N> {
    /// The same, with what the implementation has to say of itself on this case.
    #[must_use]
    pub fn with_metrics(self, metrics: Vec<Metric>) -> Self {
        Self { metrics, ..self }
    }

    fn error(&self, reason: &str) -> Error {
        let (implementation, device) = (self.implementation.into(), self.device.clone());
        Error::Implementation { implementation, device, reason: reason.into() }
    }
}

impl<I: NamedInputs, const N: usize> Subject for Slices<I, N> {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            let (inputs, to) = &mut self.copies[self.next];
            let room = to.each_mut().map(|array| array.of_mut::<f32>());
            if let Err(error) = (self.kernel)(black_box(&*inputs), room) {
                self.wrong = Some(error.to_string());
            }
            black_box(to);
            self.last = Some(self.next);
            self.next = (self.next + 1) % self.copies.len();
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.wrong.as_deref().map_or(Ok(()), |wrong| Err(self.error(wrong)))
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        Ok(write_rows(self.copies.iter_mut().map(|(inputs, _)| inputs), input, first, values))
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let last = self.last.ok_or_else(|| self.error("nothing has run yet"))?;
        Ok(self.copies[last].1.to_vec())
    }

    fn metrics(&self) -> Vec<Metric> {
        self.metrics.clone()
    }
}
