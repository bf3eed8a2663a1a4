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

/// What a kernel makes of its inputs, in room for its result.
type Kernel<I> = dyn Fn(&I, &mut [f32]) -> benchbook_simd::Result<()>;

/// Calls a kernel on copies of its inputs in turn, each with room for a result.
pub struct Slices<I> {
    implementation: &'static str,
    device: String,
    copies: Vec<(I, Array)>,
    next: usize,
    last: Option<usize>,
    kernel: Box<Kernel<I>>,
    wrong: Option<String>,
    metrics: Vec<Metric>,
}

impl<I: Clone> Slices<I> {
    /// A subject that calls `kernel` on as many copies of `inputs` as `setting` asks for; `shape` is that of its result.
    pub fn new(
        implementation: &'static str,
        setting: &Setting,
        inputs: I,
        shape: Vec<usize>,
        kernel: impl Fn(&I, &mut [f32]) -> benchbook_simd::Result<()> + 'static,
    ) -> Self {
        let room = Array::new(shape.clone(), &vec![0.0_f32; shape.iter().product()]);
        let copies = (0..setting.copies).map(|_| (inputs.clone(), room.clone())).collect();
        let (device, kernel) = (setting.device.clone(), Box::new(kernel));
        Self { implementation, device, copies, next: 0, last: None, kernel, wrong: None, metrics: Vec::new() }
    }
}

impl<I> Slices<I> {
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

impl<I: NamedInputs> Subject for Slices<I> {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            let (inputs, to) = &mut self.copies[self.next];
            if let Err(error) = (self.kernel)(black_box(&*inputs), to.of_mut::<f32>()) {
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
        Ok(vec![self.copies[last].1.clone()])
    }

    fn metrics(&self) -> Vec<Metric> {
        self.metrics.clone()
    }
}
