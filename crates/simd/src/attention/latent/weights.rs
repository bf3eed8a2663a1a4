//! The weights of multi-head latent attention.
#![expect(unsafe_code, reason = "the tile of an instruction set is made where it was detected")]

use crate::blocks::Rotary;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::isa::{self, Tile};
use crate::matmul::packed::Packed;

/// Sizes of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatentSizes {
    /// Heads.
    pub heads: usize,
    /// Numbers of a position.
    pub width: usize,
    /// Numbers of a position that queries are made of.
    pub query_rank: usize,
    /// Numbers of a position that keys and values are made of.
    pub kv_rank: usize,
    /// Numbers of a head's key, those that carry its place aside.
    pub head_dim: usize,
    /// Numbers of a key that carry its place, the same for all heads.
    pub rotary_dim: usize,
    /// Numbers of a head's value.
    pub value_dim: usize,
}

impl LatentSizes {
    /// Numbers of an entry of the cache.
    pub fn entry(&self) -> usize {
        self.kv_rank + self.rotary_dim
    }

    /// Factor of the scores, in powers of two.
    pub(super) fn scale(&self) -> f32 {
        std::f32::consts::LOG2_E / ((self.head_dim + self.rotary_dim) as f32).sqrt()
    }
}

/// Weights as matrices, row-major, and gains of the norms of latents.
#[derive(Debug, Clone, Copy)]
pub struct LatentMatrices<'a> {
    /// `[width, query_rank]`
    pub query_down: &'a [f32],
    /// `[query_rank, heads · head_dim]`
    pub query_up: &'a [f32],
    /// `[query_rank, heads · rotary_dim]`
    pub query_rotary: &'a [f32],
    /// `[width, kv_rank]`
    pub kv_down: &'a [f32],
    /// `[width, rotary_dim]`
    pub key_rotary: &'a [f32],
    /// `[kv_rank, heads · head_dim]`
    pub key_up: &'a [f32],
    /// `[kv_rank, heads · value_dim]`
    pub value_up: &'a [f32],
    /// `[heads · value_dim, width]`
    pub out: &'a [f32],
    /// `[query_rank]`
    pub query_gain: &'a [f32],
    /// `[kv_rank]`
    pub kv_gain: &'a [f32],
}

/// Weights packed for an instruction set: made once for a model, used by every call. What makes keys is there twice, as a prompt and
/// as a step of decoding takes it.
#[derive(Debug)]
pub struct LatentWeights {
    pub(super) sizes: LatentSizes,
    pub(super) isa: Isa,
    pub(super) rotary: Rotary,
    pub(super) epsilon: f64,
    pub(super) query_gain: Vec<f32>,
    pub(super) kv_gain: Vec<f32>,
    pub(super) query_down: Packed<1>,
    pub(super) kv_down: Packed<1>,
    pub(super) key_rotary: Packed<1>,
    /// Of every head a panel of its own at least.
    pub(super) query_up: Packed<1>,
    pub(super) query_rotary: Packed<1>,
    /// Of each head `[kv_rank, head_dim]`.
    pub(super) key_up: Packed<1>,
    /// Of each head `[head_dim, kv_rank]`: what queries take of what makes keys.
    pub(super) key_absorbed: Packed<1>,
    /// Of each head `[kv_rank, value_dim]`.
    pub(super) value_up: Packed<1>,
    pub(super) out: Packed<1>,
}

