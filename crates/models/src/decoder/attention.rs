//! Attention of a layer over what it keeps of earlier positions.

use benchbook_simd::{Attend, Cache, Heads, Norm, Paged, Rotary, attention, decode, rms_norm};

use super::kept::{Kept, Numbers};
use super::{Decoder, Layer};
use crate::description::Text;
use crate::error::Result;

/// Room for what attention computes.
#[derive(Debug)]
pub struct Room {
    /// Queries or keys of some positions.
    heads: Vec<f32>,
    /// The same behind their norms, and queries behind their turn.
    normed: Vec<f32>,
    query: Vec<f32>,
    /// What each head gives, `[heads, rows, head_dim]`.
    mixed: Vec<f32>,
    /// Keys and values of new positions, each `[rows, kv_heads · head_dim]`.
    both: [Vec<f32>; 2],
    /// Keys and values of all positions, without room between heads.
    seen: [Vec<f32>; 2],
    /// Scores of plain loops.
    scores: Vec<f32>,
    /// Values that small weights have left to be read, and those that there were.
    read: [u64; 2],
}

impl Room {
    /// Room for `rows` positions at a time, of `room`.
    pub fn new(text: &Text, rows: usize, room: usize) -> Self {
        let [query, kv] = text.projected();
        let numbers = || vec![0.0; rows * query];
        let both = [vec![0.0; rows * kv], vec![0.0; rows * kv]];
        let seen = [vec![0.0; room * kv], vec![0.0; room * kv]];
        Self {
            heads: numbers(),
            normed: numbers(),
            query: numbers(),
            mixed: numbers(),
            both,
            seen,
            scores: vec![0.0; room],
            read: [0; 2],
        }
    }

    /// The share of values that are read where small weights are left out; nothing before the first of them.
    pub fn share_read(&self) -> Option<f64> {
        let [read, all] = self.read;
        (all > 0).then(|| read as f64 / all as f64)
    }
}

/// Some positions, whose queries, keys and values `[rows, query + 2 kv]` are known.
pub struct Rows<'a> {
    pub decoder: &'a Decoder,
    pub layer: &'a Layer,
    /// Position of the first row.
    pub first: usize,
    pub turn: Turn<'a>,
    pub qkv: &'a [f32],
}

/// By what queries and keys are turned, where they are.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    pub rotary: Option<&'a Rotary>,
    /// The position of the first row among these angles.
    pub first: usize,
}

