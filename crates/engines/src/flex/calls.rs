//! A kernel of plain slices that keeps memory from call to call, with results of any dtype, as a thing to time.

use std::hint::black_box;

use benchbook_core::{Array, Error, Result, Setting, Subject};

use crate::flex::subject::{NamedInputs, write_rows};

/// What a kernel makes of its inputs, in room for its results; what it keeps lies beside the inputs.
type Kernel<I> = dyn Fn(&mut I, &mut [Array]) -> benchbook_simd::Result<()>;

/// Inputs of a call, and room for its results.
struct Kept<I> {
    inputs: I,
    outputs: Vec<Array>,
}

/// Calls a kernel on copies of its inputs in turn.
pub struct Calls<I> {
    implementation: &'static str,
    device: String,
    copies: Vec<Kept<I>>,
    next: usize,
    last: Option<usize>,
    kernel: Box<Kernel<I>>,
    wrong: Option<String>,
}

impl<I> Calls<I> {
    /// A subject that calls `kernel` on as many copies of its inputs as `setting` asks for: `copy` makes one, in memory of its own.
    /// `outputs` has room for each of the results.
    ///
    /// # Errors
    /// What `copy` says.
    pub fn new(
        implementation: &'static str,
        setting: &Setting,
        copy: impl Fn() -> benchbook_simd::Result<I>,
        outputs: &[Array],
        kernel: impl Fn(&mut I, &mut [Array]) -> benchbook_simd::Result<()> + 'static,
    ) -> Result<Self> {
        let device = setting.device.clone();
        let one = |_| copy().map(|inputs| Kept { inputs, outputs: outputs.to_vec() });
        let copies: benchbook_simd::Result<Vec<Kept<I>>> = (0..setting.copies).map(one).collect();
        let copies = copies.map_err(|error| told(implementation, &device, &error.to_string()))?;
        let kernel = Box::new(kernel);
        Ok(Self { implementation, device, copies, next: 0, last: None, kernel, wrong: None })
    }
}

fn told(implementation: &str, device: &str, reason: &str) -> Error {
    Error::Implementation { implementation: implementation.into(), device: device.into(), reason: reason.into() }
}

impl<I: NamedInputs> Subject for Calls<I> {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            let Kept { inputs, outputs } = &mut self.copies[self.next];
            if let Err(error) = (self.kernel)(black_box(inputs), outputs) {
                self.wrong = Some(error.to_string());
            }
            black_box(outputs);
            self.last = Some(self.next);
            self.next = (self.next + 1) % self.copies.len();
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.wrong.as_deref().map_or(Ok(()), |wrong| Err(told(self.implementation, &self.device, wrong)))
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        Ok(write_rows(self.copies.iter_mut().map(|copy| &mut copy.inputs), input, first, values))
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let last = self.last.ok_or_else(|| told(self.implementation, &self.device, "nothing has run yet"))?;
        Ok(self.copies[last].outputs.clone())
    }
}
