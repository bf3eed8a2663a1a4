//! Every instruction set against plain loops in `f64`, and rotations against what rotations keep.

use std::ops::Range;

use benchbook_simd::{
    Attend, Cache, Forward, Gradients, Heads, Isa, Paged, Place, Product, Rotary, ScoreMod, Tiles, WithBlockMask,
    attention, attention_backward, attention_with_score_mod, attention_with_sums, decode, matmul, matmul_with,
};
use proptest::prelude::*;

use crate::common::{Drawn, close, numbers, present};

/// Where the keys of a query begin, and which of them it sees.
fn seen(call: &Attend, row: usize) -> (usize, Vec<usize>) {
    let Heads { heads, kv_heads, seq_q, seq_kv, .. } = call.heads;
    let (b, h, i) = (row / (heads * seq_q), row / seq_q % heads, row % seq_q);
    let at = i as isize + seq_kv as isize - seq_q as isize;
    let seen = (0..seq_kv)
        .filter(|j| !call.causal || *j as isize <= at)
        .filter(|j| call.window.is_none_or(|window| *j as isize > at - window as isize))
        .filter(|j| call.mask.is_none_or(|mask| !mask[(b * seq_q + i) * seq_kv + j]));
    ((b * kv_heads + h / (heads / kv_heads)) * seq_kv, seen.collect())
}

