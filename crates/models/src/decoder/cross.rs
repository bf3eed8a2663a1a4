//! Attention of a text to what was heard: keys and values are made of it once, and every position of the text sees all of them.

use benchbook_simd::{Activation, Attend, Heads, attention};

use super::matrix::Matrix;
use super::{Decoder, Normed};
use crate::description::Text;
use crate::error::Result;

/// What a layer has for it (Vaswani et al., arXiv 1706.03762, section 3.2.3).
#[derive(Debug)]
pub struct Cross {
    pub before: Normed,
    pub query: Matrix,
    /// From a position of what was heard to its key, and its value behind that.
    pub both: Matrix,
    pub out: Matrix,
}

/// What was heard, as the layers of a decoder see it: nothing is allocated once it has held as much.
#[derive(Debug, Default)]
pub struct Heard {
    positions: usize,
    /// Of each layer keys and values, each `[heads, positions, head_dim]`.
    layers: Vec<[Vec<f32>; 2]>,
    /// Keys and values of a layer, `[positions, 2 · width]`.
    both: Vec<f32>,
    /// Queries, and what each head gives, `[heads, rows, head_dim]`.
    room: [Vec<f32>; 2],
}

impl Heard {
    /// Whether nothing was heard yet.
    pub fn is_empty(&self) -> bool {
        self.positions == 0
    }

    /// Takes what was heard, `[positions, width]`, in the place of what was heard before.
    ///
    /// # Errors
    /// What a kernel refuses: then nothing was heard.
    pub fn hear(&mut self, decoder: &Decoder, heard: &[f32]) -> Result<()> {
        let (width, d) = (decoder.text.width, decoder.text.head_dim);
        let positions = heard.len() / width;
        self.positions = 0;
        self.both.resize(positions * 2 * width, 0.0);
        self.layers.resize_with(decoder.layers.len(), Default::default);
        for (layer, kept) in decoder.layers.iter().zip(&mut self.layers) {
            let Some(cross) = &layer.cross else { continue };
            cross.both.apply(Activation::None, heard, &mut self.both)?;
            for (which, kept) in kept.iter_mut().enumerate() {
                kept.resize(positions * width, 0.0);
                by_heads(&self.both[which * width..], [2 * width, positions, d], kept);
            }
        }
        self.positions = positions;
        Ok(())
    }

    /// What queries `[rows, width]` of a layer see, into `out` `[rows, width]`. Row by row, each has the same bits in any company.
    ///
    /// # Errors
    /// What a kernel refuses.
    pub fn see(
        &mut self,
        decoder: &Decoder,
        layer: usize,
        one_by_one: bool,
        queries: &[f32],
        out: &mut [f32],
    ) -> Result<()> {
        let Text { heads, head_dim: d, width, .. } = decoder.text;
        let Self { positions, layers, room: [query, mixed], .. } = self;
        let [key, value] = &layers[layer];
        let each = if one_by_one { width } else { queries.len() };
        for (queries, out) in queries.chunks(each).zip(out.chunks_mut(each)) {
            let rows = queries.len() / width;
            for room in [&mut *query, &mut *mixed] {
                room.resize(queries.len(), 0.0);
            }
            by_heads(queries, [width, rows, d], query);
            let call = Attend {
                heads: Heads { batch: 1, heads, kv_heads: heads, seq_q: rows, seq_kv: *positions, head_dim: d },
                query: &query[..],
                key: &key[..],
                value: &value[..],
                scale: None,
                causal: false,
                window: None,
                mask: None,
                isa: decoder.isa,
            };
            attention(&call, mixed)?;
            for (head, mixed) in mixed.chunks_exact(rows * d).enumerate() {
                for (row, mixed) in mixed.chunks_exact(d).enumerate() {
                    out[row * width + head * d..][..d].copy_from_slice(mixed);
                }
            }
        }
        Ok(())
    }
}

/// Heads `[heads, rows, d]` of rows that begin `apart` numbers from each other.
fn by_heads(from: &[f32], [apart, rows, d]: [usize; 3], to: &mut [f32]) {
    for (head, to) in to.chunks_exact_mut(rows * d).enumerate() {
        for (row, to) in to.chunks_exact_mut(d).enumerate() {
            to.copy_from_slice(&from[row * apart + head * d..][..d]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_taken_out_of_rows() {
        let rows: Vec<f32> = (0..12).map(|at| at as f32).collect();
        let mut heads = [f32::NAN; 8];
        // Two rows of six numbers, of which the middle four are two heads of two.
        by_heads(&rows[1..], [6, 2, 2], &mut heads);
        assert_eq!(heads, [1.0, 2.0, 7.0, 8.0, 3.0, 4.0, 9.0, 10.0]);
    }
}
