//! Queries, keys and values out of latents: multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1), whose keys and
//! values are kept as they are, and not as latents.

use benchbook_simd::{Activation, Isa, Norm, rms_norm};

use super::matrix::{Held, Matrix};
use crate::description::{self, Text};
use crate::error::Result;

/// What makes queries, keys and values of a position, each head by head.
#[derive(Debug)]
pub enum Projection {
    /// A matrix.
    Direct(Matrix),
    /// Matrices by way of latents.
    Latent(Box<Latent>),
}

/// From a position to latents, and from these to what heads see.
#[derive(Debug)]
pub struct Latent {
    /// To the latent of queries, its norm, and from there to queries.
    pub query_down: Matrix,
    pub query_gain: Vec<f32>,
    pub query: Matrix,
    /// To the latent of keys and values with the turned numbers that all keys share, the norm of the first, and from there to those
    /// of each head's key that are not turned, with its value.
    pub down: Matrix,
    pub gain: Vec<f32>,
    pub both: Matrix,
    pub sizes: description::Latent,
    pub epsilon: f64,
    pub isa: Isa,
}

/// Room for what lies between.
#[derive(Debug, Default)]
pub struct Room {
    low: Vec<f32>,
    latent: Vec<f32>,
    normed: Vec<f32>,
    wide: Vec<f32>,
}

impl Room {
    /// Room for `rows` positions at a time; none where there are no latents.
    pub fn new(text: &Text, rows: usize) -> Self {
        let Some(latent) = &text.latent else { return Self::default() };
        let numbers = |width: usize| vec![0.0; rows * width];
        let least = latent.query_rank.max(latent.kv_rank);
        Self {
            low: numbers(latent.query_rank.max(latent.kv_rank + latent.rotated)),
            latent: numbers(least),
            normed: numbers(least),
            wide: numbers(text.projected()[0].max(text.heads * (latent.plain + latent.value))),
        }
    }
}

impl Projection {
    /// What its matrices take.
    pub fn held(&self) -> Held {
        match self {
            Self::Direct(matrix) => matrix.held(),
            Self::Latent(latent) => {
                let Latent { query_down, query, down, both, .. } = &**latent;
                query_down.held() + query.held() + down.held() + both.held()
            }
        }
    }

    /// Of positions `[rows, width]`, into `out` `[rows, queries + keys + values]`.
    pub fn apply(&self, input: &[f32], room: &mut Room, out: &mut [f32]) -> Result<()> {
        match self {
            Self::Direct(matrix) => matrix.apply(Activation::None, input, out),
            Self::Latent(latent) => latent.apply(input, room, out),
        }
    }
}

impl Latent {
    fn apply(&self, input: &[f32], room: &mut Room, out: &mut [f32]) -> Result<()> {
        let Room { low, latent, normed, wide } = room;
        let description::Latent { query_rank, kv_rank, plain, rotated, value } = self.sizes;
        let rows = input.len() / self.query_down.inner();
        let (across, head) = (out.len() / rows, plain + rotated);
        let heads = across / (2 * head + value);
        let [queries, keys] = [heads * head; 2];

        let low_queries = &mut low[..rows * query_rank];
        self.query_down.apply(Activation::None, input, low_queries)?;
        self.norm(&self.query_gain, low_queries, &mut normed[..rows * query_rank])?;
        let made = &mut wide[..rows * queries];
        self.query.apply(Activation::None, &normed[..rows * query_rank], made)?;
        for (out, made) in out.chunks_exact_mut(across).zip(made.chunks_exact(queries)) {
            out[..queries].copy_from_slice(made);
        }

        let low = &mut low[..rows * (kv_rank + rotated)];
        self.down.apply(Activation::None, input, low)?;
        for (latent, low) in latent.chunks_exact_mut(kv_rank).zip(low.chunks_exact(kv_rank + rotated)) {
            latent.copy_from_slice(&low[..kv_rank]);
        }
        self.norm(&self.gain, &latent[..rows * kv_rank], &mut normed[..rows * kv_rank])?;
        let made = &mut wide[..rows * heads * (plain + value)];
        self.both.apply(Activation::None, &normed[..rows * kv_rank], made)?;
        let made = made.chunks_exact(heads * (plain + value));
        for ((out, made), low) in out.chunks_exact_mut(across).zip(made).zip(low.chunks_exact(kv_rank + rotated)) {
            let (to_keys, to_values) = out[queries..].split_at_mut(keys);
            let of_heads = to_keys.chunks_exact_mut(head).zip(to_values.chunks_exact_mut(value));
            for ((key, to), made) in of_heads.zip(made.chunks_exact(plain + value)) {
                key[..plain].copy_from_slice(&made[..plain]);
                key[plain..].copy_from_slice(&low[kv_rank..]);
                to.copy_from_slice(&made[plain..]);
            }
        }
        Ok(())
    }

    fn norm(&self, gain: &[f32], input: &[f32], out: &mut [f32]) -> Result<()> {
        Ok(rms_norm(&Norm { width: gain.len(), input, gain, epsilon: self.epsilon, isa: self.isa }, out)?)
    }
}
