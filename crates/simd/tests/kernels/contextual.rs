//! Contextual positions: every instruction set against plain loops in `f64`.

use benchbook_simd::{Attend, Contextual, Heads, Isa, attention, contextual_attention};
use proptest::prelude::*;

use crate::common::{close, numbers, present};

/// A rounding of a number in `f32`, as a share of it.
const UNIT: f64 = 1.0 / (1 << 24) as f64;

/// Roundings, squared and added up, that every number has beside those of its sums: of factors, powers of two, quotients, differences.
const FEW: f64 = 8.0;

/// Deviations that are allowed: fewer than four numbers in 10⁸ are farther off.
const MOST: f64 = 6.0;

/// A sum of products, and the squares of all that it comes to on the way, since each step is rounded in proportion to that.
fn summed(left: &[f32], right: &[f32]) -> [f64; 2] {
    left.iter().zip(right).fold([0.0; 2], |[sum, squares], (left, right)| {
        let sum = sum + f64::from(*left) * f64::from(*right);
        [sum, squares + sum * sum]
    })
}

/// Numbers, and how far each may be off: roundings, one as often up as another down, add up to the root of their squares (Higham and Mary,
/// SIAM J. Sci. Comput. 41(5), 2019), from scores by gates to positions, and from both by what is averaged to what comes out.
fn reference(call: &Contextual) -> Vec<[f64; 2]> {
    let Heads { batch, heads, kv_heads, seq_q, seq_kv, head_dim: d } = call.heads;
    let scale = call.scale.map_or(1.0 / (d as f64).sqrt(), f64::from);
    let mut out = Vec::with_capacity(call.query.len());
    for row in 0..batch * heads * seq_q {
        let (b, h, i) = (row / (heads * seq_q), row / seq_q % heads, row % seq_q);
        let kv = (b * kv_heads + h / (heads / kv_heads)) * seq_kv;
        let seen = (i + 1 + seq_kv).saturating_sub(seq_q);
        let q = &call.query[row * d..][..d];
        let z: Vec<[f64; 2]> = call.embedding.chunks_exact(d).map(|e| summed(q, e)).collect();
        let z_squares = z.iter().map(|[z, squares]| squares + FEW * z * z).fold(0.0, f64::max);
        let steepest = z.windows(2).map(|pair| (pair[1][0] - pair[0][0]).abs()).fold(0.0, f64::max);
        let [mut scores, mut off] = [vec![0.0; seen], vec![0.0; seen]];
        // What the factor of all scores is rounded by goes one way in all gates.
        let [mut position, mut squares, mut one_way] = [0.0_f64; 3];
        for j in (0..seen).rev() {
            let [dot, dot_squares] = summed(q, &call.key[(kv + j) * d..][..d]);
            let (s, s_squares) = (scale * dot, scale * scale * (dot_squares + FEW * dot * dot));
            let gate = 1.0 / (1.0 + (-s).exp());
            let slope = gate * (1.0 - gate);
            position += gate;
            squares += slope * slope * s_squares + FEW;
            one_way += slope * s.abs();
            let p = position.min((call.positions - 1) as f64);
            let w = p - p.floor();
            scores[j] = s + (1.0 - w) * z[p.floor() as usize][0] + w * z[p.ceil() as usize][0];
            off[j] = (s_squares + z_squares + steepest * steepest * squares).sqrt() + steepest * one_way;
        }
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= total);
        let roundings = (seen as f64 + FEW).sqrt();
        for column in 0..d {
            let value = |j: usize| f64::from(call.value[(kv + j) * d + column]);
            let wanted: f64 = weights.iter().enumerate().map(|(j, weight)| weight * value(j)).sum();
            let off = weights
                .iter()
                .zip(&off)
                .enumerate()
                .map(|(j, (weight, off))| weight * (off * (value(j) - wanted).abs() + roundings * value(j).abs()));
            out.push([wanted, MOST * UNIT * off.sum::<f64>()]);
        }
    }
    out
}

