//! Attention of a layer over what it keeps of earlier positions.

use benchbook_simd::{Attend, Cache, Heads, Norm, Paged, attention, decode, rms_norm};

use super::{Decoder, Layer};
use crate::description::Text;
use crate::error::Result;

/// Keys and values of the positions so far, each `[kv_heads, room, head_dim]`: a head's positions lie together.
#[derive(Debug)]
pub struct Kept {
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
    /// Positions that there is room for.
    pub room: usize,
}

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
    /// Keys and values of all positions, without room between heads.
    seen: [Vec<f32>; 2],
}

impl Kept {
    /// Room for so many positions.
    pub fn new(text: &Text, room: usize) -> Self {
        let numbers = || vec![0.0; room * text.projected()[1]];
        Self { keys: numbers(), values: numbers(), room }
    }
}

impl Room {
    /// Room for `rows` positions at a time, of `room`.
    pub fn new(text: &Text, rows: usize, room: usize) -> Self {
        let [query, kv] = text.projected();
        let numbers = || vec![0.0; rows * query];
        let seen = [vec![0.0; room * kv], vec![0.0; room * kv]];
        Self { heads: numbers(), normed: numbers(), query: numbers(), mixed: numbers(), seen }
    }
}

/// Some positions, whose queries, keys and values `[rows, query + 2 kv]` are known.
pub struct Rows<'a> {
    pub decoder: &'a Decoder,
    pub layer: &'a Layer,
    /// Position of the first row.
    pub first: usize,
    pub qkv: &'a [f32],
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
            let one = Rows { qkv, first: self.first + row, ..*self };
            one.keep(kept, room)?;
            one.place(room)?;
            let length = one.first + 1;
            let call = one.call(&room.query[..query], [&kept.keys, &kept.values], [1, length]);
            // One block holds the whole sequence: that is a contiguous cache with room behind its keys.
            let paged = Paged { block: kept.room, table: &[0], lengths: &[length] };
            decode(&call, &Cache::Paged(paged), out)?;
        }
        Ok(())
    }

    /// The same of all rows together.
    pub fn together(&self, kept: &mut Kept, room: &mut Room, out: &mut [f32]) -> Result<()> {
        let (d, [query, kv]) = (self.text().head_dim, self.text().projected());
        let rows = self.qkv.len() / self.across();
        self.keep(kept, room)?;
        self.place(room)?;
        let length = self.first + rows;
        let Room { query: queries, mixed, seen, .. } = room;
        for (seen, from) in seen.iter_mut().zip([&kept.keys, &kept.values]) {
            let heads = seen[..length * kv].chunks_exact_mut(length * d);
            for (to, from) in heads.zip(from.chunks_exact(kept.room * d)) {
                to.copy_from_slice(&from[..length * d]);
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

    fn call<'a>(&self, query: &'a [f32], [key, value]: [&'a [f32]; 2], [rows, length]: [usize; 2]) -> Attend<'a> {
        let Text { heads, kv_heads, head_dim, .. } = *self.text();
        let heads = Heads { batch: 1, heads, kv_heads, seq_q: rows, seq_kv: length, head_dim };
        Attend { heads, query, key, value, scale: None, causal: true, window: None, mask: None, isa: self.decoder.isa }
    }

    /// Writes keys and values to where they are kept.
    fn keep(&self, kept: &mut Kept, room: &mut Room) -> Result<()> {
        let Text { kv_heads, head_dim: d, .. } = *self.text();
        let ([query, kv], rows) = (self.text().projected(), self.qkv.len() / self.across());
        let to = |head: usize| (head * kept.room + self.first) * d..(head * kept.room + self.first + rows) * d;
        self.by_heads(query, kv, &mut room.heads);
        let keys = self.turned(
            self.layer.key_gain.as_deref(),
            &mut room.heads[..rows * kv],
            [&mut room.normed, &mut room.mixed],
        )?;
        for head in 0..kv_heads {
            kept.keys[to(head)].copy_from_slice(&keys[head * rows * d..][..rows * d]);
        }
        self.by_heads(query + kv, kv, &mut room.heads);
        for head in 0..kv_heads {
            kept.values[to(head)].copy_from_slice(&room.heads[head * rows * d..][..rows * d]);
        }
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

    /// Heads `[…, rows, head_dim]` behind their norm and their turn, in one of these rooms, where they have any.
    fn turned<'a>(
        &self,
        gain: Option<&[f32]>,
        heads: &'a mut [f32],
        [normed, turned]: [&'a mut [f32]; 2],
    ) -> Result<&'a [f32]> {
        let (d, rows, isa) = (self.text().head_dim, self.qkv.len() / self.across(), self.decoder.isa);
        let numbers = heads.len();
        let heads: &[f32] = match gain {
            Some(gain) => {
                let norm = Norm { width: d, input: heads, gain, epsilon: self.text().epsilon, isa };
                rms_norm(&norm, &mut normed[..numbers])?;
                &normed[..numbers]
            }
            None => heads,
        };
        let Some(rotary) = &self.decoder.rotary else { return Ok(heads) };
        rotary.rotate(isa, rows, self.first, heads, &mut turned[..numbers])?;
        Ok(&turned[..numbers])
    }
}
