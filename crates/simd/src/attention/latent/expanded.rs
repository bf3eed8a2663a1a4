//! The form for a prompt: keys and values of every head are made of all entries.

use super::parts::{by_heads, put, queries};
use super::{LatentAttention, LatentSizes, attend};
use crate::blocks::{Finish, Place, Spread, heads_of, products};
use crate::error::Result;
use crate::matmul::isa::Tile;
use crate::memory::{Pieces, scratch};
use crate::tools::Tools;

/// Positions whose keys and values are there at a time, unless a sequence has more: enough for products to be worth their weights.
const POSITIONS: usize = 1024;

/// The result from the latents of queries and the new entries.
pub fn run<T: Tile + Tools + Sync>(
    tile: &T,
    call: &LatentAttention,
    [latents, entries]: [&[f32]; 2],
    out: &mut [f32],
) -> Result<()> {
    let LatentAttention { batch, seq_q, seq_kv, weights, .. } = *call;
    let LatentSizes { heads, width, head_dim, rotary_dim, value_dim, .. } = weights.sizes;
    let (rows, d) = (batch * seq_q, head_dim + rotary_dim);
    let together = POSITIONS.div_ceil(seq_kv).min(batch);
    let positions = together * seq_kv;
    let lengths = [rows * d, rows * rotary_dim, positions * d, positions * value_dim, rows * value_dim];
    scratch(lengths.map(|numbers| heads * numbers), |[query, turned, key, value, given]| {
        let apart = [heads * seq_q * d, seq_q * d, d];
        queries(tile, call, latents, query, apart, turned)?;
        let turned = &*turned;
        let of = |[sequence, head, position]: [usize; 3]| {
            &turned[((sequence * heads + head) * seq_q + position) * rotary_dim..][..rotary_dim]
        };
        put([batch, heads, seq_q], of, query, head_dim, apart);
        for first in (0..batch).step_by(together) {
            let count = together.min(batch - first);
            keys_and_values(tile, call, entries, [first, count], [&mut *key, &mut *value]);
            let query = &query[first * apart[0]..][..count * apart[0]];
            let given = &mut given[first * heads * seq_q * value_dim..][..count * heads * seq_q * value_dim];
            attend::expanded(call, [query, key, value], given)?;
        }
        let to = Pieces::new(out);
        let (steps, place) = (heads * value_dim, Place::Matrix(&to, width));
        let of_heads = heads_of(given, [heads, seq_q, value_dim]);
        products(tile, [rows, steps], of_heads, &[(&weights.out, Finish::to(place))]);
        Ok(())
    })
}

/// Keys `[count, heads, seq_kv, head_dim + rotary_dim]` and values `[count, heads, seq_kv, value_dim]` of so many sequences from
/// `first` on.
fn keys_and_values<T: Tile + Tools + Sync>(
    tile: &T,
    call: &LatentAttention,
    entries: &[f32],
    [first, count]: [usize; 2],
    [key, value]: [&mut [f32]; 2],
) {
    let LatentAttention { seq_kv: seq, weights, .. } = *call;
    let LatentSizes { heads, kv_rank, head_dim, rotary_dim, value_dim, .. } = weights.sizes;
    let d = head_dim + rotary_dim;
    let latent = |row: usize, _: usize| &call.entry(entries, first + row / seq, row % seq)[..kv_rank];
    let both = [
        (Pieces::new(&mut *key), [d, head_dim], &weights.key_up),
        (Pieces::new(value), [value_dim; 2], &weights.value_up),
    ];
    for (to, [apart, width], packed) in &both {
        let place = |head: usize| {
            let (first, apart) = (head * seq * apart, [heads * seq * apart, 0, *apart]);
            Place::Spread(Spread { to, first, seq, apart, width: *width, padded: packed.across() })
        };
        by_heads(tile, [count * seq, heads], packed, latent, place);
    }
    let shared = |[sequence, _, position]: [usize; 3]| &call.entry(entries, first + sequence, position)[kv_rank..];
    put([count, heads, seq], shared, key, head_dim, [heads * seq * d, seq * d, d]);
}
