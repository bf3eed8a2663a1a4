//! One worker's part of the sequence, and its attention to a block of keys.

use std::ops::Range;

use benchbook_simd::{Attend, Heads, Isa, attention_with_sums};
use benchbook_workloads::attention::ring::{QUERIES, Ring};

use super::memory::bytes;
use super::merge::merge;
use super::round::{Broken, Which};

/// What one worker owns. Every buffer has room for the longest shard.
pub struct Shard {
    ring: Ring,
    worker: usize,
    pieces: Vec<Range<usize>>,
    /// One for each copy of the inputs.
    inputs: Vec<Input>,
    /// `[heads, shard, head_dim]`
    out: Vec<f32>,
    /// `[heads, shard]`: log₂ of the sums of the keys so far.
    lse: Vec<f32>,
    /// `[QUERIES, head_dim]` at most: what is merged next.
    part: Vec<f32>,
    /// `[QUERIES]` at most: log₂ of its sums.
    part_lse: Vec<f32>,
}

/// A worker's part of the inputs.
pub struct Input {
    /// `[heads, shard, head_dim]`
    pub query: Vec<f32>,
    /// `[2, kv_heads, shard, head_dim]`, keys, then values; empty while it travels.
    pub block: Vec<f32>,
}

impl Input {
    /// Buffers with room for the longest shard and nothing in them.
    pub fn room(ring: &Ring) -> Self {
        let [query, block] = room(ring);
        Self { query: Vec::with_capacity(query), block: Vec::with_capacity(block) }
    }
}

/// Numbers that the buffers of queries and of a block have room for.
pub fn room(ring: &Ring) -> [usize; 2] {
    let shard = ring.longest() * ring.head_dim;
    [ring.heads * shard, 2 * ring.kv_heads * shard]
}

impl Shard {
    /// What `worker` owns, with its part of each copy of the inputs.
    pub fn new(ring: Ring, worker: usize, inputs: Vec<Input>) -> Self {
        let zeros = |length: usize, room: usize| {
            let mut numbers = Vec::with_capacity(room);
            numbers.resize(length, 0.0);
            numbers
        };
        let Ring { heads, head_dim, .. } = ring;
        let (shard, longest) = (ring.shard(worker), ring.longest());
        let together = longest.min(QUERIES);
        Self {
            ring,
            worker,
            pieces: ring.pieces(worker),
            inputs,
            out: zeros(heads * shard * head_dim, heads * longest * head_dim),
            lse: zeros(heads * shard, heads * longest),
            part: zeros(together * head_dim, together * head_dim),
            part_lse: zeros(together, together),
        }
    }

    /// The ring that it is part of.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Its place in the ring.
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// Its rows of the result, `[heads, shard, head_dim]`.
    pub fn rows(&self) -> &[f32] {
        &self.out
    }

    /// Bytes of everything that it owns now.
    pub fn bytes(&self) -> usize {
        let inputs = self.inputs.iter().flat_map(|input| [&input.query, &input.block]);
        inputs.chain([&self.out, &self.lse, &self.part, &self.part_lse]).map(bytes).sum()
    }

    /// Begins a call: its own block of this copy, which [`Shard::end`] wants back.
    pub fn begin(&mut self, copy: usize) -> Result<Vec<f32>, Broken> {
        self.lse.fill(f32::NEG_INFINITY);
        match self.inputs.get_mut(copy) {
            Some(input) => Ok(std::mem::take(&mut input.block)),
            None => Err(Broken::Here(format!("there is no copy {copy} of the inputs"))),
        }
    }

    /// Ends a call of [`Shard::begin`].
    pub fn end(&mut self, copy: usize, block: Vec<f32>) {
        self.inputs[copy].block = block;
    }

