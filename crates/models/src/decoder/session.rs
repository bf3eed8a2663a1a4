//! A text in the middle of which a model is.

use std::ops::Range;

use benchbook_simd::{Activation, Embedding, embedding};

use super::attention::{Room as AttentionRoom, Rows, Turn};
use super::cross::Heard;
use super::experts::Room as ExpertRoom;
use super::kept::Kept;
use super::latent::Room as LatentRoom;
use super::look::{Look, Looked, in_order};
use super::parted::Room as PartedRoom;
use super::{Decoder, Network};
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
    /// Tokens behind these that have gone through the first layers alone, and how many layers those are.
    drafted: [usize; 2],
    /// Positions that there is room for.
    room: usize,
    /// Positions that are computed at a time.
    chunk: usize,
    /// Whether some of the positions that a query would see are overwritten.
    lost: bool,
    /// Layers that each position went through.
    depths: Vec<usize>,
    /// What the text is about, of those that listen.
    heard: Heard,
    /// Images among its tokens, of those that look.
    looked: Looked,
    attention: AttentionRoom,
    stream: Vec<f32>,
    /// A position before a layer, where it may leave behind it.
    before: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    wide: Vec<f32>,
    between: Vec<f32>,
    fed: Vec<f32>,
    routed: ExpertRoom,
    parted: PartedRoom,
    latent: LatentRoom,
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
        let keeps = decoder.keeps;
        let kept = |layer: usize| match decoder.scan {
            Some(scan) if scan == layer => Kept::scan(text, room),
            _ => Kept::new(text, keeps, room),
        };
        Ok(Self {
            kept: (0..text.layers).map(kept).collect(),
            held: 0,
            drafted: [0; 2],
            room,
            chunk,
            lost: false,
            depths: vec![0; room],
            heard: Heard::default(),
            looked: Looked::default(),
            attention: AttentionRoom::new(text, rows, keeps.rows(room)),
            stream: numbers(text.width),
            before: vec![0.0; text.width],
            normed: numbers(text.width),
            qkv: numbers(query + 2 * kv),
            mixed: numbers(query),
            wide: numbers(decoder.wide()),
            between: numbers(text.hidden),
            fed: numbers(text.width),
            routed: ExpertRoom::new(text, rows),
            parted: PartedRoom::new(decoder.parted(), rows, room),
            latent: LatentRoom::new(text, rows),
            logits: vec![0.0; MOST_STEP * text.vocabulary],
        })
    }

    /// Begins a text about what was heard, positions `[positions, width]` behind the encoder of a Whisper.
    ///
    /// # Errors
    /// A decoder that does not listen, no positions, or such of another width.
    pub fn hear(&mut self, decoder: &Decoder, heard: &[f32]) -> Result<()> {
        if !decoder.listens() {
            return Err(Error::Session("this decoder does not listen: only that of a Whisper does".into()));
        }
        if heard.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let width = decoder.text.width;
        if !heard.len().is_multiple_of(width) {
            let numbers = heard.len();
            return Err(Error::Session(format!("{numbers} numbers are no positions of {width}: of another encoder?")));
        }
        self.keep(0);
        self.heard.hear(decoder, heard)
    }

    /// Takes an image behind the text so far, as `rows` · `columns` tokens of a vision tower ([`ImageEncoder::tokens`]) `[1 + deep,
    /// rows · columns, width]`: the first list comes in as embeddings do, and those of deep layers are added behind the first layers. Each
    /// sees what comes before it. In a Qwen3-VL all stand at one time, each at its row and its column (as in Transformers'
    /// `modeling_qwen3_vl.py`), and room for their angles is allocated; in a LLaVA they stand one behind the other
    /// ([`ClipEncoder::tokens`]), and may be forgotten one by one.
    ///
    /// # Errors
    /// A decoder that does not look, no tokens, such of another grid or another tower, or more than there is room for: the session stays
    /// as it was.
    ///
    /// [`ImageEncoder::tokens`]: crate::ImageEncoder::tokens
    /// [`ClipEncoder::tokens`]: crate::ClipEncoder::tokens
    pub fn look(&mut self, decoder: &Decoder, tokens: &[f32], grid: [usize; 2]) -> Result<()> {
        self.look_at(decoder, tokens, grid, None)
    }

    /// The same of an image of which some tokens alone are left ([`ImageEncoder::tokens_of`]), those of these cells of its grid, row by row
    /// and ascending: each stands where it stood, and what follows stands behind the whole grid.
    ///
    /// # Errors
    /// As there, and cells that the grid does not have, or not in their order.
    ///
    /// [`ImageEncoder::tokens_of`]: crate::ImageEncoder::tokens_of
    pub fn look_at(
        &mut self,
        decoder: &Decoder,
        tokens: &[f32],
        [rows, columns]: [usize; 2],
        cells: Option<&[usize]>,
    ) -> Result<()> {
        let (Some(lists), Some(rotary)) = (decoder.lists, &decoder.rotary) else {
            let words = "this decoder looks at no images: only that of a Qwen3-VL or a LLaVA does";
            return Err(Error::Session(words.into()));
        };
        if tokens.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        cells.map_or(Ok(()), |cells| in_order(cells, rows * columns))?;
        let (width, count) = (decoder.text.width, cells.map_or(rows * columns, <[usize]>::len));
        if tokens.len() != lists * count * width {
            let numbers = tokens.len();
            let some = cells.map_or(String::new(), |cells| format!("{} of ", cells.len()));
            let words = format!("{numbers} numbers are no {lists} lists of {some}{rows} × {columns} tokens of {width}");
            return Err(Error::Session(format!("{words}: of another grid, or of another tower?")));
        }
        self.undrafted()?;
        self.fits(decoder, count)?;
        let placed = |sections| self.looked.add(self.held, [rows, columns], count).angles(rotary, sections, cells);
        let angles = decoder.text.sections.map(placed).transpose()?;
        for first in (0..count).step_by(self.chunk) {
            let together = self.chunk.min(count - first);
            let part = first * width..(first + together) * width;
            let lists: Vec<&[f32]> = tokens.chunks_exact(count * width).map(|list| &list[part.clone()]).collect();
            self.stream[..together * width].copy_from_slice(lists[0]);
            let turn = match &angles {
                Some(angles) => Turn { rotary: Some(angles), first },
                None => Turn { rotary: Some(rotary), first: self.held },
            };
            self.pass(decoder, together, false, Some(Look { turn, deep: &lists[1..] }))?;
        }
        Ok(())
    }

    /// Positions so far.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Forgets all positions from `held` on: all of them, or those of a draft that was refused; an image goes as a whole. Where a window,
    /// or the state of a scan, has overwritten some that would be seen again, the next tokens are refused.
    pub fn keep(&mut self, held: usize) {
        let held = self.looked.keep(held);
        let [drafted, _] = std::mem::take(&mut self.drafted);
        let seen = self.held + drafted;
        let evicted = self.kept.first().is_some_and(|kept| seen > kept.rows) || self.kept.iter().any(Kept::is_scan);
        if held == 0 {
            self.kept.iter_mut().for_each(Kept::forget);
        }
        self.lost = held > 0 && (self.lost || evicted && held < seen);
        self.held = self.held.min(held);
    }

    /// Layers that each of the positions so far went through.
    pub fn depths(&self) -> &[usize] {
        &self.depths[..self.held]
    }

    /// The experts that each of the positions so far went through, the lowest bit the first, where a network is parted into some.
    pub fn went(&self) -> &[u64] {
        &self.parted.went[..self.held.min(self.parted.went.len())]
    }

    /// Positions whose keys and values are kept at most.
    pub fn rows(&self) -> usize {
        self.kept.first().map_or(self.room, |kept| kept.rows)
    }

    /// Bytes that keys and values take, whatever was read.
    pub fn cache_bytes(&self) -> usize {
        self.kept.iter().map(Kept::bytes).sum()
    }

    /// The share of values that were read where attention leaves small weights out; nothing where it does not.
    pub fn share_read(&self) -> Option<f64> {
        self.attention.share_read()
    }

    /// The numbers that keys and values in whole numbers stand for in a layer, each `[positions, kv_heads · head_dim]`; nothing where they
    /// are held as they are.
    pub fn rounded(&self, decoder: &Decoder, layer: usize) -> Option<[Vec<f32>; 2]> {
        let (kept, d) = (self.kept.get(layer)?, decoder.text.head_dim);
        let (store, kv) = (kept.store()?, decoder.text.projected()[1]);
        let rows = self.held.min(kept.rows);
        Some([0, 1].map(|which| {
            let mut numbers = vec![0.0; rows * kv];
            for (place, out) in numbers.chunks_exact_mut(d).enumerate() {
                let heads = kv / d;
                store.numbers(which, place / heads, place % heads, out);
            }
            numbers
        }))
    }

    /// Takes tokens, some positions at a time.
    ///
    /// # Errors
    /// No tokens, more than there is room for, or one that the model does not have: the session stays as it was.
    pub fn take(&mut self, decoder: &Decoder, ids: &[i32]) -> Result<()> {
        self.undrafted()?;
        self.check(decoder, ids)?;
        ids.chunks(self.chunk).try_for_each(|ids| self.advance(decoder, ids, false))
    }

    /// Takes tokens as [`Session::take`] does, and gives the logits `[vocabulary]` behind the last of them.
    ///
    /// # Errors
    /// As there.
    pub fn prefill(&mut self, decoder: &Decoder, ids: &[i32]) -> Result<&[f32]> {
        self.take(decoder, ids)?;
        let last = (ids.len() - 1) % self.chunk;
        self.behind(decoder, last..last + 1)
    }

    /// Takes a few tokens, and gives the logits `[tokens, vocabulary]` behind each of them: the same bits as if they came alone.
    ///
    /// # Errors
    /// As of [`Session::prefill`], and more than [`MOST_STEP`] tokens.
    pub fn step(&mut self, decoder: &Decoder, ids: &[i32]) -> Result<&[f32]> {
        self.undrafted()?;
        self.check(decoder, ids)?;
        if ids.len() > MOST_STEP {
            return Err(Error::Session(format!(
                "a step of {} tokens: give {MOST_STEP} at most, or prefill",
                ids.len()
            )));
        }
        self.advance(decoder, ids, true)?;
        self.behind(decoder, 0..ids.len())
    }

    /// Takes a token through the first `layers` alone, behind those that were drafted before. [`Session::verify`] takes all of them through
    /// the layers that are left, and [`Session::keep`] forgets those that are refused (self-speculative decoding, whose first layers are
    /// computed once: LayerSkip, Elhoushi et al., arXiv 2404.16710).
    ///
    /// # Errors
    /// Layers that the model does not have, or other ones than those of the tokens before; more than [`MOST_STEP`] tokens; or as of
    /// [`Session::step`].
    pub fn draft(&mut self, decoder: &Decoder, id: i32, layers: usize) -> Result<()> {
        let ([drafted, before], all) = (self.drafted, decoder.text.layers);
        if !(1..=all).contains(&layers) || drafted > 0 && layers != before {
            return Err(Error::Session(format!(
                "a draft through {layers} of {all} layers: give as many each time, 1 at least"
            )));
        }
        if drafted == MOST_STEP {
            return Err(Error::Session(format!("a draft of more than {MOST_STEP} tokens: verify these first")));
        }
        self.check(decoder, &[id])?;
        let first = self.held + drafted;
        self.embed(decoder, [drafted, first], &[id])?;
        self.through(decoder, [drafted, first, 1], 0..layers, true, None)?;
        self.drafted = [drafted + 1, layers];
        Ok(())
    }

    /// The logits `[vocabulary]` that the norm and the head make of the token that was drafted last: a guess at those behind all layers.
    ///
    /// # Errors
    /// Nothing was drafted.
    pub fn guessed(&mut self, decoder: &Decoder) -> Result<&[f32]> {
        match self.drafted[0] {
            0 => Err(Error::Session("no token was drafted that something could be guessed behind: draft first".into())),
            drafted => self.behind(decoder, drafted - 1..drafted),
        }
    }

    /// Takes the drafted tokens through the layers that are left, and gives the logits `[tokens, vocabulary]` behind each of them: the same
    /// bits as if they had come alone.
    ///
    /// # Errors
    /// Nothing was drafted.
    pub fn verify(&mut self, decoder: &Decoder) -> Result<&[f32]> {
        let [drafted, layers] = self.drafted;
        if drafted == 0 {
            return Err(Error::Session("no token was drafted that could be verified: draft first".into()));
        }
        let (first, all) = (self.held, decoder.text.layers);
        self.through(decoder, [0, first, drafted], layers..all, true, None)?;
        self.depths[first..first + drafted].fill(all);
        (self.held, self.drafted) = (first + drafted, [0; 2]);
        self.behind(decoder, 0..drafted)
    }

    /// The logits `[rows, vocabulary]` of some rows of what came out of layers.
    fn behind(&mut self, decoder: &Decoder, rows: Range<usize>) -> Result<&[f32]> {
        let (width, count) = (decoder.text.width, rows.len());
        let logits = &mut self.logits[..count * decoder.text.vocabulary];
        let stream = &self.stream[rows.start * width..rows.end * width];
        decoder.logits(stream, &mut self.normed[..count * width], logits)?;
        Ok(logits)
    }

    fn undrafted(&self) -> Result<()> {
        match self.drafted[0] {
            0 => Ok(()),
            drafted => {
                Err(Error::Session(format!("{drafted} tokens were drafted: verify them first, or forget them by keep")))
            }
        }
    }

    fn check(&self, decoder: &Decoder, ids: &[i32]) -> Result<()> {
        let vocabulary = decoder.text.vocabulary;
        if ids.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        self.fits(decoder, ids.len())?;
        match ids.iter().find(|id| !usize::try_from(**id).is_ok_and(|id| id < vocabulary)) {
            Some(id) => Err(Error::Token { id: *id, vocabulary }),
            None => Ok(()),
        }
    }

    /// Whether so many positions may come next.
    fn fits(&self, decoder: &Decoder, asked: usize) -> Result<()> {
        if decoder.listens() && self.heard.is_empty() {
            return Err(Error::Session("nothing was heard yet, of which there were a text: hear first".into()));
        }
        if self.lost {
            let words =
                "positions that the next token would see were overwritten by its window, or by its scan: begin anew";
            return Err(Error::Session(words.into()));
        }
        let held = self.held + self.drafted[0];
        if asked > self.room - held {
            return Err(Error::Full { asked, held, room: self.room });
        }
        Ok(())
    }

    /// Brings the tokens through all layers, a single one through as many as it needs; what comes out stands in `stream`.
    fn advance(&mut self, decoder: &Decoder, ids: &[i32], one_by_one: bool) -> Result<()> {
        self.embed(decoder, [0, self.held], ids)?;
        self.pass(decoder, ids.len(), one_by_one, None)
    }

    /// The same of so many rows that stand in `stream` already.
    fn pass(&mut self, decoder: &Decoder, rows: usize, one_by_one: bool, look: Option<Look<'_>>) -> Result<()> {
        let first = self.held;
        let depth = self.through(decoder, [0, first, rows], 0..decoder.text.layers, one_by_one, look)?;
        self.depths[first..first + rows].fill(depth);
        self.held = first + rows;
        Ok(())
    }

    /// Puts tokens from position `first` on into `stream`, from row `at` on.
    fn embed(&mut self, decoder: &Decoder, [at, first]: [usize; 2], ids: &[i32]) -> Result<()> {
        let width = decoder.text.width;
        let numbers = ids.len() * width;
        let stream = &mut self.stream[at * width..][..numbers];
        embedding(&Embedding { width, table: &decoder.embedding, ids, isa: decoder.isa }, stream)?;
        if let Some(positions) = &decoder.positions {
            add(stream, &positions[first * width..][..numbers]);
        }
        Ok(())
    }

    /// Brings so many positions from `first` on, which stand in `stream` from row `at` on, through some layers, and says how many layers
    /// each has gone through then: a single one leaves where it may, if it is brought through all. Those of an image come with what is
    /// theirs.
    fn through(
        &mut self,
        decoder: &Decoder,
        [at, first, rows]: [usize; 3],
        layers: Range<usize>,
        one_by_one: bool,
        look: Option<Look<'_>>,
    ) -> Result<usize> {
        let of_text = || Turn { rotary: decoder.rotary.as_ref(), first: self.looked.turned(first) };
        let turn = look.map_or_else(of_text, |look| look.turn);
        let Self { kept, heard, attention, stream, before, normed, qkv, mixed, .. } = self;
        let (wide, between, fed, routed) = (&mut self.wide, &mut self.between, &mut self.fed, &mut self.routed);
        let text = &decoder.text;
        let ([query, kv], width) = (text.projected(), text.width);
        let (stream, normed) = (&mut stream[at * width..][..rows * width], &mut normed[..rows * width]);
        let (qkv, mixed) = (&mut qkv[..rows * (query + 2 * kv)], &mut mixed[..rows * query]);
        let (wide, between) = (&mut wide[..rows * decoder.wide()], &mut between[..rows * text.hidden]);
        let fed = &mut fed[..rows * width];
        let exit = decoder.exit.filter(|_| one_by_one && rows == 1 && layers.len() == text.layers);
        let (least, mut depth) = (exit.map_or(text.layers, |exit| exit.least_of(text.layers)), None);
        for (number, (layer, kept)) in decoder.layers.iter().zip(kept).enumerate().take(layers.end).skip(layers.start) {
            decoder.norm(&layer.before_attention, stream, normed)?;
            layer.qkv.apply(normed, &mut self.latent, qkv)?;
            let of = Rows { decoder, layer, first, turn, qkv };
            if depth.is_some() {
                of.keep(kept, attention)?;
                continue;
            }
            if exit.is_some() {
                before.copy_from_slice(&stream[..width]);
            }
            if one_by_one {
                of.one_by_one(kept, attention, mixed)?;
            } else {
                of.together(kept, attention, mixed)?;
            }
            layer.out.apply(Activation::None, mixed, normed)?;
            add(stream, normed);
            if let Some(cross) = &layer.cross {
                decoder.norm(&cross.before, stream, normed)?;
                cross.query.apply(Activation::None, normed, mixed)?;
                heard.see(decoder, number, one_by_one, mixed, normed)?;
                cross.out.apply(Activation::None, normed, mixed)?;
                add(stream, mixed);
            }
            decoder.norm(&layer.before_feed, stream, normed)?;
            match &layer.feed {
                Network::Dense(feed) => feed.apply(decoder.isa, normed, [&mut *wide, &mut *between], fed)?,
                Network::Routed(experts) => experts.apply(decoder.isa, normed, routed, fed)?,
                Network::Parted(parted) => parted.apply(first, normed, &mut self.parted, fed)?,
            }
            add(stream, fed);
            if let Some(deep) = look.and_then(|look| look.deep.get(number)) {
                add(stream, deep);
            }
            let leaves = |exit: super::Exit| number + 1 >= least && cosine(before, &stream[..width]) >= exit.alike;
            depth = exit.filter(|exit| leaves(*exit)).map(|_| number + 1);
        }
        Ok(depth.unwrap_or(layers.end))
    }
}

/// The cosine of the angle between two vectors.
fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let product = |one: &[f32], other: &[f32]| -> f64 {
        one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
    };
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}

fn add(to: &mut [f32], other: &[f32]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += other);
}
