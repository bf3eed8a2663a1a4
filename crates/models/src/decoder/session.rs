//! A text in the middle of which a model is.

use benchbook_simd::{Embedding, embedding};

use super::Decoder;
use super::attention::{Kept, Room as AttentionRoom, Rows};
use crate::error::{Error, Result};

/// Tokens of a step at most: they are attended to row by row, so that logits have the same bits whether a token comes alone or with
/// others, as where a draft is verified.
pub const MOST_STEP: usize = 16;

/// Keys and values of the positions so far, and room for what comes next: nothing is allocated once it is made, beyond what the
/// kernels' threads keep.
#[derive(Debug)]
pub struct Session {
    kept: Vec<Kept>,
    /// Positions whose keys and values are kept.
    held: usize,
    /// Positions that there is room for.
    room: usize,
    /// Positions that are computed at a time.
    chunk: usize,
    attention: AttentionRoom,
    stream: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    wide: Vec<f32>,
    between: Vec<f32>,
    fed: Vec<f32>,
    logits: Vec<f32>,
}

impl Session {
    /// Room for `room` positions, of which a prompt brings `chunk` at a time: its memory is bounded by these, not by the prompt.
    ///
    /// # Errors
    /// Rooms of nothing, or for more positions than the model has.
    pub fn new(decoder: &Decoder, room: usize, chunk: usize) -> Result<Self> {
        let text = &decoder.text;
        let known = decoder.rotary.as_ref().map_or(text.context, |rotary| rotary.positions());
        if room == 0 || chunk == 0 || room > known {
            return Err(Error::Session(format!(
                "a session of {room} positions, {chunk} at a time, cannot be: give 1 at least, and {known} at most"
            )));
        }
        let chunk = chunk.min(room);
        let rows = chunk.max(MOST_STEP);
        let [query, kv] = text.projected();
        let numbers = |width: usize| vec![0.0; rows * width];
        Ok(Self {
            kept: (0..text.layers).map(|_| Kept::new(text, room)).collect(),
            held: 0,
            room,
            chunk,
            attention: AttentionRoom::new(text, rows, room),
            stream: numbers(text.width),
            normed: numbers(text.width),
            qkv: numbers(query + 2 * kv),
            mixed: numbers(query),
            wide: numbers(decoder.wide()),
            between: numbers(text.hidden),
            fed: numbers(text.width),
            logits: vec![0.0; MOST_STEP * text.vocabulary],
        })
    }

    /// Positions so far.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Forgets all positions from `held` on: all of them, or those of a draft that was refused.
    pub fn keep(&mut self, held: usize) {
        self.held = self.held.min(held);
    }

    /// Takes tokens, some positions at a time.
    ///
    /// # Errors
    /// No tokens, more than there is room for, or one that the model does not have: the session stays as it was.
    pub fn take(&mut self, decoder: &Decoder, ids: &[i32]) -> Result<()> {
        self.check(decoder, ids)?;
        ids.chunks(self.chunk).try_for_each(|ids| self.advance(decoder, ids, false))
    }

    /// Takes tokens as [`Session::take`] does, and gives the logits `[vocabulary]` behind the last of them.
    ///
    /// # Errors
    /// As there.
    pub fn prefill(&mut self, decoder: &Decoder, ids: &[i32]) -> Result<&[f32]> {
        self.take(decoder, ids)?;
        let (width, last) = (decoder.text.width, (ids.len() - 1) % self.chunk);
        let logits = &mut self.logits[..decoder.text.vocabulary];
        decoder.logits(&self.stream[last * width..][..width], &mut self.normed[..width], logits)?;
        Ok(logits)
    }

    /// Takes a few tokens, and gives the logits `[tokens, vocabulary]` behind each of them: the same bits as if they came alone.
    ///
    /// # Errors
    /// As of [`Session::prefill`], and more than [`MOST_STEP`] tokens.
    pub fn step(&mut self, decoder: &Decoder, ids: &[i32]) -> Result<&[f32]> {
        self.check(decoder, ids)?;
        if ids.len() > MOST_STEP {
            return Err(Error::Session(format!(
                "a step of {} tokens: give {MOST_STEP} at most, or prefill",
                ids.len()
            )));
        }
        self.advance(decoder, ids, true)?;
        let numbers = ids.len() * decoder.text.width;
        let logits = &mut self.logits[..ids.len() * decoder.text.vocabulary];
        decoder.logits(&self.stream[..numbers], &mut self.normed[..numbers], logits)?;
        Ok(logits)
    }

    fn check(&self, decoder: &Decoder, ids: &[i32]) -> Result<()> {
        let vocabulary = decoder.text.vocabulary;
        if ids.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if ids.len() > self.room - self.held {
            return Err(Error::Full { asked: ids.len(), held: self.held, room: self.room });
        }
        match ids.iter().find(|id| !usize::try_from(**id).is_ok_and(|id| id < vocabulary)) {
            Some(id) => Err(Error::Token { id: *id, vocabulary }),
            None => Ok(()),
        }
    }

    /// Brings the tokens through all layers; what comes out stands in `stream`.
    fn advance(&mut self, decoder: &Decoder, ids: &[i32], one_by_one: bool) -> Result<()> {
        let Self { kept, held, attention, stream, normed, qkv, mixed, wide, between, fed, .. } = self;
        let (text, rows, first) = (&decoder.text, ids.len(), *held);
        let ([query, kv], width) = (text.projected(), text.width);
        let (stream, normed) = (&mut stream[..rows * width], &mut normed[..rows * width]);
        let (qkv, mixed) = (&mut qkv[..rows * (query + 2 * kv)], &mut mixed[..rows * query]);
        let (between, fed) = (&mut between[..rows * text.hidden], &mut fed[..rows * width]);
        let wide = &mut wide[..rows * decoder.wide()];
        embedding(&Embedding { width, table: &decoder.embedding, ids, isa: decoder.isa }, stream)?;
        if let Some(positions) = &decoder.positions {
            add(stream, &positions[first * width..][..rows * width]);
        }
        for (layer, kept) in decoder.layers.iter().zip(kept) {
            decoder.norm(&layer.before_attention, stream, normed)?;
            layer.qkv.apply(normed, qkv)?;
            let of = Rows { decoder, layer, first, qkv };
            if one_by_one {
                of.one_by_one(kept, attention, mixed)?;
            } else {
                of.together(kept, attention, mixed)?;
            }
            layer.out.apply(mixed, normed)?;
            add(stream, normed);
            decoder.norm(&layer.before_feed, stream, normed)?;
            layer.feed.apply(decoder.isa, normed, [&mut *wide, &mut *between], fed)?;
            add(stream, fed);
        }
        *held = first + rows;
        Ok(())
    }
}

fn add(to: &mut [f32], other: &[f32]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += other);
}
