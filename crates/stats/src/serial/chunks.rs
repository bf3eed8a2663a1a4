//! Long series made short enough for work that grows with the square of their length.

use crate::describe::mean_of;

/// The means of equal chunks of consecutive values, as small as leaves at most `limit` of them, and the
/// size of a chunk. Values at the end that fill no chunk, fewer than one in `limit`, are left out.
pub(super) fn chunk_means(values: &[f64], limit: usize) -> (Vec<f64>, usize) {
    let size = values.len().div_ceil(limit).max(1);
    (values.chunks_exact(size).map(mean_of).collect(), size)
}
