//! Attention with its projections, on every instruction set against plain loops in `f64`.

use benchbook_simd::{Isa, Projected, Projections, Weights, projected_attention};
use proptest::prelude::*;

use crate::common::{numbers, present};

/// Sizes of a call.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    seq: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    causal: bool,
}

impl Sizes {
    fn hidden(self) -> usize {
        self.heads * self.head_dim
    }
}

/// Input, then weights of queries, keys, values and the result.
struct Numbers([Vec<f32>; 5]);

impl Numbers {
    fn new(sizes: Sizes, seed: u64) -> Self {
        let (hidden, kv) = (sizes.hidden(), sizes.kv_heads * sizes.head_dim);
        let counts = [sizes.batch * sizes.seq, hidden, kv, kv, hidden].map(|count| count * hidden);
        // Scores of a few units: weights of the softmax that differ.
        let sharp = 3.0 / (hidden as f32).sqrt();
        let factors = [1.0, 2.0 * sharp, 2.0 * sharp, sharp, sharp];
        let mut stream = seed;
        Self(std::array::from_fn(|part| {
            stream = stream.wrapping_add(1);
            numbers(counts[part], stream).into_iter().map(|x| x * factors[part]).collect()
        }))
    }

    fn weights(&self, sizes: Sizes) -> Weights<'_> {
        let [_, query, key, value, out] = &self.0;
        let Sizes { heads, kv_heads, head_dim, .. } = sizes;
        Weights { heads, kv_heads, head_dim, query, key, value, out }
    }

    fn answer(&self, sizes: Sizes, isa: Isa) -> Vec<f32> {
        let weights = Projections::new(&self.weights(sizes), isa).unwrap();
        let Sizes { batch, seq, causal, .. } = sizes;
        let mut out = vec![f32::NAN; batch * seq * sizes.hidden()];
        projected_attention(&Projected { batch, seq, input: &self.0[0], weights: &weights, causal }, &mut out).unwrap();
        out
    }
}

/// `[rows, k]` times `[k, columns]`.
fn product(left: &[f64], right: &[f32], k: usize) -> Vec<f64> {
    let columns = right.len() / k;
    let mut out = vec![0.0; left.len() / k * columns];
    for (row, out) in out.chunks_exact_mut(columns).enumerate() {
        for (step, left) in left[row * k..][..k].iter().enumerate() {
            for (column, out) in out.iter_mut().enumerate() {
                *out += left * f64::from(right[step * columns + column]);
            }
        }
    }
    out
}

fn reference(sizes: Sizes, Numbers([input, w_query, w_key, w_value, w_out]): &Numbers) -> Vec<f64> {
    let Sizes { batch, seq, heads, kv_heads, head_dim: d, causal } = sizes;
    let hidden = sizes.hidden();
    let input: Vec<f64> = input.iter().map(|x| f64::from(*x)).collect();
    let [query, key, value] = [w_query, w_key, w_value].map(|weights| product(&input, weights, hidden));
    let mut gathered = vec![0.0; batch * seq * hidden];
    for (row, head) in (0..batch * seq).flat_map(|row| (0..heads).map(move |head| (row, head))) {
        let (first, i) = (row / seq * seq, row % seq);
        let shared = head / (heads / kv_heads);
        let at = |j: usize| ((first + j) * kv_heads + shared) * d;
        let seen = if causal { i + 1 } else { seq };
        let mine = &query[row * hidden + head * d..][..d];
        let score = |j: usize| mine.iter().zip(&key[at(j)..]).map(|(q, k)| q * k).sum::<f64>() / (d as f64).sqrt();
        let scores: Vec<f64> = (0..seen).map(score).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
        for (j, score) in scores.iter().enumerate() {
            let weight = (score - most).exp() / total;
            let to = &mut gathered[row * hidden + head * d..][..d];
            to.iter_mut().zip(&value[at(j)..]).for_each(|(to, value)| *to += weight * value);
        }
    }
    product(&gathered, w_out, hidden)
}

