//! Attention on plain slices: as its formula says, and by our fused kernel.

use std::hint::black_box;

use benchbook_core::{DType, Error, HostArray, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use benchbook_simd::{Attend, Heads, Isa, Product, matmul};
use rayon::prelude::*;

/// The device of work that needs no library of tensors.
const DEVICE: &str = "cpu";

/// Names of the inputs, in the order of [`Prepared::copies`].
const INPUTS: [&str; 3] = ["query", "key", "value"];

/// A way to compute attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSlices {
    /// Product, softmax, product, with the scores of all heads in memory (Vaswani et al., arXiv 1706.03762, equation 1).
    Naive,
    /// The kernel that `benchbook` calls `fused`, without the scores in memory.
    Fused,
}

impl Implementation for OnSlices {
    fn name(&self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Fused => "fused",
        }
    }

    fn workload(&self) -> &'static str {
        "attention"
    }

    fn about(&self) -> &'static str {
        match self {
            Self::Naive => "matmul, softmax, matmul with the scores in memory, on our own matrix product",
            Self::Fused => "hand-written fused attention: AVX-512, AVX2 or portable, tiles of keys, online softmax",
        }
    }

    fn devices(&self) -> Vec<&'static str> {
        vec![DEVICE]
    }

    fn supports(&self, _device: &str, dtype: DType, params: &Params) -> Support {
        if params.flag("causal") || params.flag("masked") || params.int("kv_heads") != params.int("heads") {
            return Support::No("the first look measures plain attention alone".into());
        }
        Support::of(&[DType::F32], dtype)
    }

    fn engine(&self, _device: &str) -> (String, String) {
        ("benchbook-simd".to_owned(), format!("{} {}", env!("CARGO_PKG_VERSION"), Isa::detect().name()))
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let [batch, heads, kv_heads, seq_q, seq_kv, head_dim] =
            ["batch", "heads", "kv_heads", "seq_q", "seq_kv", "head_dim"].map(|name| params.size(name));
        let heads = Heads { batch, heads, kv_heads, seq_q, seq_kv, head_dim };
        let copies = (0..setting.copies).map(|_| INPUTS.map(|name| inputs.get(name).clone())).collect();
        Ok(Box::new(Prepared { way: *self, heads, copies, next: 0, room: Room::default(), failure: None }))
    }
}

struct Prepared {
    way: OnSlices,
    heads: Heads,
    copies: Vec<[HostArray; 3]>,
    next: usize,
    room: Room,
    failure: Option<String>,
}

/// What calls write to; the first one makes it, so that it counts as what a call adds to memory.
#[derive(Default)]
struct Room {
    keys: Vec<f32>,
    scores: Vec<f32>,
    out: Vec<f32>,
}

impl Prepared {
    fn error(&self, reason: String) -> Error {
        Error::Implementation { implementation: self.way.name().into(), device: DEVICE.into(), reason }
    }
}

impl Subject for Prepared {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            let inputs = black_box(&self.copies[self.next]);
            let done = match self.way {
                OnSlices::Naive => naive(self.heads, inputs, &mut self.room),
                OnSlices::Fused => fused(self.heads, inputs, &mut self.room),
            };
            black_box(&self.room.out);
            if let Err(error) = done {
                self.failure = Some(error.to_string());
            }
            self.next = (self.next + 1) % self.copies.len();
        }
    }

    fn sync(&mut self) -> Result<()> {
        match self.failure.take() {
            Some(reason) => Err(self.error(reason)),
            None => Ok(()),
        }
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        let Some(place) = INPUTS.iter().position(|name| *name == input) else { return Ok(false) };
        for copy in &mut self.copies {
            copy[place].write(first, values);
        }
        Ok(true)
    }

    fn output(&mut self) -> Result<HostArray> {
        if self.room.out.is_empty() {
            return Err(self.error("nothing has run yet".into()));
        }
        Ok(HostArray::new(self.heads.query().to_vec(), self.room.out.clone()))
    }
}

fn fused(heads: Heads, [query, key, value]: &[HostArray; 3], room: &mut Room) -> benchbook_simd::Result<()> {
    room.out.resize(query.data.len(), 0.0);
    let [query, key, value] = [&query.data[..], &key.data[..], &value.data[..]];
    let isa = Isa::detect();
    let call = Attend { heads, query, key, value, scale: None, causal: false, window: None, mask: None, isa };
    benchbook_simd::attention(&call, &mut room.out)
}

