//! Joins what queries gathered from different keys.

/// What the kernel gives as logarithm of the sum of a query that sees no key.
const SEES_NOTHING: f32 = f32::MAX;

/// Merges `part`, attention of some queries to more keys, into `out`, their attention to the keys before.
///
/// `out` and `part` are `[queries, head_dim]`, each a weighted mean; `lse` and `part_lse` `[queries]` are log₂ of the
/// sum of their weights, −∞ where there is nothing yet. The means are weighted by their sums, as in FlashDecoding (Dao
/// et al., "Flash-Decoding for long-context inference", 2023).
pub fn merge(out: &mut [f32], lse: &mut [f32], part: &[f32], part_lse: &[f32]) {
    let head_dim = out.len() / lse.len().max(1);
    if head_dim == 0 {
        return;
    }
    let rows = out.chunks_exact_mut(head_dim).zip(part.chunks_exact(head_dim));
    for ((out, part), (lse, part_lse)) in rows.zip(lse.iter_mut().zip(part_lse)) {
        if *part_lse == SEES_NOTHING {
            continue;
        }
        let largest = lse.max(*part_lse);
        let (old, new) = ((*lse - largest).exp2(), (*part_lse - largest).exp2());
        let total = old + new;
        let (old, new) = (old / total, new / total);
        for (out, part) in out.iter_mut().zip(part) {
            *out = old * *out + new * part;
        }
        *lse = largest + total.log2();
    }
}

#[cfg(test)]
mod tests {
    use benchbook_simd::{Attend, Heads, Isa, attention_with_sums};

    use super::*;

    #[test]
    fn parts_merged_in_any_order_are_the_whole() {
        let (queries, keys, d) = (7, 50, 5);
        let numbers = |count: usize, factor: f32| -> Vec<f32> {
            (0..count).map(|index| factor * (index as f32 * 1.7 + factor).sin()).collect()
        };
        let (query, key, value) = (numbers(queries * d, 3.0), numbers(keys * d, 2.0), numbers(keys * d, 1.0));
        let attend = |from: usize, to: usize| {
            let (mut out, mut lse) = (vec![0.0; queries * d], vec![0.0; queries]);
            let heads = Heads { batch: 1, heads: 1, kv_heads: 1, seq_q: queries, seq_kv: to - from, head_dim: d };
            let (key, value) = (&key[from * d..to * d], &value[from * d..to * d]);
            let query = &query[..];
            let isa = Isa::detect();
            let call = Attend { heads, query, key, value, scale: None, causal: false, window: None, mask: None, isa };
            attention_with_sums(&call, &mut out, &mut lse).unwrap();
            (out, lse)
        };
        let (whole, whole_lse) = attend(0, keys);
        for parts in [[(0, 1), (1, 20), (20, 50)], [(20, 50), (0, 1), (1, 20)]] {
            let (mut out, mut lse) = (vec![0.0; queries * d], vec![f32::NEG_INFINITY; queries]);
            for (from, to) in parts {
                let (part, part_lse) = attend(from, to);
                merge(&mut out, &mut lse, &part, &part_lse);
                // Keys that nobody sees change nothing.
                merge(&mut out, &mut lse, &vec![9.0; queries * d], &[f32::MAX; 7]);
            }
            for (got, wanted) in out.iter().zip(&whole).chain(lse.iter().zip(&whole_lse)) {
                assert!((got - wanted).abs() < 1e-5, "{got} for {wanted}");
            }
        }
    }

    #[test]
    fn sums_that_differ_beyond_all_bounds_stay_finite() {
        let (mut out, mut lse) = ([1.0, 2.0], [-1e30]);
        merge(&mut out, &mut lse, &[3.0, 4.0], &[1e30]);
        assert_eq!((out, lse), ([3.0, 4.0], [1e30]));
        merge(&mut out, &mut lse, &[5.0, 6.0], &[-1e30]);
        assert_eq!((out, lse), ([3.0, 4.0], [1e30]));
    }
}
