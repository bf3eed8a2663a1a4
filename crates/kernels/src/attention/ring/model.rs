//! How much memory ring attention takes.

use super::layout::Ring;

/// Queries that are computed together at most: what they give is merged into the result before the next ones.
pub const QUERIES: usize = 1024;

/// Bytes of a number.
const NUMBER: usize = size_of::<f32>();

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
pub fn whole_bytes(ring: &Ring) -> usize {
    NUMBER * 2 * (ring.heads + ring.kv_heads) * ring.seq * ring.head_dim
}

#[cfg(test)]
mod tests {
    use super::super::layout::Layout;
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