fn naive(heads: Heads, [query, key, value]: &[HostArray; 3], room: &mut Room) -> benchbook_simd::Result<()> {
    let Heads { seq_q, seq_kv, head_dim, .. } = heads;
    let (of_queries, of_keys, of_scores) = (seq_q * head_dim, seq_kv * head_dim, seq_q * seq_kv);
    let Room { keys, scores, out } = room;
    keys.resize(of_keys, 0.0);
    scores.resize(heads.batch * heads.heads * of_scores, 0.0);
    out.resize(query.data.len(), 0.0);
    let isa = Isa::detect();
    for (head, scores) in scores.chunks_exact_mut(of_scores).enumerate() {
        transpose(&key.data[head * of_keys..][..of_keys], head_dim, &mut keys[..]);
        let left = &query.data[head * of_queries..][..of_queries];
        matmul(&Product { size: [seq_q, head_dim, seq_kv], left, right: &keys[..], isa }, scores)?;
    }
    let scale = 1.0 / (head_dim as f32).sqrt();
    scores.par_chunks_mut(seq_kv).for_each(|row| softmax(scale, row));
    for (head, out) in out.chunks_exact_mut(of_queries).enumerate() {
        let left = &scores[head * of_scores..][..of_scores];
        let right = &value.data[head * of_keys..][..of_keys];
        matmul(&Product { size: [seq_q, seq_kv, head_dim], left, right, isa }, out)?;
    }
    Ok(())
}

/// Rows of `width` numbers as columns.
fn transpose(rows: &[f32], width: usize, columns: &mut [f32]) {
    let height = rows.len() / width;
    for (row, numbers) in rows.chunks_exact(width).enumerate() {
        for (column, number) in numbers.iter().enumerate() {
            columns[column * height + row] = *number;
        }
    }
}

/// exp(scale · x) over its sum, in place.
fn softmax(scale: f32, row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for number in &mut *row {
        *number = (scale * (*number - largest)).exp();
        sum += *number;
    }
    for number in row {
        *number /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use benchbook_core::{Value, Workload};
    use benchbook_workloads::attention::Attention;

    #[test]
    fn both_ways_are_right_on_inputs_that_change() -> Result<()> {
        let given = [("batch", 2), ("heads", 3), ("seq_q", 70), ("head_dim", 24)];
        let params = given.iter().fold(Params::default(), |params, (name, n)| params.with(name, Value::Int(*n)));
        let case = Attention.case(params)?;
        let setting = Setting { device: DEVICE.into(), dtype: DType::F32, threads: 1, copies: 2 };
        for way in [OnSlices::Naive, OnSlices::Fused] {
            let mut inputs = Attention.inputs(&case.params, 7);
            let mut subject = way.prepare(&setting, &case.params, &inputs)?;
            assert!(subject.output().is_err(), "nothing has run yet");
            for first in [0, 5] {
                let row = vec![first as f32 - 1.0; 24];
                assert!(subject.write("key", first, &row)?);
                inputs.0.get_mut("key").expect("a key").write(first, &row);
                subject.run(3);
                subject.sync()?;
                let compared = Attention.reference(&case.params, &inputs, 7).compare(&subject.output()?);
                assert!(
                    compared.max_scaled_error < Attention.tolerance(&case.params, DType::F32),
                    "{way:?}: {compared:?}"
                );
            }
            assert!(!subject.write("mask", 0, &[1.0])?);
        }
        Ok(())
    }

    #[test]
    fn what_is_not_plain_is_refused() -> Result<()> {
        let support = |name: &str, value: Value| -> Result<Support> {
            let case = Attention.case(Params::default().with(name, value))?;
            Ok(OnSlices::Naive.supports(DEVICE, DType::F32, &case.params))
        };
        assert_eq!(support("seq_q", Value::Int(64))?, Support::Yes);
        for (name, value) in [("causal", Value::Bool(true)), ("masked", Value::Bool(true)), ("kv_heads", Value::Int(2))]
        {
            assert!(matches!(support(name, value)?, Support::No(_)), "{name}");
        }
        Ok(())
    }
}
