//! Rotary position embedding.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per sequence; tasks write rows of several of them")]

use std::ops::Range;

use crate::attention::{Attend, attention};
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{load_first, store_first};
use crate::memory::{Pieces, scratch};
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Pairs whose angles a task keeps near: 16 KiB, half of a first-level cache.
const ANGLES: usize = 2048;

/// Angles for positions and pairs of numbers (Su et al., arXiv 2104.09864, section 3.2.2), computed once.
///
/// A pair is number `i` and number `i + head_dim / 2`, as in GPT-NeoX and in LLaMA as Transformers has it (`rotate_half`). The paper
/// pairs neighbours, `2 i` and `2 i + 1`: the same rotation with the columns of the weights in another order.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    half: usize,
    /// `[positions, half]`
    cos: Vec<f32>,
    /// `[positions, half]`
    sin: Vec<f32>,
}

impl Rotary {
    /// Angles `position · base^(−2 i / head_dim)`, in `f64` before they are rounded.
    ///
    /// # Errors
    /// An odd `head_dim`.
    pub fn new(positions: usize, head_dim: usize, base: f64) -> Result<Self> {
        if !head_dim.is_multiple_of(2) {
            return Err(Error::Shape(format!("head_dim {head_dim} is odd: numbers are rotated in pairs")));
        }
        let half = head_dim / 2;
        let angle = |index: usize| {
            let (position, pair) = (index / half, index % half);
            position as f64 * base.powf(-2.0 * pair as f64 / head_dim as f64)
        };
        let (cos, sin) =
            (0..positions * half).map(|index| (angle(index).cos() as f32, angle(index).sin() as f32)).unzip();
        Ok(Self { half, cos, sin })
    }

    /// The same angles the other way round: they turn back what these have turned, and gradients of it.
    pub fn reversed(&self) -> Self {
        Self { sin: self.sin.iter().map(|sin| -sin).collect(), ..self.clone() }
    }

    /// Angles of so many rows, of which each pair of numbers stands at a position of its own, `place(row, pair)` among those that are known
    /// here: multimodal rotary positions (Wang et al., arXiv 2409.12191, section 2.1).
    ///
    /// # Errors
    /// Positions without an angle.
    pub fn placed(&self, rows: usize, place: impl Fn(usize, usize) -> usize) -> Result<Self> {
        let known = self.positions();
        let places: Vec<usize> = (0..rows * self.half).map(|at| place(at / self.half, at % self.half)).collect();
        if let Some(beyond) = places.iter().find(|place| **place >= known) {
            return Err(Error::Shape(format!("position {beyond} is asked, angles are known for {known}")));
        }
        let taken = |angles: &[f32]| -> Vec<f32> {
            places.iter().enumerate().map(|(at, place)| angles[place * self.half + at % self.half]).collect()
        };
        Ok(Self { half: self.half, cos: taken(&self.cos), sin: taken(&self.sin) })
    }

    /// Positions that there are angles for.
    pub fn positions(&self) -> usize {
        self.cos.len().checked_div(self.half).unwrap_or(0)
    }

    /// Numbers of a vector.
    pub fn head_dim(&self) -> usize {
        2 * self.half
    }

    /// Rotates `from` `[…, seq, head_dim]`, whose first position is `first`, into `to`, of the same shape. A task takes some
    /// positions of several sequences or heads, so that their angles stay near. Nothing is allocated.
    ///
    /// # Errors
    /// Slices of different or uneven length, positions without an angle, an instruction set that is absent.
    pub fn rotate(&self, isa: Isa, seq: usize, first: usize, from: &[f32], to: &mut [f32]) -> Result<()> {
        let width = 2 * self.half;
        expect_len("the rotated numbers", &[from.len()], to.len())?;
        if !from.len().is_multiple_of(seq * width) {
            return Err(Error::Shape(format!("{} numbers are no whole number of [{seq}, {width}]", from.len())));
        }
        if first + seq > self.positions() {
            let known = self.positions();
            return Err(Error::Shape(format!(
                "positions up to {} are asked, angles are known for {known}",
                first + seq
            )));
        }
        with_isa!(isa, |tools| run(&tools, self, [seq, first], from, to));
        Ok(())
    }
}

