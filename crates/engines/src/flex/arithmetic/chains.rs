//! Multiply-adds in the widest registers, by all threads.

use std::hint::black_box;

use benchbook_core::{DType, Error, HostArray, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use benchbook_simd::{Isa, multiply_add};
use benchbook_workloads::roofs::{CHAINS, FACTOR, STEPS, TERM};

use crate::flex::attention::fused_engine;

/// As many independent chains as hide the latency of a multiply-add.
pub struct Chains;

// A task of the problem is what the kernel keeps in registers.
const _: () = assert!(CHAINS == benchbook_simd::CHAINS);

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
