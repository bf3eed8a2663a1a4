//! The form for decoding: all heads attend to the entries as they lie.

use super::parts::{by_heads, put, queries};
use super::{LatentAttention, LatentSizes, attend};
use crate::blocks::{Finish, Place, Spread, products, rows_of};
use crate::error::Result;
use crate::matmul::isa::Tile;
use crate::memory::{Pieces, scratch};
use crate::tools::Tools;

/// The result from the latents of queries and the new entries.
pub fn run<T: Tile + Tools + Sync>(
    tile: &T,
    call: &LatentAttention,
    [latents, entries]: [&[f32]; 2],
    out: &mut [f32],
) -> Result<()> {
    let LatentAttention { batch, seq_q: seq, weights, .. } = *call;
    let LatentSizes { heads, width, kv_rank, head_dim, rotary_dim, value_dim, .. } = weights.sizes;
    let (rows, entry) = (batch * seq, weights.sizes.entry());
    let lengths = [head_dim, rotary_dim, entry, kv_rank, value_dim].map(|numbers| rows * heads * numbers);
    scratch(lengths, |[plain, turned, query, mixed, given]| {
        queries(tile, call, latents, plain, [seq * heads * head_dim, head_dim, heads * head_dim], turned)?;
        let (plain, turned) = (&*plain, &*turned);
        let to = Pieces::new(&mut *query);
        let of = |row: usize, head: usize| &plain[(row * heads + head) * head_dim..][..head_dim];
        let place = |head: usize| {
            let (apart, padded) = ([0, 0, heads * entry], weights.key_absorbed.across());
            Place::Spread(Spread { to: &to, first: head * entry, seq: rows, apart, width: kv_rank, padded })
        };
        by_heads(tile, [rows, heads], &weights.key_absorbed, of, place);
        let of = |[sequence, head, position]: [usize; 3]| {
            &turned[((sequence * heads + head) * seq + position) * rotary_dim..][..rotary_dim]
        };
        put([batch, heads, seq], of, query, kv_rank, [seq * heads * entry, entry, heads * entry]);
        attend::absorbed(call, query, entries, mixed)?;
        let mixed = &*mixed;
        let to = Pieces::new(&mut *given);
        let of = |row: usize, head: usize| &mixed[(row * heads + head) * kv_rank..][..kv_rank];
        let place = |head: usize| {
            let (apart, padded) = ([0, 0, heads * value_dim], weights.value_up.across());
            Place::Spread(Spread { to: &to, first: head * value_dim, seq: rows, apart, width: value_dim, padded })
        };
        by_heads(tile, [rows, heads], &weights.value_up, of, place);
        let to = Pieces::new(out);
        let (steps, place) = (heads * value_dim, Place::Matrix(&to, width));
        products(tile, [rows, steps], rows_of(given, steps), &[(&weights.out, Finish::to(place))]);
        Ok(())
    })
}