/// Panics where an instruction set is wrong; queries, keys and embeddings are up to `sizes`.
fn check(heads: Heads, positions: usize, scale: Option<f32>, sizes: [f32; 3], seed: u64) {
    let count = |shape: [usize; 4]| shape.iter().product::<usize>();
    let of = |count: usize, size: f32, stream: u64| {
        numbers(count, seed ^ stream).iter().map(|x| x * size).collect::<Vec<f32>>()
    };
    let (query, key) = (of(count(heads.query()), sizes[0], 0), of(count(heads.key()), sizes[1], 1));
    let (value, embedding) = (of(key.len(), 1.0, 2), of(positions * heads.head_dim, sizes[2], 3));
    let call = Contextual {
        heads,
        query: &query,
        key: &key,
        value: &value,
        embedding: &embedding,
        positions,
        scale,
        isa: Isa::Portable,
    };
    let wanted = reference(&call);
    for isa in present() {
        let mut out = vec![f32::NAN; query.len()];
        contextual_attention(&Contextual { isa, ..call }, &mut out).unwrap();
        for (index, (found, [wanted, off])) in out.iter().zip(&wanted).enumerate() {
            let name = isa.name();
            assert!(
                (f64::from(*found) - wanted).abs() <= *off,
                "{name} {heads:?} {positions} at {index}: {found} for {wanted}, {off} off at most"
            );
        }
    }
}

fn one_head(seq_q: usize, seq_kv: usize, head_dim: usize) -> Heads {
    Heads { batch: 1, heads: 1, kv_heads: 1, seq_q, seq_kv, head_dim }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn contextual_attention_is_right(
        (batch, kv_heads, group) in (1..3_usize, 1..3_usize, 1..3_usize),
        (seq_q, more, d) in (1..200_usize, 0..150_usize, 1..100_usize),
        positions in 1..150_usize,
        scale in proptest::option::of(0.0..0.5_f32),
        seed in any::<u64>(),
    ) {
        let heads = Heads { batch, heads: kv_heads * group, kv_heads, seq_q, seq_kv: seq_q + more, head_dim: d };
        check(heads, positions, scale, [3.0, 1.0, (3.0 / d as f32).sqrt()], seed);
    }
}

#[test]
fn sizes_beside_the_tiles_are_right() {
    for seq in [1, 2, 15, 16, 17, 33, 63, 64, 65, 127, 128, 129, 200, 333] {
        for (d, positions) in [(1, 1), (3, 2), (64, 64), (100, 3), (64, 1000), (3, 65), (8, 333), (8, 334)] {
            check(one_head(seq, seq, d), positions, None, [2.0, 1.0, 1.0 / (d as f32).sqrt()], seq as u64);
        }
    }
    // More queries than keys: the first ones see none, and get zeros.
    check(one_head(70, 40, 8), 16, None, [2.0, 1.0, 0.5], 1);
    check(one_head(5, 0, 8), 16, None, [2.0, 1.0, 0.5], 2);
}

/// An output near zero is a sum of much that is not.
#[test]
fn averages_near_zero_are_right() {
    for seed in 0..1000 {
        check(one_head(1, 140, 1), 30, None, [3.0, 1.0, 1.7], seed);
    }
}

#[test]
fn gates_that_are_wide_open_or_shut_are_right() {
    for positions in [1, 2, 30, 64, 500] {
        // Scores far beyond what moves a sigmoid, of both signs.
        check(one_head(300, 300, 16), positions, None, [60.0, 10.0, 0.02], 3);
        // No scale: every gate is ½, positions are multiples of it.
        check(one_head(300, 300, 16), positions, Some(0.0), [1.0, 1.0, 1.0], 4);
        // Positions matter more than keys.
        check(one_head(300, 300, 16), positions, None, [1.0, 1.0, 20.0], 5);
    }
    // Every gate is 1: positions are the distances, up to rounding of numbers just below 1.
    let (query, key) = (vec![10.0; 400], vec![10.0; 400]);
    let value: Vec<f32> = (0..400).map(|j| j as f32).collect();
    // What stands for the distance of 7 outweighs all else.
    let embedding: Vec<f32> = (0..64).map(|n| if n == 8 { 100.0 } else { 0.0 }).collect();
    for isa in present() {
        let call = Contextual {
            heads: one_head(400, 400, 1),
            query: &query,
            key: &key,
            value: &value,
            embedding: &embedding,
            positions: 64,
            scale: None,
            isa,
        };
        let mut out = vec![f32::NAN; 400];
        contextual_attention(&call, &mut out).unwrap();
        for (i, out) in out.iter().enumerate().skip(7) {
            assert_eq!(*out, (i - 7) as f32, "{}", isa.name());
        }
    }
}

