//! What a machine gives at best, by all threads: a copy, sums, and multiply-adds in the widest registers.

use std::hint::black_box;

use benchbook_core::{Array, DType, Error, Inputs, Result, Row, Setting, Subject};
use benchbook_simd::{Isa, multiply_add, sums};
use benchbook_workloads::roofs::{CHAINS, Copy, FACTOR, Fma, Read, STEPS, SUMMED, TERM};
use rayon::prelude::*;

use crate::flex::row::fused_row;

// What the problems name a block and a task is what the kernels take at once.
const _: () = assert!(SUMMED == benchbook_simd::SUMMED && CHAINS == benchbook_simd::CHAINS);

/// The C library's `memcpy` on each thread's share, into memory that is there. Bytes are bytes, so `f32` is enough.
pub const MEMCPY: Row<Copy> = Row::<Copy>::new(
    "memcpy",
    "memcpy by all threads, into memory that is there (STREAM, kernel Copy)",
    &["flex"],
    &[DType::F32],
    |_| ("rayon".to_owned(), "1".to_owned()),
    |name, setting, _, inputs| {
        let from = inputs.get("from");
        let share = from.len().div_ceil(SHARES * setting.threads.max(1)).max(1);
        let copy = move |from: &[f32], to: &mut [f32]| {
            let shares = to.par_chunks_mut(share).zip(from.par_chunks(share));
            shares.for_each(|(to, from)| to.copy_from_slice(from));
            Ok(())
        };
        prepare(name, setting, inputs, from.shape().to_vec(), copy)
    },
);

/// Shares of a thread, so that a late one does not hold up the rest for long.
const SHARES: usize = 4;

/// Two stretches at a time, asked for ahead.
pub const SUMS: Row<Read> = fused_row::<Read>(
    "sums",
    "hand-written: AVX-512, AVX2 or portable, two stretches at a time, asked for ahead",
    &[DType::F32],
    |name, setting, _, inputs| {
        let blocks = inputs.get("from").len() / SUMMED;
        prepare(name, setting, inputs, vec![blocks], |from: &[f32], to: &mut [f32]| sums(Isa::detect(), from, to))
    },
);

/// As many independent chains as hide the latency of a multiply-add.
pub const FMA_CHAINS: Row<Fma> = fused_row::<Fma>(
    "chains",
    "hand-written: AVX-512, AVX2 or portable, every chain in a register from its first step to its last",
    &[DType::F32],
    |name, setting, _, inputs| {
        let shape = inputs.get("from").shape().to_vec();
        prepare(name, setting, inputs, shape, |from: &[f32], to: &mut [f32]| {
            multiply_add(Isa::detect(), STEPS, black_box([FACTOR, TERM]), from, to)
        })
    },
);

/// What a kernel makes of the numbers of `from`, in room for its result.
type Kernel = dyn Fn(&[f32], &mut [f32]) -> benchbook_simd::Result<()>;

/// Calls a kernel on copies of its input in turn, each with room for a result.
struct Slices {
    name: &'static str,
    device: String,
    pairs: Vec<[Array; 2]>,
    next: usize,
    last: Option<usize>,
    kernel: Box<Kernel>,
    wrong: Option<String>,
}

/// A kernel as something to time; `shape` is that of its result.
fn prepare(
    name: &'static str,
    setting: &Setting,
    inputs: &Inputs,
    shape: Vec<usize>,
    kernel: impl Fn(&[f32], &mut [f32]) -> benchbook_simd::Result<()> + 'static,
) -> Result<Box<dyn Subject>> {
    let room = Array::new(shape.clone(), &vec![0.0_f32; shape.iter().product()]);
    let pairs = (0..setting.copies).map(|_| [inputs.get("from").clone(), room.clone()]).collect();
    let (device, kernel) = (setting.device.clone(), Box::new(kernel));
    Ok(Box::new(Slices { name, device, pairs, next: 0, last: None, kernel, wrong: None }))
}

impl Slices {
    fn error(&self, reason: &str) -> Error {
        Error::Implementation { implementation: self.name.into(), device: self.device.clone(), reason: reason.into() }
    }
}

impl Subject for Slices {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            let [from, to] = &mut self.pairs[self.next];
            if let Err(error) = (self.kernel)(black_box(from.of::<f32>()), to.of_mut::<f32>()) {
                self.wrong = Some(error.to_string());
            }
            black_box(to);
            self.last = Some(self.next);
            self.next = (self.next + 1) % self.pairs.len();
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.wrong.as_deref().map_or(Ok(()), |wrong| Err(self.error(wrong)))
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        for [from, _] in self.pairs.iter_mut().filter(|_| input == "from") {
            from.write(first, values);
        }
        Ok(input == "from")
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let last = self.last.ok_or_else(|| self.error("nothing has run yet"))?;
        Ok(vec![self.pairs[last][1].clone()])
    }
}
