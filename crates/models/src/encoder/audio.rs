//! The encoder of Whisper.

use benchbook_simd::{Activation, LinearWeights, Norm, layer_norm, linear};

use super::add;
use super::block::{Block, BlockRoom};
use super::plan::{EncoderPlan, worth_it};
use crate::decoder::Held;
use crate::description::{Audio, Description};
use crate::error::{Error, Result};
use crate::packing::{Seeing, Weights};
use crate::weights::Source;

/// The encoder of a Whisper (Radford et al., arXiv 2212.04356, section 2.2) whose weights are packed for this processor: two
/// convolutions of three neighbours with GELU, the second of which leaves out every other place, and blocks in which every position
/// sees all.
#[derive(Debug)]
pub struct AudioEncoder {
    audio: Audio,
    epsilon: f64,
    isa: benchbook_simd::Isa,
    convolutions: [LinearWeights; 2],
    /// `[positions, width]`
    places: Vec<f32>,
    layers: Vec<Block>,
    /// Gain and bias of the norm behind the last block.
    last: [Vec<f32>; 2],
    /// See [`EncoderPlan::quiet`].
    quiet: Option<usize>,
}

/// Room for what it computes: nothing is allocated once it has held as much, beyond what the kernels' threads keep.
#[derive(Debug, Clone, Default)]
pub struct AudioRoom {
    /// Frames, each with the one before and the one after it.
    neighbours: Vec<f32>,
    stream: Vec<f32>,
    other: Vec<f32>,
    blocks: BlockRoom,
}

impl AudioRoom {
    /// By block that has made any one with others, of the first spectrogram: their places in what came into it, and those of the others.
    pub fn merges(&self) -> &[Vec<[usize; 2]>] {
        self.blocks.merges()
    }
}

impl AudioEncoder {
    /// Packs the weights that `source` gives.
    ///
    /// # Errors
    /// A model that does not listen, or what the source says.
    pub fn load(model: &Description, source: &dyn Source) -> Result<Self> {
        Self::planned(model, source, &EncoderPlan::default())
    }

    /// The same, not in all as the model has it.
    ///
    /// # Errors
    /// As there, and what a form refuses.
    pub fn planned(model: &Description, source: &dyn Source, plan: &EncoderPlan) -> Result<Self> {
        let Some(audio) = &model.audio else { return Err(Error::NotBuilt(model.name.clone())) };
        let tensors = model.tensors();
        let weights = Weights::of(&tensors, source);
        let &Audio { width, bins, .. } = audio;
        let of = Seeing::of(model).ok_or_else(|| Error::NotBuilt(model.name.clone()))?;
        Ok(Self {
            epsilon: of.epsilon,
            quiet: plan.quiet,
            isa: weights.isa,
            convolutions: [
                weights.neighbours("model.encoder.conv1", [bins, width])?,
                weights.neighbours("model.encoder.conv2", [width, width])?,
            ],
            places: weights.numbers("model.encoder.embed_positions.weight")?,
            layers: (0..of.layers).map(|layer| Block::load(&weights, &of, layer, plan)).collect::<Result<_>>()?,
            last: weights.layer_norm("model.encoder.layer_norm")?,
            audio: audio.clone(),
        })
    }

    /// What it is made of.
    pub fn audio(&self) -> &Audio {
        &self.audio
    }

    /// What the matrices of its blocks take.
    pub fn held(&self) -> Held {
        self.layers.iter().map(Block::held).sum()
    }

