//! Encoders by our kernels, in `f32`: those of BERT and Whisper, and the vision towers of Qwen3-VL and of CLIP.

mod audio;
mod block;
mod clip;
mod image;
mod merge;
mod plan;

pub use audio::{AudioEncoder, AudioRoom};
pub use clip::{ClipEncoder, ClipRoom};
pub use image::{ImageEncoder, ImageRoom};
pub use plan::{EncoderPlan, Parts, most_varied, worth_it};

use benchbook_simd::{Embedding, Isa, Norm, embedding, layer_norm};

use crate::decoder::Held;
use crate::description::{Description, Text};
use crate::error::{Error, Result};
use crate::packing::{Family, Seeing, Weights};
use crate::weights::Source;
use block::{Block, BlockRoom};

/// A BERT whose weights are packed for this processor: texts of which every position sees all others (Devlin et al., arXiv
/// 1810.04805, section 3). All positions are of the first kind, as those of one text are.
#[derive(Debug)]
pub struct Encoder {
    text: Text,
    isa: Isa,
    /// `[vocabulary, width]`
    words: Vec<f32>,
    /// `[context, width]`: what is learned for a position, with that of the first kind.
    places: Vec<f32>,
    /// Gain and bias of the norm of what comes into the first block.
    first: [Vec<f32>; 2],
    layers: Vec<Block>,
}

/// Room for what an encoder computes: nothing is allocated once it has held as much, beyond what the kernels' threads keep.
#[derive(Debug, Clone, Default)]
pub struct EncoderRoom {
    stream: Vec<f32>,
    other: Vec<f32>,
    blocks: BlockRoom,
}

impl EncoderRoom {
    /// By block that has made any one with others, of the first text: their places in what came into it, and those of the others.
    pub fn merges(&self) -> &[Vec<[usize; 2]>] {
        self.blocks.merges()
    }
}

impl Encoder {
    /// Packs the weights that `source` gives.
    ///
    /// # Errors
    /// A model that is no BERT, or what the source says.
    pub fn load(model: &Description, source: &dyn Source) -> Result<Self> {
        Self::planned(model, source, &EncoderPlan::default())
    }

    /// The same, not in all as the model has it.
    ///
    /// # Errors
    /// As there, what a form refuses, and a plan for frames.
    pub fn planned(model: &Description, source: &dyn Source, plan: &EncoderPlan) -> Result<Self> {
        let text = &model.text;
        let of = Seeing::of(model).filter(|of| of.family == Family::Bert && plan.quiet.is_none());
        let of = of.ok_or_else(|| Error::NotBuilt(model.name.clone()))?;
        let tensors = model.tensors();
        let weights = Weights::of(&tensors, source);
        let mut places = weights.numbers("embeddings.position_embeddings.weight")?;
        let kinds = weights.numbers("embeddings.token_type_embeddings.weight")?;
        for place in places.chunks_exact_mut(text.width) {
            add(place, &kinds);
        }
        Ok(Self {
            isa: weights.isa,
            words: weights.numbers("embeddings.word_embeddings.weight")?,
            places,
            first: weights.layer_norm("embeddings.LayerNorm")?,
            layers: (0..of.layers).map(|layer| Block::load(&weights, &of, layer, plan)).collect::<Result<_>>()?,
            text: text.clone(),
        })
    }

    /// What it is made of.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// What the matrices of its blocks take.
    pub fn held(&self) -> Held {
        self.layers.iter().map(Block::held).sum()
    }

