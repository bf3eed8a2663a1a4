//! Attention to queries, keys and values of eight bits, as FlashAttention-3 has them on Hopper (Shah et al., arXiv 2407.08608, section
//! 3.3), emulated: what its numbers lose shows anywhere, its speed nowhere but there.
//!
//! Such a row is checked against the attention to the numbers that it computes with.

use benchbook_core::{Array, DType, Inputs, Problem, Reference, Result, Row, Setting, Subject, Support};
use benchbook_simd::{self as simd, Attend, Float8, Heads, Isa, hadamard, largest, round_float8};
use benchbook_workloads::attention::{Attention, AttentionParams};

use crate::flex::calls::{Calls, Named, named, numbers, room};
use crate::flex::row::fused_row;
use crate::flex::training::casts::scale;

/// Implementations of `attention` with what they compute in eight bits.
pub const ROWS: [Row<Attention>; 2] = [
    eight::<false>(
        "fp8-blocks",
        "emulated: queries, keys and values in e4m3, a scale for each 64 rows of a head, scores and probabilities in f32 \
         (FlashAttention-3, arXiv 2407.08608, section 3.3)",
    ),
    eight::<true>(
        "fp8-incoherent",
        "emulated: as fp8-blocks, with queries and keys turned before by random signs and the Walsh-Hadamard matrix \
         (incoherent processing)",
    )
    .catalogue(&["AT3"]),
];

const NAMES: [&str; 3] = ["query", "key", "value"];

/// The place of values among these, which are not turned.
const VALUE: usize = 2;

/// Rows of a head that share a scale.
const BLOCK: usize = 64;

const fn eight<const TURNED: bool>(name: &'static str, about: &'static str) -> Row<Attention> {
    fused_row::<Attention>(name, about, &[DType::F32], prepare::<TURNED>)
        .only(takes::<TURNED>)
        .approximating(answer::<TURNED>)
        .on_request()
}

fn takes<const TURNED: bool>(_device: &str, _dtype: DType, params: &AttentionParams) -> Support {
    if params.masked {
        return Support::No("attention in eight bits takes no mask here".into());
    }
    if TURNED && !params.head_dim.is_power_of_two() {
        return Support::No(format!("a rotation takes a head_dim that is a power of two, not {}", params.head_dim));
    }
    Support::Yes
}

fn heads(params: &AttentionParams) -> Heads {
    let AttentionParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim, .. } = *params;
    Heads { batch, heads, kv_heads, seq_q, seq_kv, head_dim }
}

/// Numbers as e4m3 has them, and room for a block on the way there.
struct Rounded {
    all: [Vec<f32>; 3],
    block: Vec<f32>,
}

impl Rounded {
    fn of(inputs: &[Named; 3], head_dim: usize) -> Self {
        Self { all: numbers(inputs).map(<[f32]>::to_vec), block: vec![0.0; BLOCK * head_dim] }
    }

    /// Rounds queries, keys and values of these sizes.
    fn round<const TURNED: bool>(&mut self, inputs: &[Named; 3], heads: Heads) -> simd::Result<()> {
        let Heads { seq_q, seq_kv, head_dim, .. } = heads;
        let given = numbers(inputs).into_iter().zip([seq_q, seq_kv, seq_kv]);
        for (place, ((from, seq), to)) in given.zip(&mut self.all).enumerate() {
            let of_heads = to.chunks_mut(seq * head_dim).zip(from.chunks(seq * head_dim));
            let blocks =
                of_heads.flat_map(|(to, from)| to.chunks_mut(BLOCK * head_dim).zip(from.chunks(BLOCK * head_dim)));
            for (to, from) in blocks {
                let block = &mut self.block[..from.len()];
                block.copy_from_slice(from);
                if TURNED && place != VALUE {
                    block.chunks_exact_mut(head_dim).for_each(turn);
                }
                round_float8(Isa::detect(), Float8::E4M3, scale(Float8::E4M3, largest(block)), block, to)?;
            }
        }
        Ok(())
    }
}