    /// Positions `[batch, left, width]` of `batch` log-mel spectrograms `[batch, bins, frames]`: half as many as frames, where none is
    /// left out and none becomes one with another.
    ///
    /// # Errors
    /// No spectrogram, such of different lengths, of an odd number of frames, or of more than the model has positions for; several of
    /// which each would keep other frames.
    pub fn hidden<'a>(&self, room: &'a mut AudioRoom, mel: &[f32], batch: usize) -> Result<&'a [f32]> {
        let Audio { width, bins, positions, .. } = self.audio;
        let frames = mel.len().checked_div(batch * bins).unwrap_or(0);
        if frames == 0 {
            return Err(Error::EmptyPrompt);
        }
        if frames * batch * bins != mel.len() || !frames.is_multiple_of(2) {
            let message = format!(
                "{} numbers are not {batch} spectrograms of {bins} bins and an even number of frames",
                mel.len()
            );
            return Err(Error::Session(message));
        }
        let seq = frames / 2;
        if seq > positions {
            return Err(Error::Full { asked: seq, held: 0, room: positions });
        }
        if self.quiet.is_some() && batch > 1 {
            let words = format!("{batch} spectrograms together: each keeps frames of its own, give them one by one");
            return Err(Error::Session(words));
        }
        let AudioRoom { neighbours, stream, other, blocks } = room;
        neighbours.resize(batch * (frames * 3 * bins).max(seq * 3 * width), 0.0);
        other.resize(batch * frames * width, 0.0);
        stream.resize(batch * seq * width, 0.0);
        let [first, second] = &self.convolutions;
        let gathered = &mut neighbours[..batch * frames * 3 * bins];
        for (mel, to) in mel.chunks_exact(bins * frames).zip(gathered.chunks_exact_mut(frames * 3 * bins)) {
            gather(to, [frames, bins, 1], |frame, to| {
                to.iter_mut().zip(mel.chunks_exact(frames)).for_each(|(to, of_bin)| *to = of_bin[frame]);
            });
        }
        linear(first, Activation::ExactGelu, gathered, other)?;
        let gathered = &mut neighbours[..batch * seq * 3 * width];
        for (heard, to) in other.chunks_exact(frames * width).zip(gathered.chunks_exact_mut(seq * 3 * width)) {
            gather(to, [frames, width, 2], |frame, to| to.copy_from_slice(&heard[frame * width..][..width]));
        }
        linear(second, Activation::ExactGelu, gathered, stream)?;
        for heard in stream.chunks_exact_mut(seq * width) {
            add(heard, &self.places);
        }
        let mut size = [batch, seq];
        if let Some(percent) = self.quiet {
            let kept = worth_it(mel, frames, percent);
            for (to, from) in kept.iter().enumerate() {
                stream.copy_within(from * width..(from + 1) * width, to * width);
            }
            size[1] = kept.len();
            stream.truncate(kept.len() * width);
        }
        blocks.begin(size[0] * size[1]);
        for layer in &self.layers {
            layer.apply(&mut size, stream, other, blocks)?;
        }
        other.resize(stream.len(), 0.0);
        let [gain, bias] = &self.last;
        layer_norm(&Norm { width, input: stream, gain, epsilon: self.epsilon, isa: self.isa }, bias, other)?;
        Ok(other)
    }
}

/// Of every `stride`-th frame of `frames` it and its neighbours, `[_, 3, channels]`, with zeros beyond the ends; `copy` writes a
/// frame.
fn gather(to: &mut [f32], [frames, channels, stride]: [usize; 3], copy: impl Fn(usize, &mut [f32])) {
    for (place, to) in to.chunks_exact_mut(3 * channels).enumerate() {
        for (tap, to) in to.chunks_exact_mut(channels).enumerate() {
            match (place * stride + tap).checked_sub(1).filter(|frame| *frame < frames) {
                Some(frame) => copy(frame, to),
                None => to.fill(0.0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_with_their_neighbours_and_zeros_beyond_the_ends() {
        let heard = [1.0, 2.0, 3.0, 4.0, 5.0];
        let of = |stride: usize| {
            let mut to = vec![f32::NAN; heard.len().div_ceil(stride) * 3];
            gather(&mut to, [heard.len(), 1, stride], |frame, to| to[0] = heard[frame]);
            to
        };
        assert_eq!(of(1), [0.0, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0, 3.0, 4.0, 3.0, 4.0, 5.0, 4.0, 5.0, 0.0]);
        assert_eq!(of(2), [0.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 5.0, 0.0]);
    }
}
