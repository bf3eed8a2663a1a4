//! Decoding over a cache in blocks: one query a sequence against keys that lie in blocks of a pool.

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Work};

use super::reference::{average, dot};
use super::sizes::{check_kv_heads, label};
use crate::rows::by_rows;
use crate::tolerance::{tolerance_of_average, tolerance_of_scores};

/// Decoding with a paged cache (Kwon et al., arXiv 2309.06180, section 4.1): the keys of a sequence lie in blocks of a
/// pool, and a table says which.
///
/// Inputs: `query` `[batch, heads, 1, head_dim]`, `key_pool` and `value_pool` `[blocks, kv_heads, block_size, head_dim]`,
/// `table` `[batch, entries]` of `i32` with −1 where a sequence has no block, `lengths` `[batch]` of `i32`.
pub struct PagedAttention;

benchbook_core::parameters! {
    /// Parameters of [`PagedAttention`].
    pub struct PagedAttentionParams {
        /// sequences that are decoded at once
        batch: usize = 4, 1..=1 << 24;
        /// query heads
        heads: usize = 8, 1..=1 << 24;
        /// key and value heads; follows heads unless set
        kv_heads: usize = 8, 1..=1 << 24;
        /// keys of the longest sequence; the others have a quarter of it or more
        context: usize = 2048, 1..=1 << 24;
        /// width of a head
        head_dim: usize = 64, 1..=1 << 24;
        /// keys of a block
        block_size: usize = 16, 1..=1 << 24;
    }
}

/// Numbers of a pool at most, and blocks: `i32` counts those.
const MOST_NUMBERS: f64 = 1e10;
const MOST_BLOCKS: f64 = 1e9;

impl Problem for PagedAttention {
    const NAME: &'static str = "paged-attention";
    const ABOUT: &'static str = "decoding with keys and values in blocks of a pool, found by a table";
    type Params = PagedAttentionParams;

    fn presets() -> Vec<Preset> {
        let of = |context: i64, block: i64| {
            Params::default().with("context", context.into()).with("block_size", block.into())
        };
        vec![
            Preset { name: "quick", cases: vec![of(512, 16), of(512, 64)] },
            Preset { name: "default", cases: [1024, 8192].into_iter().flat_map(|n| [of(n, 16), of(n, 128)]).collect() },
        ]
    }

    fn ugly() -> Vec<PagedAttentionParams> {
        let of = |batch, [heads, kv_heads, context, head_dim, block_size]: [usize; 5]| PagedAttentionParams {
            batch,
            heads,
            kv_heads,
            context,
            head_dim,
            block_size,
        };
        vec![
            of(1, [1, 1, 1, 1, 1]),
            of(5, [2, 2, 3, 17, 2]),
            of(3, [3, 1, 67, 17, 3]),
            of(2, [4, 2, 33, 33, 33]),
            of(1, [2, 1, 1031, 67, 1]),
        ]
    }

    fn derive(given: Params) -> Params {
        given.following("kv_heads", "heads")
    }

    fn check(params: &PagedAttentionParams) -> Result<(), (&'static str, String)> {
        let PagedAttentionParams { batch, heads, kv_heads, context, head_dim, block_size } = *params;
        check_kv_heads(heads, kv_heads)?;
        if block_size > context {
            return Err(("block_size", format!("{block_size} is more than context {context}")));
        }
        if [batch, kv_heads, context, head_dim].map(|size| size as f64).iter().product::<f64>() > MOST_NUMBERS {
            return Err(("context", "batch × kv_heads × context × head_dim is over 10^10 numbers".to_owned()));
        }
        if batch as f64 * entries(params) as f64 > MOST_BLOCKS {
            return Err(("block_size", "batch × context / block_size is over 10^9 blocks".to_owned()));
        }
        Ok(())
    }

    fn label(params: &PagedAttentionParams) -> String {
        let PagedAttentionParams { batch, heads, kv_heads, context, head_dim, block_size } = *params;
        format!("b{batch} {} s{context} d{head_dim} blocks of {block_size}", label(heads, kv_heads))
    }

    fn inputs(params: &PagedAttentionParams, seed: u64) -> Inputs {
        let PagedAttentionParams { batch, heads, kv_heads, head_dim, block_size, .. } = *params;
        let pool = vec![blocks(params)[1], kv_heads, block_size, head_dim];
        let lengths: Vec<i32> = lengths(params).into_iter().map(|length| length as i32).collect();
        Inputs::from([
            ("query", Array::normal(vec![batch, heads, 1, head_dim], seed, 1)),
            ("key_pool", Array::normal(pool.clone(), seed, 2)),
            ("value_pool", Array::normal(pool, seed, 3)),
            ("table", Array::new(vec![batch, entries(params)], &table(params, seed))),
            ("lengths", Array::new(vec![batch], &lengths)),
        ])
    }

