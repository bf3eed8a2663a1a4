//! The problem: attention of one long sequence, split over workers, and how much memory that takes.

use benchbook_core::{
    DType, Figure, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload,
};

use super::{Layout, Ring};
use crate::attention::reference::attention_rows;
use crate::attention::sizes::{check_kv_heads, check_scores, check_sizes, follow, wrong};

/// Attention of one sequence that is split over workers, none of which holds all of it (Liu et al., arXiv 2310.01889).
///
/// Inputs: `query` `[1, heads, seq, head_dim]`, `key` and `value` `[1, kv_heads, seq, head_dim]`. Shards differ by one
/// position at most. The modelled memory is that of one copy of the inputs, which is what the hot regime keeps.
pub struct RingAttention;

const SIZES: [&str; 5] = ["heads", "kv_heads", "seq", "head_dim", "workers"];

/// Workers at most: each is a thread or a process.
const MOST_WORKERS: i64 = 256;

/// Positions of a worker in the default cases.
const SHARD: i64 = 4096;

/// Queries that are computed together at most: what they give is merged into the result before the next ones.
pub const QUERIES: usize = 1024;

/// Bytes of a number.
const NUMBER: usize = size_of::<f32>();

impl Workload for RingAttention {
    fn name(&self) -> &'static str {
        "ring-attention"
    }

    fn about(&self) -> &'static str {
        "attention of one long sequence, split over workers with a memory of their own"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![
            ParamSpec::int("heads", 2, "query heads"),
            ParamSpec::int("kv_heads", 2, "key and value heads; follows heads unless set"),
            ParamSpec::int("seq", SHARD, "queries and keys of the sequence"),
            ParamSpec::int("head_dim", 32, "width of a head"),
            ParamSpec::bool("causal", true, "a query sees no key after its own position"),
            ParamSpec::int("workers", 2, "workers that the sequence is split over"),
        ]
    }

    fn presets(&self) -> Vec<Preset> {
        let of = |seq: i64, workers: i64| {
            Params::default().with("seq", Value::Int(seq)).with("workers", Value::Int(workers))
        };
        vec![
            Preset { name: "quick", cases: vec![of(256, 2), of(512, 4)] },
            // The sequence grows, a worker's part of it does not.
            Preset { name: "default", cases: [1, 2, 4, 8].map(|workers| of(SHARD * workers, workers)).into() },
        ]
    }

    fn derive(&self, given: Params) -> Params {
        follow(given, "kv_heads", "heads")
    }

    fn check(&self, params: &Params) -> Result<()> {
        check_sizes(self.name(), params, &SIZES, 1 << 24)?;
        check_kv_heads(self.name(), params)?;
        let (seq, workers) = (params.int("seq"), params.int("workers"));
        if workers > seq.min(MOST_WORKERS) {
            let most = seq.min(MOST_WORKERS);
            let reason = format!("{workers} workers for seq {seq}: give 1 to {most}");
            return wrong(self.name(), "workers", reason);
        }
        let one = params.clone().with("batch", Value::Int(1));
        check_scores(self.name(), &one, ["batch", "heads", "seq", "seq"])
    }

    fn case_name(&self, params: &Params) -> String {
        let [heads, kv_heads, seq, head_dim, workers] = SIZES.map(|name| params.int(name));
        let kv = if kv_heads == heads { String::new() } else { format!(" kv{kv_heads}") };
        let causal = if params.flag("causal") { " causal" } else { "" };
        format!("h{heads}{kv} s{seq} d{head_dim}{causal} workers {workers}")
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let [heads, kv_heads, seq, head_dim, _] = SIZES.map(|name| params.size(name));
        let mut inputs = Inputs::default();
        for (stream, (name, heads)) in
            [("query", heads), ("key", kv_heads), ("value", kv_heads)].into_iter().enumerate()
        {
            let shape = vec![1, heads, seq, head_dim];
            inputs.0.insert(name, HostArray::normal(shape, seed, stream as u64 + 1));
        }
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        let seq = Value::Int(params.int("seq"));
        let plain = params.clone().with("batch", Value::Int(1)).with("masked", Value::Bool(false));
        attention_rows(&plain.with("seq_q", seq.clone()).with("seq_kv", seq), inputs, seed)
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let [heads, kv_heads, seq, head_dim, _] = SIZES.map(|name| params.int(name) as f64);
        let pairs = if params.flag("causal") { seq * (seq + 1.0) / 2.0 } else { seq * seq };
        let elements = 2.0 * head_dim * seq * (heads + kv_heads);
        Work { flops: 4.0 * heads * pairs * head_dim, bytes: elements * dtype.bytes() as f64 }
    }

    fn tolerance(&self, _params: &Params, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn figures(&self, params: &Params, _inputs: &Inputs) -> Vec<Figure> {
        // Every layout takes the same.
        let ring = ring(params, Layout::Contiguous);
        vec![
            Figure::modelled("worker_bytes_model", worker_bytes(&ring, 1) as f64, "bytes"),
            Figure::modelled("whole_bytes_model", whole_bytes(&ring) as f64, "bytes"),
        ]
    }
}

