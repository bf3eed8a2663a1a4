//! Multi-head latent attention: every instruction set against plain loops in `f64`, which make keys and values of every head.

use benchbook_simd::{Isa, LatentAttention, LatentMatrices, LatentSizes, LatentWeights, Rotary, latent_attention};
use proptest::prelude::*;

use crate::common::{BASE, close, numbers, present, turned};

const EPSILON: f64 = 1e-5;

/// Sizes of a call: sequences, new positions, and positions that are cached.
type Positions = [usize; 3];

/// Numbers of a call.
struct Drawn {
    sizes: LatentSizes,
    positions: Positions,
    input: Vec<f32>,
    cache: Vec<f32>,
    /// In the order of [`LatentMatrices`].
    weights: [Vec<f32>; 10],
}

/// Heads; width, ranks of queries and keys; numbers of a head's key, of those that carry its place, and of a value.
fn sizes(heads: usize, [width, query_rank, kv_rank]: [usize; 3], dims: [usize; 3]) -> LatentSizes {
    let [head_dim, rotary_dim, value_dim] = dims;
    LatentSizes { heads, width, query_rank, kv_rank, head_dim, rotary_dim, value_dim }
}

impl Drawn {
    fn new(sizes: LatentSizes, positions: Positions, seed: u64) -> Self {
        let LatentSizes { heads, width, query_rank, kv_rank, head_dim, rotary_dim, value_dim } = sizes;
        let [batch, seq_q, cached] = positions;
        let shapes = [
            [width, query_rank],
            [query_rank, heads * head_dim],
            [query_rank, heads * rotary_dim],
            [width, kv_rank],
            [width, rotary_dim],
            [kv_rank, heads * head_dim],
            [kv_rank, heads * value_dim],
            [heads * value_dim, width],
            [1, query_rank],
            [1, kv_rank],
        ];
        let mut stream = seed;
        let mut drawn = |count: usize| {
            stream = stream.wrapping_add(1);
            numbers(count, stream)
        };
        let (input, cache) = (drawn(batch * seq_q * width), drawn(batch * cached * sizes.entry()));
        // Scores of a few units: weights of the softmax that differ.
        let weights = shapes.map(|[rows, columns]| {
            let factor = 3.0 / (rows as f32).sqrt();
            drawn(rows * columns).into_iter().map(|x| factor * x).collect()
        });
        Self { sizes, positions, input, cache, weights }
    }

