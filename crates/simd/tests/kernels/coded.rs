//! Attention to a cache of few bits: against plain loops over the numbers that its codes stand for.

use benchbook_simd::{Code, CodedCache, CodedKeys, Heads, Isa, decode_coded, hadamard};
use proptest::prelude::*;

use crate::common::{bytes, numbers, present};

/// Codes and scales of keys and values.
struct Drawn {
    heads: Heads,
    code: Code,
    keys: Vec<u8>,
    key_scales: Vec<f32>,
    values: Vec<u8>,
    value_scales: Vec<f32>,
    rotated: bool,
}

impl Drawn {
    fn new(heads: Heads, code: Code, rotated: bool, seed: u64) -> Self {
        let Heads { batch, kv_heads, seq_kv, head_dim, .. } = heads;
        let (units, mask) = (batch * kv_heads, if code == Code::Int4 { 15 } else { 255 });
        let codes = |seed: u64| bytes(units * seq_kv * head_dim, seed).iter().map(|byte| byte & mask).collect();
        // Scales for codes that are integers: numbers of about one.
        let scales = |count: usize, seed: u64| {
            let least: f32 = if code == Code::Int4 { 0.1 } else { 0.01 };
            numbers(count, seed).iter().map(|number| (number + 1.1) * least).collect()
        };
        Self {
            heads,
            code,
            keys: codes(seed),
            key_scales: scales(units * seq_kv.div_ceil(32) * head_dim, seed ^ 1),
            values: codes(seed ^ 2),
            value_scales: scales(units * seq_kv, seed ^ 3),
            rotated,
        }
    }