    /// Overwrites rows of an input, `[heads, shard, head_dim]`, from row `first` on, in each copy.
    pub fn write(&mut self, input: Which, first: usize, values: &[f32]) -> Result<(), Broken> {
        let values_begin = self.ring.kv_heads * self.ring.shard(self.worker);
        for copy in &mut self.inputs {
            let (rows, first) = match input {
                Which::Query => (&mut copy.query, first),
                Which::Key => (&mut copy.block, first),
                Which::Value => (&mut copy.block, values_begin + first),
            };
            let begin = first * self.ring.head_dim;
            let place = rows.get_mut(begin..begin + values.len());
            place
                .ok_or_else(|| Broken::Here(format!("it has no row {first} of its {input:?}")))?
                .copy_from_slice(values);
        }
        Ok(())
    }

    /// Adds what its queries of this copy see of `block`, which holds the keys and values of worker `owner`.
    pub fn attend(&mut self, copy: usize, owner: usize, block: &[f32]) -> Result<(), Broken> {
        let Ring { heads, kv_heads, head_dim: d, causal, .. } = self.ring;
        let (shard, theirs) = (self.ring.shard(self.worker), self.ring.pieces(owner));
        let length = self.ring.shard(owner);
        if block.len() != 2 * kv_heads * length * d {
            let problem = format!("a block of {} numbers is none of worker {owner}", block.len());
            return Err(Broken::Here(problem));
        }
        let (keys, values) = block.split_at(kv_heads * length * d);
        for head in 0..heads {
            let kv = head / (heads / kv_heads) * length;
            let mut row = head * shard;
            for queries in self.pieces.iter().flat_map(runs) {
                let mut first = kv;
                for piece in &theirs {
                    if let Some((count, causal)) = seen(&queries, piece, causal) {
                        let seen = first * d..(first + count) * d;
                        let call = Attend {
                            heads: Heads {
                                batch: 1,
                                heads: 1,
                                kv_heads: 1,
                                seq_q: queries.len(),
                                seq_kv: count,
                                head_dim: d,
                            },
                            query: &self.inputs[copy].query[row * d..][..queries.len() * d],
                            key: &keys[seen.clone()],
                            value: &values[seen],
                            scale: None,
                            causal,
                            window: None,
                            mask: None,
                            isa: Isa::detect(),
                        };
                        let part = &mut self.part[..queries.len() * d];
                        let part_lse = &mut self.part_lse[..queries.len()];
                        let refused = |error: benchbook_simd::Error| Broken::Here(error.to_string());
                        attention_with_sums(&call, part, part_lse).map_err(refused)?;
                        let out = &mut self.out[row * d..][..queries.len() * d];
                        merge(out, &mut self.lse[row..][..queries.len()], part, part_lse);
                    }
                    first += piece.len();
                }
                row += queries.len();
            }
        }
        Ok(())
    }
}

/// A piece in runs of at most [`QUERIES`].
fn runs(piece: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = piece.end;
    piece.clone().step_by(QUERIES).map(move |start| start..end.min(start + QUERIES))
}

/// How many keys of `piece`, from its first on, some of `queries` see, and whether causality hides some of these from
/// some of them; nothing where none is seen.
///
/// `queries` lie within a piece of the same layout: `piece` is that very one, or wholly before or after it.
fn seen(queries: &Range<usize>, piece: &Range<usize>, causal: bool) -> Option<(usize, bool)> {
    if !causal {
        return Some((piece.len(), false));
    }
    let end = piece.end.min(queries.end);
    (piece.start < end).then(|| (end - piece.start, end > queries.start + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causality_hides_what_comes_later() {
        assert_eq!(seen(&(4..8), &(0..4), true), Some((4, false)), "before");
        assert_eq!(seen(&(4..8), &(8..12), true), None, "after");
        assert_eq!(seen(&(4..8), &(8..12), false), Some((4, false)));
        assert_eq!(seen(&(4..6), &(4..8), true), Some((2, true)), "its own, the first queries");
        assert_eq!(seen(&(6..8), &(4..8), true), Some((4, true)), "its own, the last queries");
        assert_eq!(seen(&(4..5), &(4..8), true), Some((1, false)), "itself alone");
    }
}
