//! Decoding over a cache in blocks: one query a sequence against keys that lie in blocks of a pool.

use benchbook_core::{
    DType, Figure, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload, sample_rows,
};
use rayon::prelude::*;

use super::reference::{average, dot};
use super::sizes::{check_kv_heads, check_sizes, follow, tolerance_of_average, wrong};

/// Decoding with a paged cache (Kwon et al., arXiv 2309.06180, section 4.1): the keys of a sequence lie in blocks of a
/// pool, and a table says which.
///
/// Inputs: `query` `[batch, heads, 1, head_dim]`, `key_pool` and `value_pool` `[blocks, kv_heads, block, head_dim]`,
/// `table` `[batch, entries]` with −1 where a sequence has no block, `lengths` `[batch]`.
pub struct PagedAttention;

const SIZES: [&str; 6] = ["batch", "heads", "kv_heads", "context", "head_dim", "block"];

impl Workload for PagedAttention {
    fn name(&self) -> &'static str {
        "paged-attention"
    }

    fn about(&self) -> &'static str {
        "decoding with keys and values in blocks of a pool, found by a table"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![
            ParamSpec::int("batch", 4, "sequences that are decoded at once"),
            ParamSpec::int("heads", 8, "query heads"),
            ParamSpec::int("kv_heads", 8, "key and value heads; follows heads unless set"),
            ParamSpec::int("context", 2048, "keys of the longest sequence; the others have a quarter of it or more"),
            ParamSpec::int("head_dim", 64, "width of a head"),
            ParamSpec::int("block", 16, "keys of a block"),
        ]
    }

    fn presets(&self) -> Vec<Preset> {
        let of = |context: i64, block: i64| {
            Params::default().with("context", Value::Int(context)).with("block", Value::Int(block))
        };
        vec![
            Preset { name: "quick", cases: vec![of(512, 16), of(512, 64)] },
            Preset { name: "default", cases: [1024, 8192].into_iter().flat_map(|n| [of(n, 16), of(n, 128)]).collect() },
        ]
    }

    fn derive(&self, given: Params) -> Params {
        follow(given, "kv_heads", "heads")
    }

    fn check(&self, params: &Params) -> Result<()> {
        // A block's number travels as f32, which is exact up to here.
        check_sizes(self.name(), params, &SIZES, 1 << 24)?;
        check_kv_heads(self.name(), params)?;
        if params.int("block") > params.int("context") {
            let reason = format!("{} is more than context {}", params.int("block"), params.int("context"));
            return wrong(self.name(), "block", reason);
        }
        let numbers = ["batch", "kv_heads", "context", "head_dim"].map(|name| params.int(name) as f64);
        if numbers.into_iter().product::<f64>() > 1e10 {
            let reason = "batch × kv_heads × context × head_dim is over 10^10 numbers".into();
            return wrong(self.name(), "context", reason);
        }
        Ok(())
    }

    fn case_name(&self, params: &Params) -> String {
        let [batch, heads, kv_heads, context, head_dim, block] = SIZES.map(|name| params.int(name));
        let kv = if kv_heads == heads { String::new() } else { format!(" kv{kv_heads}") };
        format!("b{batch} h{heads}{kv} s{context} d{head_dim} blocks of {block}")
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let [batch, heads, kv_heads, _, head_dim, block] = SIZES.map(|name| params.size(name));
        let pool = vec![blocks(params)[1], kv_heads, block, head_dim];
        let lengths = lengths(params).into_iter().map(|length| length as f32).collect();
        let mut inputs = Inputs::default();
        inputs.0.insert("query", HostArray::normal(vec![batch, heads, 1, head_dim], seed, 1));
        inputs.0.insert("key_pool", HostArray::normal(pool.clone(), seed, 2));
        inputs.0.insert("value_pool", HostArray::normal(pool, seed, 3));
        inputs.0.insert("table", HostArray::new(vec![batch, entries(params)], table(params, seed)));
        inputs.0.insert("lengths", HostArray::new(vec![batch], lengths));
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        paged_rows(params, inputs, seed)
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let [batch, heads, kv_heads, _, head_dim, _] = SIZES.map(|name| params.int(name) as f64);
        let keys = lengths(params).iter().sum::<usize>() as f64;
        let numbers = 2.0 * head_dim * (kv_heads * keys + heads * batch);
        Work { flops: 4.0 * heads * keys * head_dim, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(&self, params: &Params, dtype: DType) -> f64 {
        tolerance_of_average(dtype, params.int("context"))
    }

    /// What is lost: slots of the sequences' last blocks, and, for comparison, of a cache that reserves the whole context
    /// for everyone.
    fn figures(&self, params: &Params, _inputs: &Inputs) -> Vec<Figure> {
        let keys = lengths(params).iter().sum::<usize>() as f64;
        let paged = (blocks(params)[0] * params.size("block")) as f64;
        let reserved = (params.size("batch") * params.size("context")) as f64;
        vec![
            Figure::modelled("fragmentation_paged", 1.0 - keys / paged, "share"),
            Figure::modelled("fragmentation_reserved", 1.0 - keys / reserved, "share"),
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
fn lengths(params: &Params) -> Vec<usize> {
    let (batch, context) = (params.size("batch"), params.size("context"));
    let part = |sequence: usize| 1.0 - 0.75 * (sequence as f64 * SPREAD).fract();
    (0..batch).map(|sequence| ((context as f64 * part(sequence)).round() as usize).clamp(1, context)).collect()
}

/// Blocks that a case uses, and blocks of its pool.
fn blocks(params: &Params) -> [usize; 2] {
    let used = lengths(params).iter().map(|length| length.div_ceil(params.size("block"))).sum::<usize>();
    [used, (used * SPARE[0]).div_ceil(SPARE[1])]
}

/// Entries of the table for each sequence.
fn entries(params: &Params) -> usize {
    params.size("context").div_ceil(params.size("block"))
}

/// `[batch, entries]`: blocks of the pool in an order drawn by `seed`, −1 behind the last of each sequence.
fn table(params: &Params, seed: u64) -> Vec<f32> {
    let [_, pool] = blocks(params);
    let mut order: Vec<usize> = (0..pool).collect();
    let draws = HostArray::normal(vec![pool], seed, 4).data;
    order.sort_by(|a, b| draws[*a].total_cmp(&draws[*b]));
    let mut free = order.into_iter();
    let row = |length: usize| {
        let needed = length.div_ceil(params.size("block"));
        let mut row: Vec<f32> = free.by_ref().take(needed).map(|block| block as f32).collect();
        row.resize(entries(params), -1.0);
        row
    };
    lengths(params).into_iter().flat_map(row).collect()
}

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 27;

/// Rows of the right answer; a row is one head of one sequence.
fn paged_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [batch, heads, kv_heads, context, head_dim, block] =
        ["batch", "heads", "kv_heads", "context", "head_dim", "block"].map(|name| params.size(name));
    let of = |name: &str| &inputs.get(name).data[..];
    let (query, keys, values) = (of("query"), of("key_pool"), of("value_pool"));
    let (table, lengths) = (of("table"), of("lengths"));
    let scale = 1.0 / (head_dim as f64).sqrt();
    let rows = sample_rows(batch * heads, (BUDGET / (2 * context * head_dim)).max(4), seed);
    let one = |row: &usize| -> Vec<f64> {
        let (sequence, head) = (row / heads, row % heads / (heads / kv_heads));
        let entries = table.len() / batch;
        let place = |key: usize| {
            let owned = table[sequence * entries + key / block] as usize;
            ((owned * kv_heads + head) * block + key % block) * head_dim
        };
        let places: Vec<usize> = (0..lengths[sequence] as usize).map(place).collect();
        let mine = &query[row * head_dim..][..head_dim];
        let scores: Vec<f64> = places.iter().map(|place| scale * dot(mine, &keys[*place..])).collect();
        average(&scores, head_dim, |at| &values[places[at]..])
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![batch, heads, 1, head_dim], rows, values }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_sequence_has_blocks_of_its_own() {
        let sizes = [("batch", 7), ("context", 100), ("block", 16)];
        let params = sizes.into_iter().fold(Params::default(), |all, (name, size)| all.with(name, Value::Int(size)));
        let lengths = lengths(&params);
        assert_eq!(lengths[0], 100);
        assert!(lengths.iter().all(|length| (25..=100).contains(length)), "{lengths:?}");
        let [used, pool] = blocks(&params);
        let table = table(&params, 3);
        assert_eq!(table.len(), 7 * 7);
        let given: Vec<usize> = table.iter().filter(|entry| **entry >= 0.0).map(|entry| *entry as usize).collect();
        assert_eq!(given.len(), used);
        assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), used, "no block has two owners");
        assert!(given.iter().all(|block| *block < pool) && pool > used);
    }
}
