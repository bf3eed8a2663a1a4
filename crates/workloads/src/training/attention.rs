//! Causal attention of rows that hold queries, keys and values beside each other, and its gradients, in `f64`.

use rayon::prelude::*;

use crate::attention::reference::dot;

/// Sizes of the heads of texts.
pub(super) struct Heads {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, each shared by `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Numbers of one query, key or value.
    pub head_dim: usize,
    /// Positions of a text.
    pub seq: usize,
}

impl Heads {
    /// Numbers of all queries of a position, and of its row.
    fn widths(&self) -> [usize; 2] {
        [self.heads * self.head_dim, (self.heads + 2 * self.kv_heads) * self.head_dim]
    }

    /// Where query, key and value of a query head lie in a row.
    fn places(&self, head: usize) -> [usize; 3] {
        let Self { heads, kv_heads, head_dim, .. } = *self;
        let [query, kv] = [heads, kv_heads].map(|count| count * head_dim);
        let shared = head / (heads / kv_heads) * head_dim;
        [head * head_dim, query + shared, query + kv + shared]
    }

    /// What each query of a head sees of all keys up to its own: weights, which add up to one.
    fn seen(&self, text: &[f64], head: usize, query: usize) -> Vec<f64> {
        let (size, [_, row], [q, k, _]) = (self.head_dim, self.widths(), self.places(head));
        let at = |place: usize, first: usize| &text[place * row + first..][..size];
        let scores: Vec<f64> = (0..=query).map(|key| dot(at(query, q), at(key, k)) / (size as f64).sqrt()).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect()
    }

    /// Attention of all texts, `[batch · seq, heads · head_dim]`.
    pub fn attention(&self, qkv: &[f64]) -> Vec<f64> {
        let (size, seq, [width, row]) = (self.head_dim, self.seq, self.widths());
        let one = |text: &[f64]| {
            let mut out = vec![0.0; seq * width];
            for (query, out) in out.chunks_exact_mut(width).enumerate() {
                for (head, out) in out.chunks_exact_mut(size).enumerate() {
                    let value = self.places(head)[2];
                    for (key, weight) in self.seen(text, head, query).into_iter().enumerate() {
                        let value = &text[key * row + value..][..size];
                        out.iter_mut().zip(value).for_each(|(out, value)| *out += weight * value);
                    }
                }
            }
            out
        };
        qkv.par_chunks_exact(seq * row).flat_map_iter(one).collect()
    }

    /// The gradient of queries, keys and values by that of what attention gives; heads that share a key add up.
    pub fn back(&self, qkv: &[f64], grad: &[f64]) -> Vec<f64> {
        let (size, seq, [width, row]) = (self.head_dim, self.seq, self.widths());
        let scale = 1.0 / (size as f64).sqrt();
        let one = |(text, grad): (&[f64], &[f64])| {
            let mut out = vec![0.0; text.len()];
            for (head, query) in (0..self.heads).flat_map(|head| (0..seq).map(move |query| (head, query))) {
                let [q, k, v] = self.places(head);
                let grad = &grad[query * width + head * size..][..size];
                let weights = self.seen(text, head, query);
                let slopes: Vec<f64> = (0..=query).map(|key| dot(&text[key * row + v..][..size], grad)).collect();
                let mean = dot(&slopes, &weights);
                for (key, (weight, slope)) in weights.iter().zip(&slopes).enumerate() {
                    let of_score = weight * (slope - mean) * scale;
                    for (at, grad) in grad.iter().enumerate() {
                        out[key * row + v + at] += weight * grad;
                        out[query * row + q + at] += of_score * text[key * row + k + at];
                        out[key * row + k + at] += of_score * text[query * row + q + at];
                    }
                }
            }
            out
        };
        qkv.par_chunks_exact(seq * row).zip(grad.par_chunks_exact(seq * width)).flat_map_iter(one).collect()
    }
}
