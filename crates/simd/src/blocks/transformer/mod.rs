//! The block of a transformer: attention and a feed-forward network, each with its norm and its residual.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

mod weights;

use std::mem::swap;

use super::finish::{Added, Finish, Place, Spread};
use super::mlp;
use super::product::{heads_of, products, rows_of};
use crate::attention::{Attend, Heads, attention};
use crate::error::{Result, expect_len};
use crate::isa::with_isa;
use crate::matmul::isa::{self, Tile};
use crate::memory::{Pieces, scratch};
use crate::tools::Tools;
use weights::Projection;
pub use weights::{Between, NormWeights, TransformerBlock, TransformerWeights};

/// A block of a transformer into `out` `[batch, seq, width]`, of `input` of the same shape, where `size` is batch and seq: with norms
/// n, y = x + attention(n₁(x)), y + feed(n₂(y)), as GPT-2, LLaMA and Qwen3 have it, or y = n₁(x + attention(x)), n₂(y + feed(y)), as
/// BERT has it (Vaswani et al., arXiv 1706.03762, section 3.1).
///
/// Queries, keys and values go head by head to where attention reads them, and what heads give is packed right as the left factor of
/// the next product. Biases, activations, gates and residuals are applied to sums while these are near; scores and hidden numbers are
/// in no memory of their own. Nothing is allocated once every thread has its scratch, which grows with the positions.
///
/// # Errors
/// Slices of the wrong length, more positions than there are angles for, an instruction set that is absent.
pub fn transformer_block(weights: &TransformerWeights, size: [usize; 2], input: &[f32], out: &mut [f32]) -> Result<()> {
    let shape = [size[0], size[1], weights.width];
    expect_len("the input", &shape, input.len())?;
    expect_len("the result", &shape, out.len())?;
    if out.is_empty() {
        return Ok(());
    }
    with_isa!(weights.isa, |tile| run(&tile, weights, size, input, out))
}

fn run<T: Tile + Tools + Sync>(
    tile: &T,
    weights: &TransformerWeights,
    size: [usize; 2],
    input: &[f32],
    out: &mut [f32],
) -> Result<()> {
    scratch([input.len(); 2], |[normed, between]| {
        if weights.post_norm {
            attended(tile, weights, size, [input, input], normed)?;
            weights.norm(0, normed, between)?;
            let between = &*between;
            mlp::run(tile, &weights.mlp, between, Some(between), normed);
            return weights.norm(1, normed, out);
        }
        weights.norm(0, input, normed)?;
        attended(tile, weights, size, [normed, input], between)?;
        weights.norm(1, between, normed)?;
        let between = &*between;
        mlp::run(tile, &weights.mlp, normed, Some(between), out);
        Ok(())
    })
}

/// Attention of positions to each other, with its projections, and the residual, which is added.
fn attended<T: Tile + Tools + Sync>(
    tile: &T,
    weights: &TransformerWeights,
    [batch, seq]: [usize; 2],
    [input, residual]: [&[f32]; 2],
    out: &mut [f32],
) -> Result<()> {
    let TransformerWeights { isa, width, heads: [heads, kv_heads, d], causal, .. } = *weights;
    let (rows, all, kv) = (batch * seq, heads * d, kv_heads * d);
    scratch(
        [all, kv, kv, all, kv].map(|numbers| rows * numbers),
        |[mut query, mut key, value, mut other, mut other_key]| {
            let to = [&mut *query, &mut *key, &mut *value].map(Pieces::new);
            let parts = [(&weights.query, heads), (&weights.key, kv_heads), (&weights.value, kv_heads)];
            let projected = [0, 1, 2].map(|part| {
                let (Projection { packed, bias }, heads) = parts[part];
                let (apart, padded) = ([heads * seq * d, seq * d, d], packed.across() / heads);
                let place = Place::Spread(Spread { to: &to[part], first: 0, seq, apart, width: d, padded });
                (packed, Finish { bias: bias.as_deref(), ..Finish::to(place) })
            });
            products(tile, [rows, width], rows_of(input, width), &projected);
            if weights.head_norms([query, key], [&mut *other, &mut *other_key])? {
                swap(&mut query, &mut other);
                swap(&mut key, &mut other_key);
            }
            if let Some(rotary) = &weights.rotary {
                rotary.rotate(isa, seq, 0, query, other)?;
                rotary.rotate(isa, seq, 0, key, other_key)?;
                swap(&mut query, &mut other);
                swap(&mut key, &mut other_key);
            }
            let sizes = Heads { batch, heads, kv_heads, seq_q: seq, seq_kv: seq, head_dim: d };
            let (scale, window, mask) = (None, None, None);
            attention(&Attend { heads: sizes, query, key, value, scale, causal, window, mask, isa }, other)?;
            let to = Pieces::new(out);
            let added = Some(Added { numbers: residual, columns: width });
            let bias = weights.out.bias.as_deref();
            let finish = Finish { bias, added, ..Finish::to(Place::Matrix(&to, width)) };
            products(tile, [rows, all], heads_of(other, [heads, seq, d]), &[(&weights.out.packed, finish)]);
            Ok(())
        },
    )
}