    fn matrices(&self) -> LatentMatrices<'_> {
        let [query_down, query_up, query_rotary, kv_down, key_rotary, key_up, value_up, out, query_gain, kv_gain] =
            self.weights.each_ref().map(|numbers| &numbers[..]);
        LatentMatrices {
            query_down,
            query_up,
            query_rotary,
            kv_down,
            key_rotary,
            key_up,
            value_up,
            out,
            query_gain,
            kv_gain,
        }
    }

    /// Results, and entries.
    fn answer(&self, isa: Isa) -> [Vec<f32>; 2] {
        let ([batch, seq_q, cached], sizes) = (self.positions, self.sizes);
        let rotary = Rotary::new(cached + seq_q, sizes.rotary_dim, BASE).unwrap();
        let weights = LatentWeights::new(sizes, &self.matrices(), rotary, EPSILON, isa).unwrap();
        let mut out = vec![f32::NAN; batch * seq_q * sizes.width];
        let mut entries = vec![f32::NAN; batch * seq_q * sizes.entry()];
        let (input, cache, seq_kv) = (&self.input[..], &self.cache[..], cached + seq_q);
        let call = LatentAttention { batch, seq_q, seq_kv, input, cache, weights: &weights };
        latent_attention(&call, &mut out, &mut entries).unwrap();
        [out, entries]
    }

    /// The same, position by position: keys and values of every head are made of all entries.
    fn reference(&self) -> [Vec<f64>; 2] {
        let LatentSizes { heads, kv_rank, head_dim, rotary_dim, value_dim, .. } = self.sizes;
        let ([batch, seq_q, cached], width, entry) = (self.positions, self.sizes.width, self.sizes.entry());
        let [query_down, query_up, query_rotary, kv_down, key_rotary, key_up, value_up, w_out, query_gain, kv_gain] =
            &self.weights;
        let [mut out, mut entries] = [Vec::new(), Vec::new()];
        for sequence in 0..batch {
            let kept = &self.cache[sequence * cached * entry..][..cached * entry];
            let mut seen: Vec<Vec<f64>> = wide(kept).chunks(entry).map(<[f64]>::to_vec).collect();
            for step in 0..seq_q {
                let x = wide(&self.input[(sequence * seq_q + step) * width..][..width]);
                let mut new = normed(&times(&x, kv_down), kv_gain);
                new.extend(turned(&times(&x, key_rotary), cached + step));
                entries.extend_from_slice(&new);
                seen.push(new);
                let latent = normed(&times(&x, query_down), query_gain);
                let (plain, placed) = (times(&latent, query_up), times(&latent, query_rotary));
                let mut given = Vec::new();
                for head in 0..heads {
                    let mut query = plain[head * head_dim..][..head_dim].to_vec();
                    query.extend(turned(&placed[head * rotary_dim..][..rotary_dim], cached + step));
                    let keys = seen.iter().map(|entry| {
                        let mut key = times(&entry[..kv_rank], key_up)[head * head_dim..][..head_dim].to_vec();
                        key.extend_from_slice(&entry[kv_rank..]);
                        key
                    });
                    let scale = 1.0 / (query.len() as f64).sqrt();
                    let score = |key: Vec<f64>| scale * query.iter().zip(key).map(|(q, k)| q * k).sum::<f64>();
                    let scores: Vec<f64> = keys.map(score).collect();
                    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
                    let mut sum = vec![0.0; value_dim];
                    for (entry, score) in seen.iter().zip(&scores) {
                        let value = &times(&entry[..kv_rank], value_up)[head * value_dim..][..value_dim];
                        let weight = (score - most).exp() / total;
                        sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * value);
                    }
                    given.extend(sum);
                }
                out.extend(times(&given, w_out));
            }
        }
        [out, entries]
    }

    fn check(&self) {
        let [wanted, new] = self.reference();
        for isa in present() {
            let [found, entries] = self.answer(isa);
            assert_eq!([found.len(), entries.len()], [wanted.len(), new.len()]);
            let name = format!("{:?} {:?} by {}", self.positions, self.sizes, isa.name());
            close(&name, &found, &wanted, 1e-5);
            close(&format!("entries of {name}"), &entries, &new, 1e-5);
        }
    }
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|number| f64::from(*number)).collect()
}

/// A row times a matrix.
fn times(row: &[f64], matrix: &[f32]) -> Vec<f64> {
    let columns = matrix.len() / row.len();
    let mut sums = vec![0.0; columns];
    for (x, weights) in row.iter().zip(matrix.chunks(columns)) {
        sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * f64::from(*weight));
    }
    sums
}