impl LatentWeights {
    /// Packs weights for the instructions `isa`; `rotary` turns what carries a place, and `epsilon` is that of the norms.
    ///
    /// # Errors
    /// Slices of the wrong length, sizes of 0, angles for keys of another width, an instruction set that is absent.
    pub fn new(sizes: LatentSizes, matrices: &LatentMatrices, rotary: Rotary, epsilon: f64, isa: Isa) -> Result<Self> {
        let LatentSizes { heads, width, query_rank, kv_rank, head_dim, rotary_dim, value_dim } = sizes;
        if [heads, width, query_rank, kv_rank, head_dim, rotary_dim, value_dim].contains(&0) {
            return Err(Error::Shape(format!("a size of 0 leaves nothing of latent attention: {sizes:?}")));
        }
        if rotary.head_dim() != rotary_dim {
            let known = rotary.head_dim();
            return Err(Error::Shape(format!(
                "keys carry their place in {rotary_dim} numbers, angles are for {known}"
            )));
        }
        for (name, shape, numbers) in [
            ("the query's down weights", [width, query_rank], matrices.query_down),
            ("the query's up weights", [query_rank, heads * head_dim], matrices.query_up),
            ("the query's rotary weights", [query_rank, heads * rotary_dim], matrices.query_rotary),
            ("the down weights", [width, kv_rank], matrices.kv_down),
            ("the key's rotary weights", [width, rotary_dim], matrices.key_rotary),
            ("the key's up weights", [kv_rank, heads * head_dim], matrices.key_up),
            ("the value's up weights", [kv_rank, heads * value_dim], matrices.value_up),
            ("the output weights", [heads * value_dim, width], matrices.out),
            ("the query's gain", [1, query_rank], matrices.query_gain),
            ("the gain", [1, kv_rank], matrices.kv_gain),
        ] {
            expect_len(name, &shape, numbers.len())?;
        }
        Ok(with_isa!(isa, |tile| Self::packed(&tile, sizes, matrices, rotary, epsilon, isa)))
    }

    fn packed<T: Tile + Sync>(
        tile: &T,
        sizes: LatentSizes,
        matrices: &LatentMatrices,
        rotary: Rotary,
        epsilon: f64,
        isa: Isa,
    ) -> Self {
        let LatentSizes { heads, width, query_rank, kv_rank, head_dim, rotary_dim, value_dim } = sizes;
        let whole = |from: &[f32], [k, columns]: [usize; 2]| Packed::new(tile, [from], [1, k, columns]);
        let [keys, values] = [(matrices.key_up, head_dim), (matrices.value_up, value_dim)]
            .map(|(from, numbers)| by_head(from, [kv_rank, heads, numbers]));
        Self {
            sizes,
            isa,
            rotary,
            epsilon,
            query_gain: matrices.query_gain.to_vec(),
            kv_gain: matrices.kv_gain.to_vec(),
            query_down: whole(matrices.query_down, [width, query_rank]),
            kv_down: whole(matrices.kv_down, [width, kv_rank]),
            key_rotary: whole(matrices.key_rotary, [width, rotary_dim]),
            query_up: Packed::of_heads(tile, matrices.query_up, query_rank, [heads, head_dim]),
            query_rotary: Packed::of_heads(tile, matrices.query_rotary, query_rank, [heads, rotary_dim]),
            key_absorbed: Packed::new(tile, [&turned(&keys, [kv_rank, head_dim])], [heads, head_dim, kv_rank]),
            key_up: Packed::new(tile, [&keys], [heads, kv_rank, head_dim]),
            value_up: Packed::new(tile, [&values], [heads, kv_rank, value_dim]),
            out: whole(matrices.out, [heads * value_dim, width]),
        }
    }
}

/// Rows `[rows, heads · width]` as `[heads, rows, width]`.
fn by_head(from: &[f32], [rows, heads, width]: [usize; 3]) -> Vec<f32> {
    let of = |head: usize| (0..rows).flat_map(move |row| &from[(row * heads + head) * width..][..width]);
    (0..heads).flat_map(of).copied().collect()
}

/// Matrices `[_, rows, columns]` as `[_, columns, rows]`.
fn turned(from: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let one = |from: &[f32]| -> Vec<f32> {
        (0..rows * columns).map(|index| from[index % rows * columns + index / rows]).collect()
    };
    from.chunks_exact(rows * columns).flat_map(one).collect()
}