    /// Positions `[batch, left, width]` behind the last block, of `batch` texts of as many tokens `[batch, seq]`: all of them are left
    /// where none becomes one with another.
    ///
    /// # Errors
    /// No tokens, texts of different lengths or longer than the context, or a token that the model does not have.
    pub fn hidden<'a>(&self, room: &'a mut EncoderRoom, ids: &[i32], batch: usize) -> Result<&'a [f32]> {
        let Text { width, vocabulary, context, epsilon, .. } = self.text;
        let seq = ids.len().checked_div(batch).unwrap_or(0);
        if seq == 0 {
            return Err(Error::EmptyPrompt);
        }
        if seq * batch != ids.len() {
            return Err(Error::Session(format!("{} tokens are not {batch} texts of one length", ids.len())));
        }
        if seq > context {
            return Err(Error::Full { asked: seq, held: 0, room: context });
        }
        if let Some(id) = ids.iter().find(|id| !usize::try_from(**id).is_ok_and(|id| id < vocabulary)) {
            return Err(Error::Token { id: *id, vocabulary });
        }
        let EncoderRoom { stream, other, blocks } = room;
        blocks.begin(ids.len());
        for numbers in [&mut *stream, &mut *other] {
            numbers.resize(ids.len() * width, 0.0);
        }
        embedding(&Embedding { width, table: &self.words, ids, isa: self.isa }, other)?;
        for text in other.chunks_exact_mut(seq * width) {
            add(text, &self.places);
        }
        let [gain, bias] = &self.first;
        layer_norm(&Norm { width, input: other, gain, epsilon, isa: self.isa }, bias, stream)?;
        let mut size = [batch, seq];
        for layer in &self.layers {
            layer.apply(&mut size, stream, other, blocks)?;
        }
        Ok(stream)
    }

    /// A direction for each text: the mean of its positions, of length 1 (Reimers & Gurevych, arXiv 1908.10084, section 3). Texts
    /// of one length go together, and nothing is filled up.
    ///
    /// # Errors
    /// As of [`Encoder::hidden`].
    pub fn embed(&self, texts: &[Vec<i32>]) -> Result<Vec<Vec<f32>>> {
        let width = self.text.width;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|text| texts[*text].len());
        let mut found = vec![Vec::new(); texts.len()];
        let mut room = EncoderRoom::default();
        for alike in order.chunk_by(|a, b| texts[*a].len() == texts[*b].len()) {
            let ids: Vec<i32> = alike.iter().flat_map(|text| texts[*text].iter().copied()).collect();
            self.hidden(&mut room, &ids, alike.len())?;
            let mut directions = vec![0.0; alike.len() * width];
            let sizes = room.blocks.sizes();
            mean(&room.stream, |place| sizes[place], width, &mut directions);
            for (text, direction) in alike.iter().zip(directions.chunks_exact(width)) {
                found[*text] = direction.to_vec();
            }
        }
        Ok(found)
    }
}

/// The mean of the positions of each text, of length 1, into `out` `[batch, width]`, of positions `[batch, seq, width]`.
///
/// # Panics
/// The positions cannot be shared evenly by as many texts as `out` has room for.
pub fn pooled(hidden: &[f32], width: usize, out: &mut [f32]) {
    mean(hidden, |_| 1.0, width, out);
}

/// The same of positions each of which stands for as many as `count` says of its place among all.
fn mean(hidden: &[f32], count: impl Fn(usize) -> f32, width: usize, out: &mut [f32]) {
    let batch = out.len() / width;
    assert!(batch > 0 && hidden.len().is_multiple_of(batch * width), "positions of texts of one length");
    let mut sums = vec![0.0_f64; width];
    let seq = hidden.len() / width / batch;
    for (first, (text, out)) in hidden.chunks_exact(seq * width).zip(out.chunks_exact_mut(width)).enumerate() {
        sums.fill(0.0);
        for (place, position) in text.chunks_exact(width).enumerate() {
            let times = f64::from(count(first * seq + place));
            sums.iter_mut().zip(position).for_each(|(sum, number)| *sum += times * f64::from(*number));
        }
        let size = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
        // A mean of nothing but zeros has no direction.
        let scale = if size > 0.0 { size.recip() } else { 0.0 };
        out.iter_mut().zip(&sums).for_each(|(to, sum)| *to = (sum * scale) as f32);
    }
}

/// Adds as many numbers as there are.
fn add(to: &mut [f32], other: &[f32]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += other);
}
