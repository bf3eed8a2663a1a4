//! A copy by all threads, a chunk at a time.

use std::hint::black_box;

use benchbook_core::{DType, Error, HostArray, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use rayon::prelude::*;

/// The C library's `memcpy` on each thread's share, into memory that is there.
pub struct Chunks;

/// Shares of a thread, so that a late one does not hold up the rest for long.
const SHARES: usize = 4;

impl Implementation for Chunks {
    fn name(&self) -> &'static str {
        "memcpy"
    }

    fn workload(&self) -> &'static str {
        "copy"
    }

    fn about(&self) -> &'static str {
        "memcpy by all threads, into memory that is there (STREAM, kernel Copy)"
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex"]
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        match dtype {
            DType::F32 => Support::Yes,
            other => Support::No(format!("bytes are bytes: measured in f32, not in {other}")),
        }
    }

    fn engine(&self, _device: &str) -> (String, String) {
        ("rayon".to_owned(), "1".to_owned())
    }

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let from = inputs.get("from");
        let share = from.data.len().div_ceil(SHARES * setting.threads.max(1));
        let pairs = (0..setting.copies).map(|_| [from.data.clone(), vec![0.0; from.data.len()]]).collect();
        Ok(Box::new(Copying { shape: from.shape.clone(), share, pairs, next: 0, last: None }))
    }
}

struct Copying {
    shape: Vec<usize>,
    share: usize,
    pairs: Vec<[Vec<f32>; 2]>,
    next: usize,
    last: Option<usize>,
}

impl Subject for Copying {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            let [from, to] = &mut self.pairs[self.next];
            let shares = to.par_chunks_mut(self.share).zip(black_box(&*from).par_chunks(self.share));
            shares.for_each(|(to, from)| to.copy_from_slice(from));
            black_box(to);
            self.last = Some(self.next);
            self.next = (self.next + 1) % self.pairs.len();
        }
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        let start = first * self.shape.last().copied().unwrap_or(1);
        for [from, _] in self.pairs.iter_mut().filter(|_| input == "from") {
            from[start..start + values.len()].copy_from_slice(values);
        }
        Ok(input == "from")
    }

    fn output(&mut self) -> Result<HostArray> {
        let last = self.last.ok_or_else(|| Error::Implementation {
            implementation: "memcpy".into(),
            device: "flex".into(),
            reason: "nothing has run yet".into(),
        })?;
        Ok(HostArray::new(self.shape.clone(), self.pairs[last][1].clone()))
    }
}