    /// By plain loops; a row is one head of one sequence.
    fn reference(params: &PagedAttentionParams, inputs: &Inputs, seed: u64) -> Reference {
        let PagedAttentionParams { batch, heads, kv_heads, context, head_dim: d, block_size } = *params;
        let [query, keys, values] = ["query", "key_pool", "value_pool"].map(|name| inputs.numbers(name));
        let [table, lengths] = ["table", "lengths"].map(|name| inputs.get(name).of::<i32>());
        let scale = 1.0 / (d as f64).sqrt();
        by_rows(vec![batch, heads, 1, d], 2 * context * d, seed, |row| {
            let (sequence, head) = (row / heads, row % heads / (heads / kv_heads));
            let table = &table[sequence * entries(params)..];
            let place = |key: usize| {
                let owned = table[key / block_size] as usize;
                ((owned * kv_heads + head) * block_size + key % block_size) * d
            };
            let places: Vec<usize> = (0..lengths[sequence] as usize).map(place).collect();
            let mine = &query[row * d..][..d];
            let scores: Vec<f64> = places.iter().map(|place| scale * dot(mine, &keys[*place..])).collect();
            average(&scores, d, |at| &values[places[at]..])
        })
    }

    fn work(params: &PagedAttentionParams, dtype: DType) -> Work {
        let keys = lengths(params).iter().sum::<usize>() as f64;
        let PagedAttentionParams { batch, heads, kv_heads, head_dim, .. } = *params;
        let [batch, heads, kv_heads, head_dim] = [batch, heads, kv_heads, head_dim].map(|size| size as f64);
        let numbers = 2.0 * head_dim * (kv_heads * keys + heads * batch);
        Work { flops: 4.0 * heads * keys * head_dim, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(params: &PagedAttentionParams, dtype: DType) -> f64 {
        tolerance_of_average(dtype, params.context).max(tolerance_of_scores(dtype))
    }

    /// What is lost: slots of the sequences' last blocks, and, for comparison, of a cache that reserves the whole context
    /// for everyone.
    fn metrics(params: &PagedAttentionParams, _inputs: &Inputs) -> Vec<Metric> {
        let keys = lengths(params).iter().sum::<usize>() as f64;
        let paged = (blocks(params)[0] * params.block_size) as f64;
        let reserved = (params.batch * params.context) as f64;
        vec![
            Metric::modelled("fragmentation_paged", 1.0 - keys / paged, "share"),
            Metric::modelled("fragmentation_reserved", 1.0 - keys / reserved, "share"),
        ]
    }
}

/// The pool has this many blocks for every four in use: the others belong to nobody, as between two requests.
const SPARE: [usize; 2] = [5, 4];

/// The golden ratio's fraction: multiples of it, modulo one, spread evenly however many there are.
const SPREAD: f64 = 0.618_033_988_749_895;

/// Keys of each sequence: from a quarter of the context to all of it, spread evenly, the first one whole.
///
/// They follow from the case alone, so that its work does.
fn lengths(params: &PagedAttentionParams) -> Vec<usize> {
    let PagedAttentionParams { batch, context, .. } = *params;
    let part = |sequence: usize| 1.0 - 0.75 * (sequence as f64 * SPREAD).fract();
    (0..batch).map(|sequence| ((context as f64 * part(sequence)).round() as usize).clamp(1, context)).collect()
}

/// Blocks that a case uses, and blocks of its pool.
fn blocks(params: &PagedAttentionParams) -> [usize; 2] {
    let used = lengths(params).iter().map(|length| length.div_ceil(params.block_size)).sum::<usize>();
    [used, (used * SPARE[0]).div_ceil(SPARE[1])]
}

/// Entries of the table for each sequence.
fn entries(params: &PagedAttentionParams) -> usize {
    params.context.div_ceil(params.block_size)
}

/// `[batch, entries]`: blocks of the pool in an order drawn by `seed`, −1 behind the last of each sequence.
fn table(params: &PagedAttentionParams, seed: u64) -> Vec<i32> {
    let [_, pool] = blocks(params);
    let mut order: Vec<usize> = (0..pool).collect();
    let drawn = Array::normal(vec![pool], seed, 4);
    let draws = drawn.of::<f32>();
    order.sort_by(|a, b| draws[*a].total_cmp(&draws[*b]));
    let mut free = order.into_iter();
    let row = |length: usize| {
        let needed = length.div_ceil(params.block_size);
        let mut row: Vec<i32> = free.by_ref().take(needed).map(|block| block as i32).collect();
        row.resize(entries(params), -1);
        row
    };
    lengths(params).into_iter().flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_sequence_has_blocks_of_its_own() {
        let params = PagedAttentionParams { batch: 7, context: 100, block_size: 16, ..Default::default() };
        let lengths = lengths(&params);
        assert_eq!(lengths[0], 100);
        assert!(lengths.iter().all(|length| (25..=100).contains(length)), "{lengths:?}");
        let [used, pool] = blocks(&params);
        let table = table(&params, 3);
        assert_eq!(table.len(), 7 * 7);
        let given: Vec<usize> = table.iter().filter(|entry| **entry >= 0).map(|entry| *entry as usize).collect();
        assert_eq!(given.len(), used);
        assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), used, "no block has two owners");
        assert!(given.iter().all(|block| *block < pool) && pool > used);
    }
}
