//! What a machine gives at best, by all threads: a copy, sums, and multiply-adds in the widest registers.

use std::hint::black_box;

use benchbook_core::{DType, Error, HostArray, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use benchbook_simd::{Isa, multiply_add, sums};
use benchbook_workloads::roofs::{CHAINS, FACTOR, STEPS, SUMMED, TERM};
use rayon::prelude::*;

use crate::flex::fused_engine;

// What the problems name a block and a task is what the kernels take at once.
const _: () = assert!(SUMMED == benchbook_simd::SUMMED && CHAINS == benchbook_simd::CHAINS);

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

/// Two stretches at a time, asked for ahead.
pub struct Sums;

impl Implementation for Sums {
    fn name(&self) -> &'static str {
        "sums"
    }

    fn workload(&self) -> &'static str {
        "read"
    }

    fn about(&self) -> &'static str {
        "hand-written: AVX-512, AVX2 or portable, two stretches at a time, asked for ahead"
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

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let from = &inputs.get("from").data;
        let copies = vec![from.clone(); setting.copies];
        let sums = vec![0.0; from.len() / SUMMED];
        Ok(Box::new(Summing { copies, sums, next: 0, ran: false, wrong: None }))
    }
}

struct Summing {
    copies: Vec<Vec<f32>>,
    sums: Vec<f32>,
    next: usize,
    ran: bool,
    wrong: Option<String>,
}

impl Summing {
    fn error(reason: &str) -> Error {
        Error::Implementation { implementation: "sums".into(), device: "flex".into(), reason: reason.into() }
    }
}

impl Subject for Summing {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            if let Err(error) = sums(Isa::detect(), black_box(&self.copies[self.next]), &mut self.sums) {
                self.wrong = Some(error.to_string());
            }
            black_box(&mut self.sums);
            self.ran = true;
            self.next = (self.next + 1) % self.copies.len();
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.wrong.as_deref().map_or(Ok(()), |wrong| Err(Self::error(wrong)))
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        let start = first * SUMMED;
        for copy in self.copies.iter_mut().filter(|_| input == "from") {
            copy[start..start + values.len()].copy_from_slice(values);
        }
        Ok(input == "from")
    }

    fn output(&mut self) -> Result<HostArray> {
        if !self.ran {
            return Err(Self::error("nothing has run yet"));
        }
        Ok(HostArray::new(vec![self.sums.len()], self.sums.clone()))
    }
}

/// As many independent chains as hide the latency of a multiply-add.
pub struct Chains;

impl Implementation for Chains {
    fn name(&self) -> &'static str {
        "chains"
    }

    fn workload(&self) -> &'static str {
        "fma"
    }

    fn about(&self) -> &'static str {
        "hand-written: AVX-512, AVX2 or portable, every chain in a register from its first step to its last"
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

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let from = inputs.get("from").clone();
        let rooms = vec![vec![0.0; from.data.len()]; setting.copies];
        Ok(Box::new(Chained { from, rooms, next: 0, last: None, wrong: None }))
    }
}

struct Chained {
    from: HostArray,
    rooms: Vec<Vec<f32>>,
    next: usize,
    last: Option<usize>,
    wrong: Option<String>,
}

impl Chained {
    fn error(reason: &str) -> Error {
        Error::Implementation { implementation: "chains".into(), device: "flex".into(), reason: reason.into() }
    }
}

impl Subject for Chained {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            let (from, room) = (black_box(&self.from.data), &mut self.rooms[self.next]);
            if let Err(error) = multiply_add(Isa::detect(), STEPS, black_box([FACTOR, TERM]), from, room) {
                self.wrong = Some(error.to_string());
            }
            black_box(room);
            self.last = Some(self.next);
            self.next = (self.next + 1) % self.rooms.len();
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.wrong.as_deref().map_or(Ok(()), |wrong| Err(Self::error(wrong)))
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        let known = input == "from";
        if known {
            self.from.write(first, values);
        }
        Ok(known)
    }

    fn output(&mut self) -> Result<HostArray> {
        let last = self.last.ok_or_else(|| Self::error("nothing has run yet"))?;
        Ok(HostArray::new(self.from.shape.clone(), self.rooms[last].clone()))
    }
}