/// Turns a row by signs, the same in each, and the Walsh–Hadamard matrix: its products with others that are turned stay what they are.
fn turn(row: &mut [f32]) {
    for (at, number) in row.iter_mut().enumerate() {
        // The highest bit of a multiplicative hash (Knuth, The Art of Computer Programming, volume 3, section 6.4).
        let is_negative = (at as u32 + 1).wrapping_mul(0x9e37_79b9) >> 31 == 1;
        *number = if is_negative { -*number } else { *number };
    }
    hadamard(row);
}

fn prepare<const TURNED: bool>(
    name: &'static str,
    setting: &Setting,
    params: &AttentionParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let (heads, causal) = (heads(params), params.causal);
    let copy = || {
        let inputs = named(inputs, NAMES);
        let rounded = Rounded::of(&inputs, heads.head_dim);
        Ok((inputs, rounded))
    };
    let outputs = [room::<f32>(vec![heads.batch, heads.heads, heads.seq_q, heads.head_dim])];
    let call = move |(inputs, rounded): &mut ([Named; 3], Rounded), [out]: &mut [Array; 1]| {
        rounded.round::<TURNED>(inputs, heads)?;
        let [query, key, value] = rounded.all.each_ref().map(Vec::as_slice);
        let isa = Isa::detect();
        let attend = Attend { heads, query, key, value, scale: None, causal, window: None, mask: None, isa };
        simd::attention(&attend, out.of_mut::<f32>())
    };
    Ok(Box::new(Calls::new(name, setting, copy, &outputs, call)?))
}

/// The attention to the numbers that a row computes with, turned as they are.
fn answer<const TURNED: bool>(params: &AttentionParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    if takes::<TURNED>("", DType::F32, params) != Support::Yes {
        return None;
    }
    let given = named(inputs, NAMES);
    let mut rounded = Rounded::of(&given, params.head_dim);
    rounded.round::<TURNED>(&given, heads(params)).ok()?;
    let array = |place: usize| {
        let shape = inputs.get(NAMES[place]).shape().to_vec();
        (NAMES[place], Array::new(shape, &rounded.all[place]))
    };
    Some(Attention::reference(params, &Inputs::from([array(0), array(1), array(VALUE)]), seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_keeps_products_and_spreads_what_is_large() {
        let (mut one, mut other) = ([0.0; 64], [0.0; 64]);
        (one[3], other[3], other[5]) = (64.0, 0.5, 7.0);
        [&mut one, &mut other].into_iter().for_each(|row| turn(row));
        let product: f32 = one.iter().zip(&other).map(|(one, other)| one * other).sum();
        assert!((product - 32.0).abs() < 1e-3, "{product}");
        assert!(one.iter().all(|number| (number.abs() - 8.0).abs() < 1e-4), "{one:?}");
    }

    #[test]
    fn an_answer_is_some_hundredths_away() {
        let params = AttentionParams { heads: 1, kv_heads: 1, seq_q: 65, seq_kv: 65, ..AttentionParams::default() };
        let inputs = Attention::inputs(&params, 1);
        let values = |mut of: Reference| of.answers.remove(0).values;
        let right = values(Attention::reference(&params, &inputs, 1));
        for found in [answer::<false>(&params, &inputs, 1), answer::<true>(&params, &inputs, 1)] {
            let found = values(found.unwrap());
            let square = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|number| number * number).sum::<f64>();
            let off = square(&mut found.iter().zip(&right).map(|(found, right)| found - right));
            let share = (off / square(&mut right.iter().copied())).sqrt();
            assert!((0.003..0.15).contains(&share), "{share}");
        }
        assert!(answer::<true>(&AttentionParams { head_dim: 48, ..params.clone() }, &inputs, 1).is_none());
        assert!(answer::<false>(&AttentionParams { masked: true, ..params }, &inputs, 1).is_none());
    }
}
