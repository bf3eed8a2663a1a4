//! A ring as a thing to time.

use benchbook_core::{Error, Figure, HostArray, Result, Subject};
use benchbook_workloads::attention::ring::Ring;

use super::crew::{Crew, Hand};
use super::order::{Used, Which};

/// Lets all workers compute, on one copy of the inputs after the other.
pub struct RingSubject<H> {
    name: &'static str,
    device: String,
    ring: Ring,
    crew: Crew<H>,
    copies: usize,
    next: usize,
    /// What the last call used, or why it failed.
    last: Option<Result<Used, String>>,
}

impl<H: Hand> RingSubject<H> {
    pub fn new(name: &'static str, device: &str, ring: Ring, crew: Crew<H>, copies: usize) -> Self {
        Self { name, device: device.to_owned(), ring, crew, copies, next: 0, last: None }
    }

    fn error(&self, reason: impl Into<String>) -> Error {
        Error::Implementation { implementation: self.name.into(), device: self.device.clone(), reason: reason.into() }
    }
}

impl<H: Hand> Subject for RingSubject<H> {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            // A ring that is broken stays broken.
            if !matches!(self.last, Some(Err(_))) {
                self.last = Some(self.crew.call(self.next));
                self.next = (self.next + 1) % self.copies;
            }
        }
    }

    fn sync(&mut self) -> Result<()> {
        match &self.last {
            Some(Err(reason)) => Err(self.error(reason.as_str())),
            _ => Ok(()),
        }
    }

    fn output(&mut self) -> Result<HostArray> {
        self.sync()?;
        if self.last.is_none() {
            return Err(self.error("nothing has run yet"));
        }
        let Ring { heads, seq, head_dim, .. } = self.ring;
        let data = self.crew.output().map_err(|reason| self.error(reason))?;
        Ok(HostArray::new(vec![1, heads, seq, head_dim], data))
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        let Some((_, input)) = Which::ALL.into_iter().find(|(name, _)| *name == input) else { return Ok(false) };
        self.crew.write(input, first, values).map(|()| true).map_err(|reason| self.error(reason))
    }

    fn processes(&self) -> Vec<u32> {
        self.crew.processes()
    }

    fn figures(&self) -> Vec<Figure> {
        let Some(Ok(used)) = &self.last else { return Vec::new() };
        let mut figures = vec![Figure::measured("worker_bytes", used.held as f64, "bytes")];
        if let Some(resident) = used.resident {
            figures.push(Figure::measured("worker_resident_bytes", resident as f64, "bytes"));
        }
        figures
    }
}