impl Rows<'_> {
    fn text(&self) -> &Text {
        &self.decoder.text
    }

    /// Numbers of a row.
    fn across(&self) -> usize {
        let [query, kv] = self.text().projected();
        query + 2 * kv
    }

    /// What attention gives, into `out` `[rows, query]`, row by row: a row has the same bits in any company. Each row sees its own
    /// keys and values, and those before.
    pub fn one_by_one(&self, kept: &mut Kept, room: &mut Room, out: &mut [f32]) -> Result<()> {
        let [query, _] = self.text().projected();
        for (row, (qkv, out)) in self.qkv.chunks_exact(self.across()).zip(out.chunks_exact_mut(query)).enumerate() {
            let turn = Turn { first: self.turn.first + row, ..self.turn };
            let one = Rows { qkv, turn, first: self.first + row, ..*self };
            one.keep(kept, room)?;
            one.place(room)?;
            let length = kept.rows.min(one.first + 1);
            if let Some(store) = kept.store() {
                Kept::attend(store, self.text(), length, &room.query[..query], &mut room.scores, out);
                continue;
            }
            if let Numbers::State(state) = &kept.numbers {
                state.see(self.text(), &room.query[..query], out);
                continue;
            }
            let Numbers::Plain { keys, values } = &kept.numbers else { continue };
            if let Some(least) = self.decoder.least {
                let Room { query: queries, scores, read, .. } = &mut *room;
                read[0] += one.above(
                    least as f32,
                    [keys, values],
                    [kept.rows, length],
                    (&queries[..query], &mut scores[..]),
                    out,
                );
                read[1] += (self.text().heads * length) as u64;
                continue;
            }
            let call = one.call(&room.query[..query], [keys, values], [1, length]);
            // One block holds the whole sequence: that is a contiguous cache with room behind its keys.
            let paged = Paged { block: kept.rows, table: &[0], lengths: &[length] };
            decode(&call, &Cache::Paged(paged), out)?;
        }
        Ok(())
    }

    /// The same of all rows together. What a window hides from one of them may be what another sees, each leaves out what does not matter
    /// to itself, and a scan has seen what it was given, so that rows of these come one by one.
    pub fn together(&self, kept: &mut Kept, room: &mut Room, out: &mut [f32]) -> Result<()> {
        if kept.keeps.window.is_some() || self.decoder.least.is_some() || kept.is_scan() {
            return self.one_by_one(kept, room, out);
        }
        let (d, [query, kv]) = (self.text().head_dim, self.text().projected());
        let rows = self.qkv.len() / self.across();
        self.keep(kept, room)?;
        self.place(room)?;
        let length = self.first + rows;
        let Room { query: queries, mixed, seen, .. } = room;
        for (which, seen) in seen.iter_mut().enumerate() {
            let heads = seen[..length * kv].chunks_exact_mut(length * d);
            match &kept.numbers {
                Numbers::Plain { keys, values } => {
                    let from = [keys, values][which].chunks_exact(kept.rows * d);
                    heads.zip(from).for_each(|(to, from)| to.copy_from_slice(&from[..length * d]));
                }
                // Its rows have come one by one.
                Numbers::State(_) => {}
                // Codes become numbers once for all rows.
                Numbers::Eight(_) | Numbers::Four(_) => {
                    let Some(store) = kept.store() else { continue };
                    for (head, to) in heads.enumerate() {
                        to.chunks_exact_mut(d).enumerate().for_each(|(row, to)| store.numbers(which, row, head, to));
                    }
                }
            }
        }
        let [keys, values] = seen.each_ref().map(|seen| &seen[..length * kv]);
        let mixed = &mut mixed[..rows * query];
        attention(&self.call(&queries[..rows * query], [keys, values], [rows, length]), mixed)?;
        for (row, out) in out.chunks_exact_mut(query).enumerate() {
            for (out, mixed) in out.chunks_exact_mut(d).zip(mixed.chunks_exact(rows * d)) {
                out.copy_from_slice(&mixed[row * d..][..d]);
            }
        }
        Ok(())
    }

    /// The attention of one query `[heads, head_dim]` to the first `seen` of `rows` rows of keys and values `[kv_heads, rows, head_dim]`,
    /// where each weight is made less by `least` of the largest, by plain loops; how many values it has read.
    fn above(
        &self,
        least: f32,
        [keys, values]: [&[f32]; 2],
        [rows, seen]: [usize; 2],
        (query, scores): (&[f32], &mut [f32]),
        out: &mut [f32],
    ) -> u64 {
        let (d, together) = (self.text().head_dim, self.text().heads / self.text().kv_heads);
        let (scale, scores, mut read) = (1.0 / (d as f32).sqrt(), &mut scores[..seen], 0);
        out.fill(0.0);
        for (head, (query, out)) in query.chunks_exact(d).zip(out.chunks_exact_mut(d)).enumerate() {
            let [keys, values] =
                [keys, values].map(|all| all[head / together * rows * d..][..seen * d].chunks_exact(d));
            let mut most = f32::NEG_INFINITY;
            for (score, key) in scores.iter_mut().zip(keys) {
                *score = scale * query.iter().zip(key).map(|(query, key)| query * key).sum::<f32>();
                most = most.max(*score);
            }
            let mut sum = 0.0;
            for score in scores.iter_mut() {
                let weight = (*score - most).exp() - least;
                // What is no number stays so, and is seen behind the last layer.
                *score = if weight <= 0.0 { 0.0 } else { weight };
                sum += *score;
            }
            for (weight, value) in scores.iter().zip(values).filter(|(weight, _)| **weight != 0.0) {
                out.iter_mut().zip(value).for_each(|(out, value)| *out += weight / sum * value);
                read += 1;
            }
        }
        read
    }

    fn call<'a>(&self, query: &'a [f32], [key, value]: [&'a [f32]; 2], [rows, length]: [usize; 2]) -> Attend<'a> {
        let Text { heads, kv_heads, head_dim, .. } = *self.text();
        let heads = Heads { batch: 1, heads, kv_heads, seq_q: rows, seq_kv: length, head_dim };
        Attend { heads, query, key, value, scale: None, causal: true, window: None, mask: None, isa: self.decoder.isa }
    }

    /// Writes keys and values to where they are kept.
    pub fn keep(&self, kept: &mut Kept, room: &mut Room) -> Result<()> {
        let (d, [query, kv]) = (self.text().head_dim, self.text().projected());
        let rows = self.qkv.len() / self.across();
        let Room { heads, normed, mixed, both: [keys, values], .. } = room;
        self.by_heads(query, kv, heads);
        let turned = self.turned(self.layer.key_gain.as_deref(), &mut heads[..rows * kv], [normed, mixed])?;
        for (head, from) in turned.chunks_exact(rows * d).enumerate() {
            for (row, from) in from.chunks_exact(d).enumerate() {
                keys[row * kv + head * d..][..d].copy_from_slice(from);
            }
        }
        for (to, from) in values.chunks_exact_mut(kv).zip(self.qkv.chunks_exact(self.across())) {
            to.copy_from_slice(&from[query + kv..]);
        }
        kept.put(self.text(), self.first, [&keys[..rows * kv], &values[..rows * kv]]);
        Ok(())
    }

    /// Puts queries `[heads, rows, head_dim]` where attention reads them.
    fn place(&self, room: &mut Room) -> Result<()> {
        let ([query, _], rows) = (self.text().projected(), self.qkv.len() / self.across());
        self.by_heads(0, query, &mut room.heads);
        let Room { heads, normed, mixed, query: to, .. } = room;
        let queries = self.turned(self.layer.query_gain.as_deref(), &mut heads[..rows * query], [normed, mixed])?;
        to[..rows * query].copy_from_slice(queries);
        Ok(())
    }

    /// The heads of `width` numbers from number `at` of each row on, `[heads, rows, head_dim]`.
    fn by_heads(&self, at: usize, width: usize, to: &mut [f32]) {
        let (d, across) = (self.text().head_dim, self.across());
        let rows = self.qkv.len() / across;
        for (row, from) in self.qkv.chunks_exact(across).enumerate() {
            for (head, from) in from[at..][..width].chunks_exact(d).enumerate() {
                to[(head * rows + row) * d..][..d].copy_from_slice(from);
            }
        }
    }

    /// Heads `[…, rows, head_dim]` behind their norm and their turn, in one of these rooms, where they have any; of those out of latents,
    /// the last numbers are turned, which lie in pairs in checkpoints (`rope_interleave` of Transformers' `modeling_glm4_moe_lite.py`), and
    /// behind it the first of all pairs before the second ones.
    fn turned<'a>(
        &self,
        gain: Option<&[f32]>,
        heads: &'a mut [f32],
        [normed, turned]: [&'a mut [f32]; 2],
    ) -> Result<&'a [f32]> {
        let (d, rows, isa) = (self.text().head_dim, self.qkv.len() / self.across(), self.decoder.isa);
        let numbers = heads.len();
        if let (Some(latent), Some(rotary)) = (&self.text().latent, self.turn.rotary) {
            let part = latent.rotated;
            let all = numbers / d * part;
            for (to, head) in normed.chunks_exact_mut(part).zip(heads.chunks_exact(d)) {
                let (first, second) = to.split_at_mut(part / 2);
                let (pairs, _) = head[d - part..].as_chunks::<2>();
                for ((first, second), [one, other]) in first.iter_mut().zip(second).zip(pairs) {
                    (*first, *second) = (*one, *other);
                }
            }
            rotary.rotate(isa, rows, self.turn.first, &normed[..all], &mut turned[..all])?;
            for (head, from) in heads.chunks_exact_mut(d).zip(turned.chunks_exact(part)) {
                head[d - part..].copy_from_slice(from);
            }
            return Ok(&*heads);
        }
        let heads: &[f32] = match gain {
            Some(gain) => {
                let norm = Norm { width: d, input: heads, gain, epsilon: self.text().epsilon, isa };
                rms_norm(&norm, &mut normed[..numbers])?;
                &normed[..numbers]
            }
            None => heads,
        };
        let Some(rotary) = self.turn.rotary else { return Ok(heads) };
        rotary.rotate(isa, rows, self.turn.first, heads, &mut turned[..numbers])?;
        Ok(&turned[..numbers])
    }
}
