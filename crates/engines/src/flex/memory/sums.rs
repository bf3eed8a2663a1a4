//! Sums in the widest registers, by all threads.

use std::hint::black_box;

use benchbook_core::{DType, Error, HostArray, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use benchbook_simd::{Isa, sums};
use benchbook_workloads::roofs::SUMMED;

use crate::flex::attention::fused_engine;

/// Two stretches at a time, asked for ahead.
pub struct Sums;

// A block of the problem is what the kernel adds up.
const _: () = assert!(SUMMED == benchbook_simd::SUMMED);

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
