//! Ring attention by threads and by processes.

use benchbook_core::{DType, Error, Implementation, Inputs, Params, Result, Setting, Subject, Support};

use super::layout::{Layout, Ring, cut};
use super::shard::Input;
use super::subject::RingSubject;
use super::workload::ring;
use super::{processes, program, threads};
use crate::attention::fused_engine;

/// Ring attention (Liu et al., arXiv 2310.01889, section 3, algorithm 1) by threads: each owns a shard of queries, keys
/// and values and computes alone; blocks of keys and values go round, as moves. There are as many threads as workers,
/// whatever the number of threads asked for.
pub struct RingThreads(pub Layout);

/// The same by processes: blocks travel through Unix sockets while they are computed with. Processes compute on one
/// thread each.
pub struct RingProcesses(pub Layout);

impl Implementation for RingThreads {
    fn name(&self) -> &'static str {
        match self.0 {
            Layout::Contiguous => "ring-threads",
            Layout::Zigzag => "zigzag-threads",
        }
    }

    fn workload(&self) -> &'static str {
        "ring-attention"
    }

    fn about(&self) -> &'static str {
        match self.0 {
            Layout::Contiguous => "ring attention by threads, a contiguous part each (arXiv 2310.01889, algorithm 1)",
            Layout::Zigzag => {
                "ring attention by threads, causal work dealt out evenly (arXiv 2407.21783, section 3.3.2)"
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
        let ring = ring(params, self.0);
        let crew = threads::start(ring, |worker| part(&ring, worker, setting.copies, inputs));
        let crew = crew.map_err(|reason| wrong(self, setting, reason))?;
        Ok(Box::new(RingSubject::new(self.name(), &setting.device, ring, crew, setting.copies)))
    }
}

impl Implementation for RingProcesses {
    fn name(&self) -> &'static str {
        match self.0 {
            Layout::Contiguous => "ring-processes",
            Layout::Zigzag => "zigzag-processes",
        }
    }

    fn workload(&self) -> &'static str {
        "ring-attention"
    }

    fn about(&self) -> &'static str {
        match self.0 {
            Layout::Contiguous => "ring attention by processes with sockets (arXiv 2310.01889, algorithm 1)",
            Layout::Zigzag => {
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
        let ring = ring(params, self.0);
        let crew = program::program()
            .and_then(|program| processes::start(ring, &program, |worker| part(&ring, worker, setting.copies, inputs)));
        let crew = crew.map_err(|reason| wrong(self, setting, reason))?;
        Ok(Box::new(RingSubject::new(self.name(), &setting.device, ring, crew, setting.copies)))
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

fn wrong(implementation: &dyn Implementation, setting: &Setting, reason: String) -> Error {
    Error::Implementation { implementation: implementation.name().into(), device: setting.device.clone(), reason }
}
