//! Multi-head latent attention: keys and values of all heads are made of one short vector a position.
#![expect(unsafe_code, reason = "the tile of an instruction set is made where it was detected")]

mod absorbed;
mod attend;
mod expanded;
mod parts;
mod weights;

use crate::blocks::{Finish, Norm, Place, products, rms_norm, rows_of};
use crate::error::{Error, Result, expect_len};
use crate::isa::with_isa;
use crate::matmul::isa::{self, Tile};
use crate::memory::{Pieces, scratch};
use crate::tools::Tools;
pub use weights::{LatentMatrices, LatentSizes, LatentWeights};

/// New positions of sequences, and what is cached of those before.
#[derive(Debug, Clone, Copy)]
pub struct LatentAttention<'a> {
    /// Sequences.
    pub batch: usize,
    /// New positions of a sequence.
    pub seq_q: usize,
    /// All positions of a sequence; the new ones are the last.
    pub seq_kv: usize,
    /// `[batch, seq_q, width]`
    pub input: &'a [f32],
    /// `[batch, seq_kv − seq_q, kv_rank + rotary_dim]`: latents, and behind each the key that carries its place.
    pub cache: &'a [f32],
    /// What projects, and for which instructions.
    pub weights: &'a LatentWeights,
}

impl<'a> LatentAttention<'a> {
    /// Positions that are cached.
    fn cached(&self) -> usize {
        self.seq_kv - self.seq_q
    }

    /// The entry of a position, cached or new.
    fn entry(&self, entries: &'a [f32], sequence: usize, position: usize) -> &'a [f32] {
        let (cached, entry) = (self.cached(), self.weights.sizes.entry());
        let (from, row) = match position.checked_sub(cached) {
            Some(new) => (entries, sequence * self.seq_q + new),
            None => (self.cache, sequence * cached + position),
        };
        &from[row * entry..][..entry]
    }

    /// Whether it takes fewer operations to attend to latents than to make keys and values of every head first.
    fn absorbs(&self) -> bool {
        let LatentSizes { heads, kv_rank, head_dim, rotary_dim, value_dim, .. } = self.weights.sizes;
        let up = (heads * kv_rank * (head_dim + value_dim)) as f64;
        let pairs = (self.seq_q * self.cached()) as f64 + (self.seq_q * (self.seq_q + 1)) as f64 / 2.0;
        let attention = |numbers: usize| pairs * (heads * numbers) as f64;
        self.seq_q as f64 * up + attention(2 * kv_rank + rotary_dim)
            < self.seq_kv as f64 * up + attention(head_dim + rotary_dim + value_dim)
    }
}

/// Multi-head latent attention with decoupled rotary positions (DeepSeek-AI, arXiv 2405.04434, section 2.1, equations 9 to 19),
/// causal, with RMS norms of latents (its section 3.1.2): `out` `[batch, seq_q, width]`, and in `entries`
/// `[batch, seq_q, kv_rank + rotary_dim]` what the cache grows by.
///
/// A prompt has keys and values of every head made of all entries. Where that would take more operations, as in a step of decoding
/// over a long cache, what makes keys goes to queries and what makes values to what heads give (at the end of section 2.1.2): the
/// queries of all heads attend to the entries as they lie, which are read once for them together. Neither scores nor a copy of the
/// cache are ever in memory, and nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, fewer positions than new ones, positions without an angle, an instruction set that is absent.
pub fn latent_attention(call: &LatentAttention, out: &mut [f32], entries: &mut [f32]) -> Result<()> {
    let LatentAttention { batch, seq_q, seq_kv, .. } = *call;
    let sizes = &call.weights.sizes;
    let Some(cached) = seq_kv.checked_sub(seq_q) else {
        return Err(Error::Shape(format!("{seq_q} new positions are more than {seq_kv} in all")));
    };
    expect_len("the input", &[batch, seq_q, sizes.width], call.input.len())?;
    expect_len("the cache", &[batch, cached, sizes.entry()], call.cache.len())?;
    expect_len("the result", &[batch, seq_q, sizes.width], out.len())?;
    expect_len("the entries", &[batch, seq_q, sizes.entry()], entries.len())?;
    if out.is_empty() {
        return Ok(());
    }
    with_isa!(call.weights.isa, |tile| run(&tile, call, out, entries))
}

fn run<T: Tile + Tools + Sync>(tile: &T, call: &LatentAttention, out: &mut [f32], entries: &mut [f32]) -> Result<()> {
    let rows = call.batch * call.seq_q;
    scratch([rows * call.weights.sizes.query_rank], |[latents]| {
        down(tile, call, latents, entries)?;
        if call.absorbs() {
            absorbed::run(tile, call, [latents, entries], out)
        } else {
            expanded::run(tile, call, [latents, entries], out)
        }
    })
}

/// The latents of queries `[rows, query_rank]`, and entries.
fn down<T: Tile + Tools + Sync>(
    tile: &T,
    call: &LatentAttention,
    latents: &mut [f32],
    entries: &mut [f32],
) -> Result<()> {
    let (rows, weights) = (call.batch * call.seq_q, call.weights);
    let LatentSizes { width, query_rank, kv_rank, rotary_dim, .. } = weights.sizes;
    let lengths = [query_rank, kv_rank, kv_rank, rotary_dim, rotary_dim].map(|numbers| rows * numbers);
    scratch(lengths, |[query, raw, normed, key, turned]| {
        let to = [&mut *query, &mut *raw, &mut *key].map(Pieces::new);
        let [query_place, raw_place, key_place] =
            [(0, query_rank), (1, kv_rank), (2, rotary_dim)].map(|(part, columns)| Place::Matrix(&to[part], columns));
        let products_of = [
            (&weights.query_down, Finish::to(query_place)),
            (&weights.kv_down, Finish::to(raw_place)),
            (&weights.key_rotary, Finish::to(key_place)),
        ];
        products(tile, [rows, width], rows_of(call.input, width), &products_of);
        rms_norm(&norm(weights, query, &weights.query_gain), latents)?;
        rms_norm(&norm(weights, raw, &weights.kv_gain), normed)?;
        weights.rotary.rotate(weights.isa, call.seq_q, call.cached(), key, turned)?;
        let both = normed.chunks_exact(kv_rank).zip(turned.chunks_exact(rotary_dim));
        for (entry, (latent, key)) in entries.chunks_exact_mut(kv_rank + rotary_dim).zip(both) {
            entry[..kv_rank].copy_from_slice(latent);
            entry[kv_rank..].copy_from_slice(key);
        }
        Ok(())
    })
}

/// Rows of latents, as wide as their gain.
fn norm<'n>(weights: &LatentWeights, input: &'n [f32], gain: &'n [f32]) -> Norm<'n> {
    Norm { width: gain.len(), input, gain, epsilon: weights.epsilon, isa: weights.isa }
}
