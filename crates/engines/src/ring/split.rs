//! Ring attention by threads and by processes, as something to time.

use benchbook_core::{
    DType, Error, Figure, HostArray, Implementation, Inputs, Params, Result, Setting, Subject, Support,
};
use benchbook_workloads::attention::ring::{Layout, Ring, cut, ring};

use super::crew::{Crew, Hand};
use super::order::{Used, Which};
use super::shard::Input;
use super::{processes, program, threads};
use crate::flex::fused_engine;

/// Ring attention (Liu et al., arXiv 2310.01889, section 3, algorithm 1): each worker owns a shard of queries, keys and
/// values and computes alone on one thread, whatever the number of threads asked for; blocks of keys and values go round.
pub struct RingSplit {
    /// What a worker is.
    pub by: Workers,
    /// How the sequence is dealt out.
    pub layout: Layout,
}

/// What a worker of a ring is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// Threads: blocks move.
    Threads,
    /// Processes: blocks travel through Unix sockets while they are computed with.
    Processes,
}

impl Implementation for RingSplit {
    fn name(&self) -> &'static str {
        match (self.by, self.layout) {
            (Workers::Threads, Layout::Contiguous) => "ring-threads",
            (Workers::Threads, Layout::Zigzag) => "zigzag-threads",
            (Workers::Processes, Layout::Contiguous) => "ring-processes",
            (Workers::Processes, Layout::Zigzag) => "zigzag-processes",
        }
    }

    fn workload(&self) -> &'static str {
        "ring-attention"
    }

    fn about(&self) -> &'static str {
        match (self.by, self.layout) {
            (Workers::Threads, Layout::Contiguous) => {
                "ring attention by threads, a contiguous part each (arXiv 2310.01889, algorithm 1)"
            }
            (Workers::Threads, Layout::Zigzag) => {
                "ring attention by threads, causal work dealt out evenly (arXiv 2407.21783, section 3.3.2)"
            }
            (Workers::Processes, Layout::Contiguous) => {
                "ring attention by processes with sockets (arXiv 2310.01889, algorithm 1)"
            }
            (Workers::Processes, Layout::Zigzag) => {
                "ring attention by processes, causal work dealt out evenly (arXiv 2407.21783, section 3.3.2)"
            }
        }
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT4"]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex"]
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        Support::of(&[DType::F32], dtype)
    }

    fn engine(&self, _device: &str) -> (String, String) {
        fused_engine()
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let ring = ring(params, self.layout);
        let part = |worker| part(&ring, worker, setting.copies, inputs);
        let (name, device, copies) = (self.name(), &setting.device, setting.copies);
        let subject: std::result::Result<Box<dyn Subject>, String> = match self.by {
            Workers::Threads => threads::start(ring, part)
                .map(|crew| Box::new(RingSubject::new(name, device, ring, crew, copies)) as Box<dyn Subject>),
            Workers::Processes => program::program()
                .and_then(|program| processes::start(ring, &program, part))
                .map(|crew| Box::new(RingSubject::new(name, device, ring, crew, copies)) as Box<dyn Subject>),
        };
        subject.map_err(|reason| Error::Implementation { implementation: name.into(), device: device.clone(), reason })
    }
}

/// A worker's part of the inputs, once for each copy.
fn part(ring: &Ring, worker: usize, copies: usize, inputs: &Inputs) -> Vec<Input> {
    let pieces = ring.pieces(worker);
    let add = |name: &str, to: &mut Vec<f32>| cut(&inputs.get(name).data, [ring.seq, ring.head_dim], &pieces, to);
    let one = |_| {
        let mut input = Input::room(ring);
        add("query", &mut input.query);
        add("key", &mut input.block);
        add("value", &mut input.block);
        input
    };
    (0..copies).map(one).collect()
}

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