/// The ring of a case.
pub fn ring(params: &Params, layout: Layout) -> Ring {
    let [heads, kv_heads, seq, head_dim, workers] = SIZES.map(|name| params.size(name));
    Ring { heads, kv_heads, seq, head_dim, workers, causal: params.flag("causal"), layout }
}

/// Bytes that one worker holds at its highest: O(seq / workers), whatever the whole sequence.
///
/// With s = seq / workers rounded up, d = head_dim, in numbers of `f32`:
///
/// - `copies · heads · s · d`: its queries,
/// - `copies · 2 · kv_heads · s · d`: the block of keys and values in work, at first its own,
/// - `2 · kv_heads · s · d`: the arriving block (none in a ring of one),
/// - `heads · s · (d + 1)`: the result, and the logarithm of the sum of each query,
/// - `min(s, 1024) · (d + 1)`: the part of the result that is merged next.
///
/// That is the 6 · s · d of a head (Liu et al., arXiv 2310.01889, section 3), and what grows with s alone. Every buffer
/// has room for the longest shard, so that all workers hold the same. The tiles of the attention kernel, a few KiB for
/// each thread whatever the sequence, are not part of it.
pub fn worker_bytes(ring: &Ring, copies: usize) -> usize {
    let Ring { heads, kv_heads, head_dim, workers, .. } = *ring;
    let shard = ring.longest();
    let block = 2 * kv_heads * shard * head_dim;
    let arriving = if workers > 1 { block } else { 0 };
    let sums = heads * shard * (head_dim + 1);
    let part = shard.min(QUERIES) * (head_dim + 1);
    NUMBER * (copies * (heads * shard * head_dim + block) + arriving + sums + part)
}

/// Bytes of queries, keys, values and the result of the whole sequence in one memory: O(seq).
fn whole_bytes(ring: &Ring) -> usize {
    NUMBER * 2 * (ring.heads + ring.kv_heads) * ring.seq * ring.head_dim
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_counted_by_hand() {
        let ring = |seq, workers| Ring {
            heads: 4,
            kv_heads: 2,
            seq,
            head_dim: 8,
            workers,
            causal: true,
            layout: Layout::Contiguous,
        };
        // A shard of 5: queries 160, two blocks of 160, result 160 and 20, a part of 45.
        assert_eq!(worker_bytes(&ring(10, 2), 1), 4 * (160 + 2 * 160 + 180 + 45));
        assert_eq!(worker_bytes(&ring(9, 2), 1), worker_bytes(&ring(10, 2), 1), "room for the longest");
        assert_eq!(worker_bytes(&ring(10, 2), 3) - worker_bytes(&ring(10, 2), 1), 2 * 4 * 320);
        assert_eq!(worker_bytes(&ring(5, 1), 1), 4 * (160 + 160 + 180 + 45), "nothing arrives");
        assert_eq!(whole_bytes(&ring(10, 2)), 4 * (2 * 320 + 2 * 160));
    }
}
