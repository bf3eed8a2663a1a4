//! Ring attention by threads and by processes, as something to time.

use benchbook_core::{Array, DType, Error, Inputs, Metric, Result, Row, Setting, Subject};
use benchbook_workloads::attention::ring::{Layout, Ring, cut, ring};
use benchbook_workloads::attention::{RingAttention, RingAttentionParams};

use super::crew::{Crew, Hand};
use super::round::{Used, Which};
use super::shard::Input;
use super::{processes, program, threads};
use crate::flex::fused_engine;

/// Ring attention (Liu et al., arXiv 2310.01889, section 3, algorithm 1): each worker owns a shard of queries, keys and
/// values and computes alone on one thread, whatever the number of threads asked for; blocks of keys and values go round.
pub const ROWS: [Row<RingAttention>; 4] = [RING_THREADS, ZIGZAG_THREADS, RING_PROCESSES, ZIGZAG_PROCESSES];

/// By threads: blocks move.
const RING_THREADS: Row<RingAttention> = row(
    "ring-threads",
    "ring attention by threads, a contiguous part each (arXiv 2310.01889, algorithm 1)",
    |name, setting, params, inputs| by_threads(name, setting, ring(params, Layout::Contiguous), inputs),
);

/// By threads, under causality with the same work for each.
const ZIGZAG_THREADS: Row<RingAttention> = row(
    "zigzag-threads",
    "ring attention by threads, causal work dealt out evenly (arXiv 2407.21783, section 3.3.2)",
    |name, setting, params, inputs| by_threads(name, setting, ring(params, Layout::Zigzag), inputs),
);

/// By processes: blocks travel through Unix sockets while they are computed with.
const RING_PROCESSES: Row<RingAttention> = row(
    "ring-processes",
    "ring attention by processes with sockets (arXiv 2310.01889, algorithm 1)",
    |name, setting, params, inputs| by_processes(name, setting, ring(params, Layout::Contiguous), inputs),
);

/// By processes, under causality with the same work for each.
const ZIGZAG_PROCESSES: Row<RingAttention> = row(
    "zigzag-processes",
    "ring attention by processes, causal work dealt out evenly (arXiv 2407.21783, section 3.3.2)",
    |name, setting, params, inputs| by_processes(name, setting, ring(params, Layout::Zigzag), inputs),
);

const fn row(
    name: &'static str,
    about: &'static str,
    prepare: fn(&'static str, &Setting, &RingAttentionParams, &Inputs) -> Result<Box<dyn Subject>>,
) -> Row<RingAttention> {
    Row::<RingAttention>::new(name, about, &["flex"], &[DType::F32], |_| fused_engine(), prepare).catalogue(&["AT4"])
}

fn by_threads(name: &'static str, setting: &Setting, ring: Ring, inputs: &Inputs) -> Result<Box<dyn Subject>> {
    let part = |worker| part(&ring, worker, setting.copies, inputs);
    subject(name, setting, ring, threads::start(ring, part))
}

fn by_processes(name: &'static str, setting: &Setting, ring: Ring, inputs: &Inputs) -> Result<Box<dyn Subject>> {
    let part = |worker| part(&ring, worker, setting.copies, inputs);
    subject(name, setting, ring, program().and_then(|program| processes::start(ring, &program, part)))
}

fn subject<H: Hand + 'static>(
    name: &'static str,
    setting: &Setting,
    ring: Ring,
    crew: Result<Crew<H>, String>,
) -> Result<Box<dyn Subject>> {
    let Setting { device, copies, .. } = setting;
    let refused = |reason| Error::Implementation { implementation: name.into(), device: device.clone(), reason };
    Ok(Box::new(RingSubject::new(name, device, ring, crew.map_err(refused)?, *copies)))
}

/// A worker's part of the inputs, once for each copy.
fn part(ring: &Ring, worker: usize, copies: usize, inputs: &Inputs) -> Vec<Input> {
    let pieces = ring.pieces(worker);
    let add = |name: &str, to: &mut Vec<f32>| cut(inputs.numbers(name), [ring.seq, ring.head_dim], &pieces, to);
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

    fn outputs(&mut self) -> Result<Vec<Array>> {
        self.sync()?;
        if self.last.is_none() {
            return Err(self.error("nothing has run yet"));
        }
        let Ring { heads, seq, head_dim, .. } = self.ring;
        let data = self.crew.output().map_err(|reason| self.error(reason))?;
        Ok(vec![Array::new(vec![1, heads, seq, head_dim], &data)])
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        let Some((_, input)) = Which::ALL.into_iter().find(|(name, _)| *name == input) else { return Ok(false) };
        self.crew.write(input, first, values).map(|()| true).map_err(|reason| self.error(reason))
    }

    fn processes(&self) -> Vec<u32> {
        self.crew.processes()
    }

    fn allocates_in_rust(&self) -> bool {
        self.processes().is_empty()
    }

    fn metrics(&self) -> Vec<Metric> {
        let Some(Ok(used)) = &self.last else { return Vec::new() };
        let mut metrics = vec![Metric::measured("worker_bytes", used.held as f64, "bytes")];
        if let Some(resident) = used.resident {
            metrics.push(Metric::measured("worker_resident_bytes", resident as f64, "bytes"));
        }
        metrics
    }
}
