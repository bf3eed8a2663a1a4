//! Ring attention: one long sequence, split over several workers, and how much memory that takes.

mod layout;

use benchbook_core::{DType, Inputs, Metric, Params, Preset, Problem, Reference, Work};

use super::sizes::{check_kv_heads, check_scores, draw, label, scores};
use super::{Attention, AttentionParams};

pub use layout::{Layout, Ring, cut, place};

/// Attention of one sequence that is split over workers, none of which holds all of it (Liu et al., arXiv 2310.01889).
///
/// Inputs: `query` `[1, heads, seq, head_dim]`, `key` and `value` `[1, kv_heads, seq, head_dim]`. Shards differ by one
/// position at most. The modelled memory is that of one copy of the inputs, which is what the hot regime keeps.
pub struct RingAttention;

/// Positions of a worker in the default cases.
const SHARD: usize = 4096;

/// Queries that are computed together at most: what they give is merged into the result before the next ones.
pub const QUERIES: usize = 1024;

/// Bytes of a number.
const NUMBER: usize = size_of::<f32>();

benchbook_core::parameters! {
    /// Parameters of [`RingAttention`].
    pub struct RingAttentionParams {
        /// query heads
        heads: usize = 2, 1..=1 << 24;
        /// key and value heads; follows heads unless set
        kv_heads: usize = 2, 1..=1 << 24;
        /// queries and keys of the sequence
        seq: usize = SHARD, 1..=1 << 24;
        /// width of a head
        head_dim: usize = 32, 1..=1 << 24;
        /// a query sees no key after its own position
        causal: bool = true;
        /// workers that the sequence is split over
        workers: usize = 2, 1..=256;
    }
}

impl Problem for RingAttention {
    const NAME: &'static str = "ring-attention";
    const ABOUT: &'static str = "attention of one long sequence, split over workers with a memory of their own";
    type Params = RingAttentionParams;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64, workers: i64| Params::default().with("seq", seq.into()).with("workers", workers.into());
        vec![
            Preset { name: "quick", cases: vec![of(256, 2), of(512, 4)] },
            // The sequence grows, a worker's part of it does not.
            Preset { name: "default", cases: [1, 2, 4, 8].map(|workers| of(SHARD as i64 * workers, workers)).into() },
        ]
    }

    fn ugly() -> Vec<RingAttentionParams> {
        let of = |causal, [heads, kv_heads, seq, head_dim, workers]: [usize; 5]| RingAttentionParams {
            heads,
            kv_heads,
            seq,
            head_dim,
            causal,
            workers,
        };
        vec![
            of(true, [1, 1, 1, 1, 1]),
            // The first worker has one key, and nobody has two.
            of(true, [2, 2, 3, 17, 3]),
            of(false, [2, 1, 5, 33, 4]),
            of(true, [3, 1, 67, 17, 3]),
            of(true, [1, 1, QUERIES + 1, 17, 1]),
        ]
    }

    fn derive(given: Params) -> Params {
        given.following("kv_heads", "heads")
    }

    fn check(params: &RingAttentionParams) -> Result<(), (&'static str, String)> {
        let RingAttentionParams { heads, kv_heads, seq, workers, .. } = *params;
        check_kv_heads(heads, kv_heads)?;
        if workers > seq {
            return Err(("workers", format!("{workers} workers for seq {seq}: give 1 to {seq}")));
        }
        check_scores("seq", [1, heads, seq, seq])
    }

    fn label(params: &RingAttentionParams) -> String {
        let RingAttentionParams { heads, kv_heads, seq, head_dim, causal, workers } = *params;
        let causal = if causal { " causal" } else { "" };
        format!("{} s{seq} d{head_dim}{causal} workers {workers}", label(heads, kv_heads))
    }

    fn inputs(params: &RingAttentionParams, seed: u64) -> Inputs {
        let RingAttentionParams { heads, kv_heads, seq, head_dim, .. } = *params;
        draw([1, heads, seq, head_dim], [1, kv_heads, seq, head_dim], seed)
    }

    fn reference(params: &RingAttentionParams, inputs: &Inputs, seed: u64) -> Reference {
        let RingAttentionParams { heads, kv_heads, seq, head_dim, causal, .. } = *params;
        let (seq_q, seq_kv) = (seq, seq);
        let whole = AttentionParams { batch: 1, heads, kv_heads, seq_q, seq_kv, head_dim, causal, masked: false };
        Attention::reference(&whole, inputs, seed)
    }

    fn work(params: &RingAttentionParams, dtype: DType) -> Work {
        let pairs = scores(params.seq, params.seq, params.causal);
        let RingAttentionParams { heads, kv_heads, seq, head_dim, .. } = *params;
        let [heads, kv_heads, seq, head_dim] = [heads, kv_heads, seq, head_dim].map(|size| size as f64);
        let elements = 2.0 * head_dim * seq * (heads + kv_heads);
        Work { flops: 4.0 * heads * pairs * head_dim, bytes: elements * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &RingAttentionParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(params: &RingAttentionParams, _inputs: &Inputs) -> Vec<Metric> {
        // Every layout takes the same.
        let ring = ring(params, Layout::Contiguous);
        vec![
            Metric::modelled("worker_bytes_model", worker_bytes(&ring, 1) as f64, "bytes"),
            Metric::modelled("whole_bytes_model", whole_bytes(&ring) as f64, "bytes"),
        ]
    }
}

/// The ring of a case.
pub fn ring(params: &RingAttentionParams, layout: Layout) -> Ring {
    let RingAttentionParams { heads, kv_heads, seq, head_dim, causal, workers } = *params;
    Ring { heads, kv_heads, seq, head_dim, workers, causal, layout }
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