#[test]
fn without_an_embedding_it_is_plain_attention() {
    let heads = Heads { batch: 2, heads: 4, kv_heads: 2, seq_q: 90, seq_kv: 150, head_dim: 20 };
    let (query, key) = (numbers(2 * 4 * 90 * 20, 1), numbers(2 * 2 * 150 * 20, 2));
    let embedding = vec![0.0; 7 * 20];
    for isa in present() {
        let [query, key, value, embedding] = [&query[..], &key, &key, &embedding];
        let call = Contextual { heads, query, key, value, embedding, positions: 7, scale: None, isa };
        let plain = Attend { heads, query, key, value, scale: None, causal: true, window: None, mask: None, isa };
        let [mut out, mut wanted] = [vec![f32::NAN; query.len()], vec![f32::NAN; query.len()]];
        contextual_attention(&call, &mut out).unwrap();
        attention(&plain, &mut wanted).unwrap();
        let wanted: Vec<f64> = wanted.into_iter().map(f64::from).collect();
        close(isa.name(), &out, &wanted, 1e-6);
    }
}

#[test]
fn numbers_that_are_none_come_out_as_none() {
    for isa in present() {
        let answer = |query: f32, key: [f32; 100], embedding: [f32; 3]| {
            let (query, value) = ([query; 100], [1.0; 100]);
            let call = Contextual {
                heads: one_head(100, 100, 1),
                query: &query,
                key: &key,
                value: &value,
                embedding: &embedding,
                positions: 3,
                scale: None,
                isa,
            };
            let mut out = [0.0; 100];
            contextual_attention(&call, &mut out).unwrap();
            out
        };
        let with = |place: usize, number: f32| std::array::from_fn(|j| if j == place { number } else { 0.5 });
        assert!(answer(1.0, [0.5; 100], [0.0; 3]).iter().all(|x| (x - 1.0).abs() < 1e-6));
        assert!(answer(f32::NAN, [0.5; 100], [0.0; 3]).iter().all(|x| x.is_nan()));
        assert!(answer(1.0, [0.5; 100], [f32::NAN, 0.0, 0.0]).iter().all(|x| x.is_nan()));
        for (place, number) in [(50, f32::NAN), (3, f32::NAN), (50, f32::INFINITY)] {
            let out = answer(1.0, with(place, number), [0.0; 3]);
            assert!(
                out[..place].iter().all(|x| (x - 1.0).abs() < 1e-6),
                "{}: what is not seen does nothing",
                isa.name()
            );
            assert!(out[place..].iter().all(|x| x.is_nan()), "{}", isa.name());
        }
        // The last position may hide what stands there.
        let hidden = answer(1.0, [0.5; 100], [0.0, 0.0, f32::NEG_INFINITY]);
        assert!(hidden[0].is_finite() && hidden[1..].iter().all(|x| x.is_nan() || (x - 1.0).abs() < 1e-6));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let numbers = [0.0; 64];
    let call = Contextual {
        heads: one_head(8, 8, 8),
        query: &numbers,
        key: &numbers,
        value: &numbers,
        embedding: &numbers,
        positions: 8,
        scale: None,
        isa: Isa::detect(),
    };
    let message = |call: &Contextual, length: usize| {
        contextual_attention(call, &mut vec![0.0; length]).map_err(|error| error.to_string())
    };
    assert_eq!(message(&call, 64), Ok(()));
    let two = Heads { heads: 2, kv_heads: 3, ..call.heads };
    for (call, length, part) in [
        (Contextual { positions: 7, ..call }, 64, "the embedding holds 64 numbers, its shape [7, 8] needs 56"),
        (Contextual { positions: 0, embedding: &[], ..call }, 64, "an embedding of 0 positions"),
        (Contextual { heads: one_head(8, 1 << 25, 8), positions: 1 << 25, ..call }, 64, "give 16777216 at most"),
        (Contextual { key: &numbers[1..], ..call }, 64, "key holds 63 numbers"),
        (Contextual { heads: two, ..call }, 64, "2 query heads cannot share 3"),
        (call, 63, "the result holds 63 numbers, its shape [1, 1, 8, 8] needs 64"),
    ] {
        let message = message(&call, length).unwrap_err();
        assert!(message.contains(part), "{message}");
    }
    // Nothing asked, nothing done.
    let none = Contextual { heads: one_head(0, 8, 8), query: &[], ..call };
    assert_eq!(message(&none, 0), Ok(()));
}