fn reference(call: &Attend) -> Vec<f64> {
    let Heads { batch, heads, seq_q, head_dim: d, .. } = call.heads;
    let scale = call.scale.map_or(1.0 / (d as f64).sqrt(), f64::from);
    let mut out = Vec::new();
    for row in 0..batch * heads * seq_q {
        let (kv, seen) = seen(call, row);
        let scores: Vec<f64> = seen
            .iter()
            .map(|j| {
                let pairs = call.query[row * d..][..d].iter().zip(&call.key[(kv + j) * d..][..d]);
                scale * pairs.map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>()
            })
            .collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
        let total: f64 = weights.iter().sum();
        for column in 0..d {
            let sum: f64 =
                seen.iter().zip(&weights).map(|(j, w)| w * f64::from(call.value[(kv + j) * d + column])).sum();
            out.push(if seen.is_empty() { 0.0 } else { sum / total });
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn products_are_right(
        // One block, several blocks of steps, and several blocks of columns.
        (m, k, n) in prop_oneof![
            (0..70_usize, 0..300_usize, 0..90_usize),
            (0..30_usize, 500..1200_usize, 0..90_usize),
            (0..30_usize, 0..90_usize, 250..900_usize),
        ],
        seed in any::<u64>(),
    ) {
        let (left, right) = (numbers(m * k, seed), numbers(k * n, !seed));
        let mut wanted = vec![0.0; m * n];
        for i in 0..m {
            for j in 0..n {
                wanted[i * n + j] = (0..k).map(|s| f64::from(left[i * k + s]) * f64::from(right[s * n + j])).sum();
            }
        }
        for isa in present() {
            let mut out = vec![f32::NAN; m * n];
            matmul(&Product { size: [m, k, n], left: &left, right: &right, isa }, &mut out).unwrap();
            close(isa.name(), &out, &wanted, 1e-5);
            for tiles in [[16, 1, 0], [48, 3, 4], [1024, 32, 1]] {
                let [depth, panels, down] = tiles;
                out.fill(f32::NAN);
                let product = Product { size: [m, k, n], left: &left, right: &right, isa };
                matmul_with(&product, Tiles { depth, panels, down }, &mut out).unwrap();
                close(&format!("{} {tiles:?}", isa.name()), &out, &wanted, 1e-5);
            }
        }
    }

    #[test]
    fn attention_is_right(
        (batch, kv_heads, group) in (1..3_usize, 1..3_usize, 1..3_usize),
        (seq_q, seq_kv, d) in (1..150_usize, 1..150_usize, 1..100_usize),
        causal in any::<bool>(),
        window in proptest::option::of(1..100_usize),
        masked in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let heads = Heads { batch, heads: kv_heads * group, kv_heads, seq_q, seq_kv, head_dim: d };
        let drawn = Drawn::new(heads, 4.0, seed);
        let call = Attend { causal, window, mask: masked.then_some(&drawn.mask[..]), ..drawn.plain() };
        let wanted = reference(&call);
        for isa in present() {
            let mut out = vec![f32::NAN; call.query.len()];
            attention(&Attend { isa, ..call }, &mut out).unwrap();
            close(isa.name(), &out, &wanted, 1e-5);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_paged_cache_answers_as_a_contiguous_one(
        (batch, kv_heads, group) in (1..4_usize, 1..3_usize, 1..5_usize),
        (seq_q, seq_kv, d) in (1..3_usize, 1..1200_usize, 1..140_usize),
        block in 1..40_usize,
        causal in any::<bool>(),
        window in proptest::option::of(1..300_usize),
        seed in any::<u64>(),
    ) {
        let heads = Heads { batch, heads: kv_heads * group, kv_heads, seq_q, seq_kv, head_dim: d };
        let drawn = Drawn::new(heads, 1.0, seed);
        let call = Attend { causal, window, ..drawn.plain() };
        let wanted = reference(&call);
        // Blocks in an order of their own, with some that nobody has.
        let each = seq_kv.div_ceil(block);
        let blocks = 2 * batch * each + 1;
        let place = |sequence: usize, index: usize| (2 * (sequence * each + index) * 7 + 1) % blocks;
        let table: Vec<i32> = (0..batch * each).map(|at| place(at / each, at % each) as i32).collect();
        let distinct: std::collections::BTreeSet<_> = table.iter().collect();
        prop_assume!(distinct.len() == table.len());
        let pool = |from: &[f32]| {
            let mut pool = vec![f32::NAN; blocks * kv_heads * block * d];
            for (b, h, j) in (0..batch).flat_map(|b| (0..kv_heads).flat_map(move |h| (0..seq_kv).map(move |j| (b, h, j)))) {
                let to = ((place(b, j / block) * kv_heads + h) * block + j % block) * d;
                pool[to..to + d].copy_from_slice(&from[((b * kv_heads + h) * seq_kv + j) * d..][..d]);
            }
            pool
        };
        let (key_pool, value_pool) = (pool(call.key), pool(call.value));
        let lengths = vec![seq_kv; batch];
        let cache = Cache::Paged(Paged { block, table: &table, lengths: &lengths });
        for isa in present() {
            let mut out = vec![f32::NAN; call.query.len()];
            decode(&Attend { isa, ..call }, &Cache::Contiguous, &mut out).unwrap();
            close(isa.name(), &out, &wanted, 1e-5);
            out.fill(f32::NAN);
            decode(&Attend { isa, key: &key_pool, value: &value_pool, ..call }, &cache, &mut out).unwrap();
            close(isa.name(), &out, &wanted, 1e-5);
        }
    }
}

/// Gradients in `f64`, from the weights in full.
fn reference_gradients(call: &Attend, grad: &[f32]) -> [Vec<f64>; 3] {
    let Heads { batch, heads, seq_q, head_dim: d, .. } = call.heads;
    let scale = 1.0 / (d as f64).sqrt();
    let mut dq = vec![0.0; call.query.len()];
    let (mut dk, mut dv) = (vec![0.0; call.key.len()], vec![0.0; call.value.len()]);
    for row in 0..batch * heads * seq_q {
        let (kv, seen) = seen(call, row);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let q = &call.query[row * d..][..d];
        let g = &grad[row * d..][..d];
        let scores: Vec<f64> = seen.iter().map(|j| scale * dot(q, &call.key[(kv + j) * d..][..d])).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
        let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp() / total).collect();
        let slopes: Vec<f64> = seen.iter().map(|j| dot(g, &call.value[(kv + j) * d..][..d])).collect();
        let mean: f64 = weights.iter().zip(&slopes).map(|(w, s)| w * s).sum();
        for ((j, weight), slope) in seen.iter().zip(&weights).zip(&slopes) {
            let ds = weight * (slope - mean) * scale;
            for c in 0..d {
                dq[row * d + c] += ds * f64::from(call.key[(kv + j) * d + c]);
                dk[(kv + j) * d + c] += ds * f64::from(q[c]);
                dv[(kv + j) * d + c] += weight * f64::from(g[c]);
            }
        }
    }
    [dq, dk, dv]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn gradients_are_right(
        (batch, kv_heads, group) in (1..3_usize, 1..3_usize, 1..3_usize),
        (seq_q, seq_kv, d) in (1..100_usize, 1..150_usize, 1..80_usize),
        causal in any::<bool>(),
        window in proptest::option::of(1..100_usize),
        masked in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let heads = Heads { batch, heads: kv_heads * group, kv_heads, seq_q, seq_kv, head_dim: d };
        let drawn = Drawn::new(heads, 2.0, seed);
        let call = Attend { causal, window, mask: masked.then_some(&drawn.mask[..]), ..drawn.plain() };
        let (queries, keys) = (call.query.len(), call.key.len());
        let grad = numbers(queries, seed ^ 4);
        let wanted = reference_gradients(&call, &grad);
        for isa in present() {
            let call = Attend { isa, ..call };
            let (mut out, mut lse) = (vec![f32::NAN; queries], vec![f32::NAN; queries / d]);
            attention_with_sums(&call, &mut out, &mut lse).unwrap();
            let mut found = [queries, keys, keys].map(|length| vec![f32::NAN; length]);
            let [dq, dk, dv] = &mut found;
            let forward = Forward { out: &out, lse: &lse, grad: &grad };
            attention_backward(&call, &forward, &mut Gradients { query: dq, key: dk, value: dv }).unwrap();
            for (name, (found, wanted)) in ["query", "key", "value"].iter().zip(found.iter().zip(&wanted)) {
                // Of a query that sees one key the gradient is zero, up to rounding of numbers of order one.
                let scale = wanted.iter().fold(0.1_f64, |most, x| most.max(x.abs()));
                for (found, wanted) in found.iter().zip(wanted) {
                    prop_assert!((f64::from(*found) - wanted).abs() < 2e-5 * scale, "{} of {name}: {found} for {wanted}", isa.name());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_program_does_what_the_kernel_does_by_itself(
        (batch, kv_heads, group) in (1..3_usize, 1..3_usize, 1..3_usize),
        (seq_q, more, d) in (1..150_usize, 0..150_usize, 1..60_usize),
        window in 1..100_usize,
        seed in any::<u64>(),
    ) {
        let heads = Heads { batch, heads: kv_heads * group, kv_heads, seq_q, seq_kv: seq_q + more, head_dim: d };
        let drawn = Drawn::new(heads, 1.0, seed);
        let plain = drawn.plain();
        let wanted = reference(&Attend { causal: true, window: Some(window), ..plain });
        // Twice the score of half the scale, and causality and the window by hand.
        let seen = move |query: usize, key: usize| key <= query + more && key + window > query + more;
        let score = move |score: f32, at: Place| if seen(at.query, at.key) { 2.0 * score } else { f32::NEG_INFINITY };
        let visits = move |queries: &Range<usize>, keys: &Range<usize>| {
            keys.start <= queries.end - 1 + more && keys.end - 1 + window > queries.start + more
        };
        let half = Attend { scale: Some(0.5 / (d as f32).sqrt()), ..plain };
        for isa in present() {
            for score_mod in [&score as &dyn ScoreMod, &WithBlockMask { score_mod: score, block_mask: visits }] {
                let mut out = vec![f32::NAN; plain.query.len()];
                attention_with_score_mod(&Attend { isa, ..half }, score_mod, &mut out).unwrap();
                close(isa.name(), &out, &wanted, 1e-5);
            }
        }
    }
}

#[test]
fn a_score_mod_learns_where_each_score_stands() {
    let heads = Heads { batch: 2, heads: 4, kv_heads: 2, seq_q: 40, seq_kv: 70, head_dim: 3 };
    let (query, key) = (vec![0.0; 2 * 4 * 40 * 3], vec![1.0; 2 * 2 * 70 * 3]);
    let value: Vec<f32> = (0..key.len()).map(|index| (index / 3 % 70) as f32).collect();
    let call = Attend {
        heads,
        query: &query,
        key: &key,
        value: &value,
        scale: None,
        causal: false,
        window: None,
        mask: None,
        isa: Isa::detect(),
    };
    // One key for each query, different for every sequence and head.
    let chosen = |at: Place| (at.query + 7 * at.head + 13 * at.batch) % 70;
    let only = move |_: f32, at: Place| if at.key == chosen(at) { 0.0 } else { f32::NEG_INFINITY };
    let mut out = vec![f32::NAN; query.len()];
    attention_with_score_mod(&call, &only, &mut out).unwrap();
    for (index, number) in out.iter().enumerate() {
        let row = index / 3;
        let at = Place { batch: row / 160, head: row / 40 % 4, query: row % 40, key: 0 };
        assert_eq!(*number, chosen(at) as f32, "{at:?}");
    }
}

#[test]
fn products_depend_on_the_distance_alone() {
    let rotary = Rotary::new(200, 6, 10_000.0).unwrap();
    let (query, key) = ([0.3, -1.0, 0.7, 2.0, 0.1, -0.4], [1.0, 0.2, -0.6, 0.5, -1.5, 0.8]);
    let at = |vector: &[f32; 6], position: usize| {
        let mut turned = [0.0; 6];
        rotary.rotate(Isa::detect(), 1, position, vector, &mut turned).unwrap();
        turned
    };
    let product = |query: [f32; 6], key: [f32; 6]| query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>();
    let near = product(at(&query, 7), at(&key, 3));
    for shift in [0, 11, 190] {
        let far = product(at(&query, 7 + shift), at(&key, 3 + shift));
        assert!((near - far).abs() < 1e-4, "shifted by {shift}: {near} and {far}");
    }
    assert!((near - product(at(&query, 8), at(&key, 3))).abs() > 1e-3, "another distance is another product");
    assert_eq!(at(&query, 0), query);
    // By hand: a quarter turn of the pair (x, y) is (−y, x); angle 1 at position 1 for the first pair.
    let turned = at(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1);
    assert!((turned[0] - 1.0_f32.cos()).abs() < 1e-7 && (turned[3] - 1.0_f32.sin()).abs() < 1e-7);
}

#[test]
fn each_pair_may_have_a_position_of_its_own() {
    let rotary = Rotary::new(9, 6, 10_000.0).unwrap();
    let places = [[1, 2, 3], [8, 0, 5]];
    let placed = rotary.placed(2, |row, pair| places[row][pair]).unwrap();
    let vector = [0.3, -1.0, 0.7, 2.0, 0.1, -0.4];
    let at = |rotary: &Rotary, position: usize| {
        let mut turned = [0.0; 6];
        rotary.rotate(Isa::detect(), 1, position, &vector, &mut turned).unwrap();
        turned
    };
    for (row, places) in places.into_iter().enumerate() {
        let found = at(&placed, row);
        for (pair, place) in places.into_iter().enumerate() {
            let right = at(&rotary, place);
            assert_eq!([found[pair], found[3 + pair]], [right[pair], right[3 + pair]], "row {row}, pair {pair}");
        }
    }
    assert!(rotary.placed(1, |_, _| 9).unwrap_err().to_string().contains("position 9 is asked"));
}

#[test]
fn what_does_not_fit_is_refused() {
    assert!(Rotary::new(4, 5, 10_000.0).unwrap_err().to_string().contains("odd"));
    let rotary = Rotary::new(4, 2, 10_000.0).unwrap();
    let mut to = [0.0; 6];
    assert!(rotary.rotate(Isa::Portable, 3, 2, &[0.0; 6], &mut to).unwrap_err().to_string().contains("up to 5"));
    assert!(rotary.rotate(Isa::Portable, 2, 0, &[0.0; 6], &mut to).unwrap_err().to_string().contains("[2, 2]"));
    assert!(rotary.rotate(Isa::Portable, 3, 0, &[0.0; 4], &mut to).is_err());
    assert!(rotary.rotate(Isa::Portable, 0, 0, &[], &mut []).is_ok());
}