fn run<T: Tools + Sync>(tools: &T, rotary: &Rotary, [seq, first]: [usize; 2], from: &[f32], to: &mut [f32]) {
    if from.is_empty() {
        return;
    }
    let width = 2 * rotary.half;
    let all = from.len() / (seq * width);
    let steps = (ANGLES / rotary.half).clamp(1, seq);
    let sequences = (each(all * seq, width) / steps).clamp(1, all);
    let across = all.div_ceil(sequences);
    let to = Pieces::new(to);
    parallel_for(0..seq.div_ceil(steps) * across, |task| {
        let (step, sequence) = (task / across * steps, task % across * sequences);
        let (steps, sequences) = (step..seq.min(step + steps), sequence..all.min(sequence + sequences));
        tools.run(Turn { rotary, seq, first, steps, sequences, from, to: &to });
    });
}

/// Some steps of some sequences.
struct Turn<'a> {
    rotary: &'a Rotary,
    seq: usize,
    /// The position of the first step.
    first: usize,
    steps: Range<usize>,
    sequences: Range<usize>,
    /// `[…, seq, head_dim]`
    from: &'a [f32],
    to: &'a Pieces<'a>,
}

impl Kernel for Turn<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { rotary: Rotary { half, cos, sin }, seq, first, steps, sequences, from, to } = self;
        let (half, width) = (*half, 2 * *half);
        let angles = (first + steps.start) * half..(first + steps.end) * half;
        let (cos, sin) = (&cos[angles.clone()], &sin[angles]);
        for sequence in sequences {
            let rows = (sequence * seq + steps.start) * width..(sequence * seq + steps.end) * width;
            let (from, to) = (&from[rows.clone()], to.pointer(rows.start));
            for (row, from) in from.chunks_exact(width).enumerate() {
                for pair in (0..half).step_by(V::LANES) {
                    let lanes = V::LANES.min(half - pair);
                    // SAFETY: as promised; a row has two halves, each of its pairs an angle, and these rows of the result are this task's
                    // alone.
                    unsafe {
                        let cos = load_first::<V>(cos.as_ptr().add(row * half + pair), lanes);
                        let sin = load_first::<V>(sin.as_ptr().add(row * half + pair), lanes);
                        let x = load_first::<V>(from.as_ptr().add(pair), lanes);
                        let y = load_first::<V>(from.as_ptr().add(half + pair), lanes);
                        let to = to.add(row * width + pair);
                        store_first(x.mul(cos).sub(y.mul(sin)), to, lanes);
                        store_first(y.mul(cos).add(x.mul(sin)), to.add(half), lanes);
                    }
                }
            }
        }
    }
}

/// [`attention`] with queries and keys turned by their positions first, into scratch; the last query stands at the position
/// of the last key.
///
/// # Errors
/// As of [`attention`]; more queries than keys, positions without an angle, or angles for heads of another width.
pub fn rotary_attention(call: &Attend, rotary: &Rotary, out: &mut [f32]) -> Result<()> {
    let (seq_q, seq_kv) = (call.heads.seq_q, call.heads.seq_kv);
    let Some(first) = seq_kv.checked_sub(seq_q) else {
        return Err(Error::Shape(format!("{seq_q} queries have no position among {seq_kv} keys")));
    };
    let (wanted, found) = (call.heads.head_dim, rotary.head_dim());
    if wanted != found {
        return Err(Error::Shape(format!("heads are {wanted} wide, angles are known for {found}")));
    }
    scratch([call.query.len(), call.key.len()], |[query, key]| {
        rotary.rotate(call.isa, seq_q, first, call.query, query)?;
        rotary.rotate(call.isa, seq_kv, 0, call.key, key)?;
        attention(&Attend { query, key, ..*call }, out)
    })
}