fn normed(x: &[f64], gain: &[f32]) -> Vec<f64> {
    let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    x.iter().zip(gain).map(|(x, gain)| x / (square + EPSILON).sqrt() * f64::from(*gain)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_sizes_are_right(
        heads in 1..6_usize,
        ranks in [1..30_usize, 1..20_usize, 1..40_usize],
        (head_dim, half, value_dim) in (1..40_usize, 1..10_usize, 1..40_usize),
        positions in [1..3_usize, 1..12_usize, 0..30_usize],
        seed in any::<u64>(),
    ) {
        Drawn::new(sizes(heads, ranks, [head_dim, 2 * half, value_dim]), positions, seed).check();
    }
}

#[test]
fn a_prompt_and_a_step_of_decoding_are_right() {
    for (sizes, positions) in [
        (sizes(1, [1, 1, 1], [1, 2, 1]), [1, 1, 0]),
        // Keys of every head: whole tiles, several tiles of keys, several sequences at a time.
        (sizes(3, [20, 17, 33], [32, 8, 32]), [2, 150, 0]),
        (sizes(2, [9, 7, 70], [3, 2, 5]), [40, 33, 0]),
        // Latents: more queries than a block of any instruction set, keys in several parts, a latent of more than a run.
        (sizes(40, [11, 5, 3], [7, 4, 2]), [1, 9, 600]),
        (sizes(5, [12, 6, 8], [16, 6, 4]), [2, 1, 2100]),
        (sizes(2, [12, 300, 260], [20, 2, 270]), [1, 2, 90]),
    ] {
        Drawn::new(sizes, positions, 11).check();
    }
}

#[test]
fn later_positions_and_other_sequences_never_show() {
    // As a prompt, and beside a cache over which latents are attended to.
    for (cached, sizes) in [(0, sizes(2, [12, 6, 40], [8, 4, 8])), (90, sizes(3, [12, 6, 8], [8, 4, 8]))] {
        let plain = Drawn::new(sizes, [2, 40, cached], 5);
        let mut changed = Drawn::new(sizes, [2, 40, cached], 5);
        // The last ten positions of the first sequence, and all of the second.
        changed.input[30 * 12..40 * 12].iter_mut().for_each(|x| *x = 1.0 - *x);
        changed.input[40 * 12..].fill(f32::NAN);
        for isa in present() {
            let ([before, _], [after, _]) = (plain.answer(isa), changed.answer(isa));
            assert_eq!(before[..30 * 12], after[..30 * 12], "{cached} {}", isa.name());
            assert!(after[..40 * 12].iter().all(|x| x.is_finite()), "{cached} {}", isa.name());
            assert!(after[40 * 12..].iter().all(|x| x.is_nan()), "{cached} {}", isa.name());
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_shape() {
    let sizes = sizes(3, [12, 6, 8], [8, 4, 5]);
    let drawn = Drawn::new(sizes, [2, 3, 4], 1);
    let plain = drawn.matrices();
    let refused = |sizes: LatentSizes, matrices: &LatentMatrices, rotary_dim: usize| {
        let rotary = Rotary::new(7, rotary_dim, BASE).unwrap();
        LatentWeights::new(sizes, matrices, rotary, EPSILON, Isa::Portable).unwrap_err().to_string()
    };
    for (message, part) in [
        (refused(sizes, &LatentMatrices { out: &plain.out[1..], ..plain }, 4), "the output weights holds 179 numbers"),
        (refused(sizes, &LatentMatrices { key_up: &[], ..plain }, 4), "the key's up weights holds 0 numbers"),
        (refused(sizes, &LatentMatrices { kv_gain: plain.query_gain, ..plain }, 4), "the gain holds 6 numbers"),
        (refused(sizes, &plain, 6), "keys carry their place in 4 numbers, angles are for 6"),
        (refused(LatentSizes { heads: 0, ..sizes }, &plain, 4), "a size of 0"),
    ] {
        assert!(message.contains(part), "{message}");
    }
    let rotary = Rotary::new(7, 4, BASE).unwrap();
    let weights = LatentWeights::new(sizes, &plain, rotary, EPSILON, Isa::Portable).unwrap();
    let (input, cache, weights) = (&drawn.input[..], &drawn.cache[..], &weights);
    let call = LatentAttention { batch: 2, seq_q: 3, seq_kv: 7, input, cache, weights };
    let said = |call: LatentAttention, out: usize, entries: usize| {
        let result = latent_attention(&call, &mut vec![0.0; out], &mut vec![0.0; entries]);
        result.map_err(|error| error.to_string())
    };
    assert_eq!(said(call, 72, 72), Ok(()));
    assert_eq!(said(LatentAttention { batch: 0, input: &[], cache: &[], ..call }, 0, 0), Ok(()));
    for (found, part) in [
        (said(LatentAttention { seq_kv: 2, ..call }, 72, 72), "3 new positions are more than 2 in all"),
        (said(LatentAttention { input: &input[1..], ..call }, 72, 72), "the input holds 71 numbers"),
        (said(LatentAttention { cache: &[], ..call }, 72, 72), "the cache holds 0 numbers, its shape [2, 4, 12]"),
        (said(call, 71, 72), "the result holds 71 numbers"),
        (said(call, 72, 71), "the entries holds 71 numbers"),
    ] {
        let message = found.unwrap_err();
        assert!(message.contains(part), "{message}");
    }
    let more = vec![0.0; 2 * 5 * 12];
    let late = LatentAttention { seq_kv: 8, cache: &more, ..call };
    assert_eq!(said(late, 72, 72), Err("positions up to 8 are asked, angles are known for 7".into()));
}