/// Compares with the reference on every instruction set that this processor has.
fn check(sizes: Sizes, seed: u64) {
    let numbers = Numbers::new(sizes, seed);
    let wanted = reference(sizes, &numbers);
    let scale = wanted.iter().fold(1e-30_f64, |most, x| most.max(x.abs()));
    for isa in present() {
        let found = numbers.answer(sizes, isa);
        assert_eq!(found.len(), wanted.len());
        for (index, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            let off = (f64::from(*found) - wanted).abs();
            // Not `>`: an error that is no number is wrong too.
            assert!(off <= 1e-5 * scale, "{} at {index} of {sizes:?}: {found} for {wanted}", isa.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_sizes_are_right(
        (batch, seq) in (1..4_usize, 1..150_usize),
        (kv_heads, group, head_dim) in (1..4_usize, 1..4_usize, 1..50_usize),
        causal in any::<bool>(),
        seed in any::<u64>(),
    ) {
        check(Sizes { batch, seq, heads: kv_heads * group, kv_heads, head_dim, causal }, seed);
    }
}

#[test]
fn ugly_sizes_are_right() {
    // One position; one more than whole blocks of any instruction set; runs of steps that end within a head.
    let sizes = [
        (1, 1, 1, 1),
        (1, 1, 8, 64),
        (5, 1, 2, 3),
        (1, 257, 4, 64),
        (2, 129, 3, 1),
        (1, 33, 90, 3),
        (3, 40, 6, 80),
        (2, 9, 3, 257),
    ];
    for (batch, seq, heads, head_dim) in sizes {
        for causal in [false, true] {
            for kv_heads in [heads, heads / 2, 1] {
                if kv_heads > 0 && heads % kv_heads == 0 {
                    check(Sizes { batch, seq, heads, kv_heads, head_dim, causal }, 7);
                }
            }
        }
    }
}

#[test]
fn more_sequences_than_are_taken_at_once_are_right() {
    let wide = Sizes { batch: 70, seq: 3, heads: 2, kv_heads: 1, head_dim: 5, causal: true };
    check(wide, 3);
    check(Sizes { batch: 9, seq: 70, causal: false, ..wide }, 4);
}

#[test]
fn what_comes_later_and_what_is_another_sequence_never_shows() {
    let sizes = Sizes { batch: 2, seq: 200, heads: 2, kv_heads: 2, head_dim: 8, causal: true };
    let (plain, row) = (Numbers::new(sizes, 5), sizes.hidden());
    let mut changed = Numbers::new(sizes, 5);
    // The last hundred positions of the first sequence, and all of the second.
    changed.0[0][100 * row..200 * row].iter_mut().for_each(|x| *x = 1.0 - *x);
    changed.0[0][200 * row..].fill(f32::NAN);
    for isa in present() {
        let (before, after) = (plain.answer(sizes, isa), changed.answer(sizes, isa));
        let first = before.iter().zip(&after).position(|(before, after)| before != after);
        assert_eq!(first.map(|number| number / row), Some(100), "{}", isa.name());
        assert!(after[..200 * row].iter().all(|x| x.is_finite()), "{}", isa.name());
        assert!(after[200 * row..].iter().all(|x| x.is_nan()), "{}", isa.name());
    }
}

#[test]
fn wrong_lengths_name_the_argument_and_its_shape() {
    let sizes = Sizes { batch: 2, seq: 3, heads: 4, kv_heads: 2, head_dim: 5, causal: false };
    let numbers = Numbers::new(sizes, 1);
    let plain = numbers.weights(sizes);
    let refused = |weights: Weights| Projections::new(&weights, Isa::Portable).unwrap_err().to_string();
    for (weights, part) in [
        (Weights { query: &plain.query[1..], ..plain }, "the query weights holds 399 numbers, its shape [20, 20]"),
        (Weights { key: &plain.key[1..], ..plain }, "the key weights holds 199 numbers, its shape [20, 10]"),
        (Weights { value: plain.query, ..plain }, "the value weights holds 400 numbers, its shape [20, 10]"),
        (Weights { out: &[], ..plain }, "the output weights holds 0 numbers, its shape [20, 20]"),
        (Weights { kv_heads: 3, ..plain }, "4 query heads cannot share 3"),
        (Weights { head_dim: 0, ..plain }, "head_dim is 0"),
        (Weights { heads: 1 << 40, kv_heads: 1, head_dim: 1 << 40, ..plain }, "more numbers than memory"),
    ] {
        let message = refused(weights);
        assert!(message.contains(part), "{message}");
    }
    let weights = Projections::new(&plain, Isa::Portable).unwrap();
    let call = Projected { batch: 2, seq: 3, input: &numbers.0[0], weights: &weights, causal: false };
    let message = projected_attention(&call, &mut [0.0; 119]).unwrap_err().to_string();
    assert!(message.contains("the result") && message.contains("[2, 3, 20]"), "{message}");
    let message = projected_attention(&Projected { seq: 4, ..call }, &mut [0.0; 120]).unwrap_err().to_string();
    assert!(message.contains("the input") && message.contains("[2, 4, 20]"), "{message}");
    assert!(projected_attention(&Projected { batch: 0, input: &[], ..call }, &mut []).is_ok());
    let Some(absent) = Isa::ALL.into_iter().find(|isa| !isa.present()) else { return };
    assert!(Projections::new(&plain, absent).unwrap_err().to_string().contains(absent.name()));
}