    fn lent(&self) -> CodedKeys<'_> {
        let Self { heads, code, keys, key_scales, values, value_scales, rotated } = self;
        CodedKeys { heads: *heads, code: *code, keys, key_scales, values, value_scales, rotated: *rotated }
    }

    /// Keys and values as numbers, keys turned back where they were rotated.
    fn numbers(&self) -> [Vec<f32>; 2] {
        let Heads { seq_kv, head_dim: d, .. } = self.heads;
        let key = |at: usize| {
            let (unit, place, channel) = (at / d / seq_kv, at / d % seq_kv, at % d);
            self.key_scales[(unit * seq_kv.div_ceil(32) + place / 32) * d + channel]
                * self.code.number(self.keys[at].into())
        };
        let mut keys: Vec<f32> = (0..self.keys.len()).map(key).collect();
        if self.rotated {
            keys.chunks_mut(d).for_each(hadamard);
        }
        let value = |at: usize| self.value_scales[at / d] * self.code.number(self.values[at].into());
        [keys, (0..self.values.len()).map(value).collect()]
    }

    /// The right answer, and each of its numbers without what cancels: the weighted sum of absolute values.
    fn attended(&self, query: &[f32]) -> Vec<[f64; 2]> {
        let (Heads { heads, kv_heads, seq_kv, head_dim: d, .. }, [keys, values]) = (self.heads, self.numbers());
        let row = |row: usize| {
            let unit = row / (heads / kv_heads);
            let dot = |place: usize| -> f64 {
                let key = &keys[(unit * seq_kv + place) * d..][..d];
                query[row * d..][..d].iter().zip(key).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
            };
            let scores: Vec<f64> = (0..seq_kv).map(|place| dot(place) / (d as f64).sqrt()).collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
            let total: f64 = weights.iter().sum();
            let mut sums = vec![[0.0; 2]; d];
            for (weight, value) in weights.iter().zip(values[unit * seq_kv * d..].chunks(d)) {
                for ([sum, absolute], value) in sums.iter_mut().zip(value) {
                    let part = weight / total * f64::from(*value);
                    *sum += part;
                    *absolute += part.abs();
                }
            }
            sums
        };
        (0..query.len() / d).flat_map(row).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn attention_is_that_to_the_numbers_of_the_codes(
        (batch, kv_heads, group) in (1..3_usize, 1..4_usize, 1..10_usize),
        // Parts of a group, of a tile, and several parts of the keys.
        (seq_kv, head_dim) in prop_oneof![
            (1..200_usize, 1..80_usize),
            (1000..2200_usize, 1..20_usize),
            (1..200_usize, prop_oneof![Just(1_usize), Just(32), Just(64), Just(128)]),
        ],
        (eight, turned) in any::<(bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let heads = Heads { batch, heads: kv_heads * group, kv_heads, seq_q: 1, seq_kv, head_dim };
        let code = if eight { Code::Int8 } else { Code::Int4 };
        let drawn = Drawn::new(heads, code, turned && head_dim.is_power_of_two(), seed);
        let query = numbers(batch * heads.heads * head_dim, !seed);
        let right = drawn.attended(&query);
        for isa in present() {
            let cache = CodedCache::new(&drawn.lent(), isa).unwrap();
            let mut out = vec![f32::NAN; query.len()];
            decode_coded(&query, &cache, &mut out).unwrap();
            // An average of many may be near zero: what is rounded are its parts, and their weights by their scores.
            for (at, (found, [right, parts])) in out.iter().zip(&right).enumerate() {
                let off = (f64::from(*found) - right).abs();
                prop_assert!(off <= 2e-5 * parts, "{} at {}: {} for {}", isa.name(), at, found, right);
            }
        }
    }
}

#[test]
fn what_is_no_number_stays_where_it_is() {
    let heads = Heads { batch: 1, heads: 2, kv_heads: 2, seq_q: 1, seq_kv: 40, head_dim: 8 };
    let query = numbers(16, 3);
    for (isa, code) in present().flat_map(|isa| [(isa, Code::Int8), (isa, Code::Int4)]) {
        let mut drawn = Drawn::new(heads, code, false, 7);
        // Of the second head, the keys from 32 on have no scale of channel 5.
        drawn.key_scales[3 * 8 + 5] = f32::NAN;
        let mut out = [0.0; 16];
        decode_coded(&query, &CodedCache::new(&drawn.lent(), isa).unwrap(), &mut out).unwrap();
        assert!(out[..8].iter().all(|number| number.is_finite()), "{}: {out:?}", isa.name());
        assert!(out[8..].iter().all(|number| number.is_nan()), "{}: {out:?}", isa.name());
    }
}

#[test]
fn scales_of_zero_are_zeros_and_a_value_without_one_is_no_number() {
    let heads = Heads { batch: 1, heads: 2, kv_heads: 2, seq_q: 1, seq_kv: 70, head_dim: 8 };
    let query = numbers(16, 3);
    for (isa, code) in present().flat_map(|isa| [(isa, Code::Int8), (isa, Code::Int4)]) {
        let mut drawn = Drawn::new(heads, code, false, 7);
        let found = |drawn: &Drawn| {
            let mut out = [7.0; 16];
            decode_coded(&query, &CodedCache::new(&drawn.lent(), isa).unwrap(), &mut out).unwrap();
            out
        };
        // Without scales all keys are alike, and all values nothing.
        drawn.key_scales.fill(0.0);
        for (at, (found, [right, parts])) in found(&drawn).iter().zip(drawn.attended(&query)).enumerate() {
            let off = (f64::from(*found) - right).abs();
            assert!(off <= 2e-5 * parts, "{} at {at}: {found} for {right}", isa.name());
        }
        drawn.value_scales.fill(0.0);
        assert_eq!(found(&drawn), [0.0; 16], "{}", isa.name());
        // The last value of the second head.
        drawn.value_scales[139] = f32::NAN;
        let found = found(&drawn);
        assert!(found[..8] == [0.0; 8] && found[8..].iter().all(|number| number.is_nan()), "{}: {found:?}", isa.name());
    }
}

#[test]
fn a_cache_of_nothing_gives_zeros_and_bytes_are_told() {
    let heads = Heads { batch: 2, heads: 3, kv_heads: 1, seq_q: 1, seq_kv: 0, head_dim: 5 };
    let mut out = [7.0; 30];
    let empty = CodedCache::new(&Drawn::new(heads, Code::Int4, false, 1).lent(), Isa::detect()).unwrap();
    decode_coded(&[1.0; 30], &empty, &mut out).unwrap();
    assert_eq!((out, empty.bytes()), ([0.0; 30], 0));
    // Whole tiles: a byte or half of one for each number, a scale for each 32 keys and channel, and one for each value.
    let heads = Heads { batch: 2, heads: 4, kv_heads: 2, seq_q: 1, seq_kv: 128, head_dim: 64 };
    for (code, bits) in [(Code::Int8, 8), (Code::Int4, 4)] {
        let cache = CodedCache::new(&Drawn::new(heads, code, true, 1).lent(), Isa::detect()).unwrap();
        assert_eq!(cache.bytes(), 4 * (2 * 128 * 64 * bits / 8 + 4 * 64 * 4 + 128 * 4));
    }
}

#[test]
fn caches_that_do_not_go_together_are_refused() {
    let heads = Heads { batch: 1, heads: 2, kv_heads: 1, seq_q: 1, seq_kv: 33, head_dim: 12 };
    let drawn = Drawn::new(heads, Code::Int4, false, 5);
    let whole = drawn.lent();
    let said = |from: &CodedKeys| CodedCache::new(from, Isa::Portable).map(|_| ()).unwrap_err().to_string();
    let (mut large, mut infinite) = (drawn.values.clone(), drawn.value_scales.clone());
    (large[7], infinite[32]) = (16, f32::INFINITY);
    for (from, part) in [
        (CodedKeys { heads: Heads { seq_q: 2, ..heads }, ..whole }, "2 queries of a sequence"),
        (CodedKeys { heads: Heads { kv_heads: 3, ..heads }, ..whole }, "cannot share 3"),
        (CodedKeys { code: Code::E4m3, ..whole }, "E4m3 stands for no whole numbers"),
        (CodedKeys { rotated: true, ..whole }, "a power of two, not 12"),
        (
            CodedKeys { keys: &drawn.keys[1..], ..whole },
            "the codes of keys holds 395 numbers, its shape [1, 1, 33, 12]",
        ),
        (CodedKeys { values: &drawn.values[1..], ..whole }, "the codes of values holds 395 numbers"),
        (CodedKeys { key_scales: &drawn.key_scales[1..], ..whole }, "the scales of keys holds 23 numbers"),
        (CodedKeys { value_scales: &drawn.value_scales[1..], ..whole }, "the scales of values holds 32 numbers"),
        (CodedKeys { values: &large, ..whole }, "16 is no code of 4 bits"),
        (CodedKeys { key_scales: &[f32::NEG_INFINITY; 24], ..whole }, "a scale is infinite"),
        (CodedKeys { value_scales: &infinite, ..whole }, "a scale is infinite"),
    ] {
        let said = said(&from);
        assert!(said.contains(part), "{part}: {said}");
    }
    let cache = CodedCache::new(&whole, Isa::Portable).unwrap();
    assert!(decode_coded(&[0.0; 23], &cache, &mut [0.0; 24]).unwrap_err().to_string().contains("query holds 23"));
    assert!(decode_coded(&[0.0; 24], &cache, &mut [0.0; 25]).is_err());
}
