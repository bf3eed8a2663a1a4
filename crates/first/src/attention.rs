//! Attention on plain slices: as its formula says, and by our fused kernel.

use std::hint::black_box;

use benchbook_core::{Array, DType, Error, Inputs, Result, Row, Setting, Subject, Support};
use benchbook_simd::{Attend, Heads, Isa, Product, matmul};
use benchbook_workloads::attention::{Attention, AttentionParams};
use rayon::prelude::*;

/// The device of work that needs no library of tensors.
const DEVICE: &str = "cpu";

/// Names of the inputs, in the order of [`Prepared::copies`].
const INPUTS: [&str; 3] = ["query", "key", "value"];

/// Product, softmax, product, with the scores of all heads in memory (Vaswani et al., arXiv 1706.03762, equation 1).
pub const NAIVE: Row<Attention> = row(
    "naive",
    "matmul, softmax, matmul with the scores in memory, on our own matrix product",
    |name, setting, params, inputs| Ok(Box::new(Prepared::new(name, naive, setting, params, inputs))),
);

/// The kernel that `benchbook` calls `fused`, without the scores in memory.
pub const FUSED: Row<Attention> = row(
    "fused",
    "hand-written fused attention: AVX-512, AVX2 or portable, tiles of keys, online softmax",
    |name, setting, params, inputs| Ok(Box::new(Prepared::new(name, fused, setting, params, inputs))),
);

const fn row(
    name: &'static str,
    about: &'static str,
    prepare: fn(&'static str, &Setting, &AttentionParams, &Inputs) -> Result<Box<dyn Subject>>,
) -> Row<Attention> {
    Row::<Attention>::new(name, about, &[DEVICE], &[DType::F32], engine, prepare).only(plain)
}

fn engine(_device: &str) -> (String, String) {
    ("benchbook-simd".to_owned(), format!("{} {}", env!("CARGO_PKG_VERSION"), Isa::detect().name()))
}

fn plain(_device: &str, _dtype: DType, params: &AttentionParams) -> Support {
    if params.causal || params.masked || params.kv_heads != params.heads {
        return Support::No("the first look measures plain attention alone".into());
    }
    Support::Yes
}

/// A way to compute attention.
type Kernel = fn(Heads, &[Array; 3], &mut Room) -> benchbook_simd::Result<()>;

struct Prepared {
    name: &'static str,
    kernel: Kernel,
    heads: Heads,
    copies: Vec<[Array; 3]>,
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
    fn new(name: &'static str, kernel: Kernel, setting: &Setting, params: &AttentionParams, inputs: &Inputs) -> Self {
        let AttentionParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim, .. } = *params;
        let heads = Heads { batch, heads, kv_heads, seq_q, seq_kv, head_dim };
        let copies = (0..setting.copies).map(|_| INPUTS.map(|name| inputs.get(name).clone())).collect();
        Self { name, kernel, heads, copies, next: 0, room: Room::default(), failure: None }
    }

    fn error(&self, reason: String) -> Error {
        Error::Implementation { implementation: self.name.into(), device: DEVICE.into(), reason }
    }
}

impl Subject for Prepared {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            let done = (self.kernel)(self.heads, black_box(&self.copies[self.next]), &mut self.room);
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

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        if self.room.out.is_empty() {
            return Err(self.error("nothing has run yet".into()));
        }
        Ok(vec![Array::new(self.heads.query().to_vec(), &self.room.out)])
    }
}

fn fused(heads: Heads, inputs: &[Array; 3], room: &mut Room) -> benchbook_simd::Result<()> {
    let [query, key, value] = inputs.each_ref().map(|input| input.of::<f32>());
    room.out.resize(query.len(), 0.0);
    let isa = Isa::detect();
    let call = Attend { heads, query, key, value, scale: None, causal: false, window: None, mask: None, isa };
    benchbook_simd::attention(&call, &mut room.out)
}

fn naive(heads: Heads, inputs: &[Array; 3], room: &mut Room) -> benchbook_simd::Result<()> {
    let [query, key, value] = inputs.each_ref().map(|input| input.of::<f32>());
    let Heads { seq_q, seq_kv, head_dim, .. } = heads;
    let (of_queries, of_keys, of_scores) = (seq_q * head_dim, seq_kv * head_dim, seq_q * seq_kv);
    let Room { keys, scores, out } = room;
    keys.resize(of_keys, 0.0);
    scores.resize(heads.batch * heads.heads * of_scores, 0.0);
    out.resize(query.len(), 0.0);
    let isa = Isa::detect();
    for (head, scores) in scores.chunks_exact_mut(of_scores).enumerate() {
        transpose(&key[head * of_keys..][..of_keys], head_dim, &mut keys[..]);
        let left = &query[head * of_queries..][..of_queries];
        matmul(&Product { size: [seq_q, head_dim, seq_kv], left, right: &keys[..], isa }, scores)?;
    }
    let scale = 1.0 / (head_dim as f32).sqrt();
    scores.par_chunks_mut(seq_kv).for_each(|row| softmax(scale, row));
    for (head, out) in out.chunks_exact_mut(of_queries).enumerate() {
        let left = &scores[head * of_scores..][..of_scores];
        let right = &value[head * of_keys..][..of_keys];
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
    use benchbook_core::{Implementation, Parameters, Params, Problem, Value, Workload};

    #[test]
    fn both_ways_are_right_on_inputs_that_change() -> Result<()> {
        let given = [("batch", 2), ("heads", 3), ("seq_q", 70), ("head_dim", 24)];
        let params = given.iter().fold(Params::default(), |params, (name, n)| params.with(name, Value::Int(*n)));
        let params = AttentionParams::read(Attention::NAME, &Attention.case(params)?.params)?;
        let setting = Setting { device: DEVICE.into(), dtype: DType::F32, threads: 1, copies: 2 };
        for way in [NAIVE, FUSED] {
            let mut inputs = Attention::inputs(&params, 7);
            let mut subject = (way.prepare)(way.name, &setting, &params, &inputs)?;
            assert!(subject.outputs().is_err(), "nothing has run yet");
            for first in [0, 5] {
                let row = vec![first as f32 - 1.0; 24];
                assert!(subject.write("key", first, &row)?);
                inputs.get_mut("key").expect("a key").write(first, &row);
                subject.run(3);
                subject.sync()?;
                let compared = Attention::reference(&params, &inputs, 7).compare(&subject.outputs()?).remove(0);
                let tolerance = Attention::tolerance(&params, DType::F32);
                assert!(compared.max_scaled_error < tolerance, "{}: {compared:?}", way.name);
            }
            assert!(!subject.write("mask", 0, &[1.0])?);
        }
        Ok(())
    }

    #[test]
    fn what_is_not_plain_is_refused() -> Result<()> {
        let support = |name: &str, value: Value| -> Result<Support> {
            let case = Attention.case(Params::default().with(name, value))?;
            Ok(NAIVE.supports(DEVICE, DType::F32, &case.params))
        };
        assert_eq!(support("seq_q", Value::Int(64))?, Support::Yes);
        for (name, value) in [("causal", Value::Bool(true)), ("masked", Value::Bool(true)), ("kv_heads", Value::Int(2))]
        {
            assert!(matches!(support(name, value)?, Support::No(_)), "{name}");
        }
        Ok(())
    }
}
