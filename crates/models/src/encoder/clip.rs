//! The vision tower of CLIP, as LLaVA-1.5 has it.

use benchbook_simd::{Activation, Isa, Norm, layer_norm};

use super::add;
use super::block::{Block, BlockRoom};
use super::plan::EncoderPlan;
use crate::decoder::{Form, Held, Matrix};
use crate::description::{Description, Tower, Vision};
use crate::error::{Error, Result};
use crate::packing::{Seeing, Weights};
use crate::weights::Source;

/// What norms add to a variance.
const EPSILON: f64 = 1e-5;

/// The vision tower of a CLIP (arXiv 2103.00020, section 2.4) and the projector of LLaVA-1.5 (arXiv 2310.03744, section 3.3) whose weights
/// are packed for this processor: a class token and the patches of a square image, with what is learned for their places; a norm; blocks
/// in which each of these sees all, but for the last one; and two products with the exact GELU between them, which make a token of the
/// text of each patch (as in Transformers' `modeling_llava.py`).
#[derive(Debug)]
pub struct ClipEncoder {
    vision: Vision,
    isa: Isa,
    patches: Matrix,
    /// `[positions, width]`: what is learned for places, to which the class token is added in the first one.
    places: Vec<f32>,
    /// Gain and bias of the norm of what comes into the first block.
    first: [Vec<f32>; 2],
    layers: Vec<Block>,
    projector: [Matrix; 2],
}

/// Room for what it computes: nothing is allocated once it has held as much, beyond what the kernels' threads keep.
#[derive(Debug, Clone, Default)]
pub struct ClipRoom {
    stream: Vec<f32>,
    other: Vec<f32>,
    blocks: BlockRoom,
    wide: Vec<f32>,
    tokens: Vec<f32>,
}

impl ClipEncoder {
    /// Packs the weights that `source` gives: the last block and the norm behind it are not read.
    ///
    /// # Errors
    /// A model without such a tower, no square of patches beside the class token, or what the source says.
    pub fn load(model: &Description, source: &dyn Source) -> Result<Self> {
        let vision = model.vision.as_ref().filter(|vision| vision.tower == Tower::Clip);
        let vision = vision.ok_or_else(|| Error::NotBuilt(model.name.clone()))?;
        let &Vision { width, patch, positions, .. } = vision;
        let seen = positions.saturating_sub(1);
        if seen == 0 || seen.isqrt().pow(2) != seen {
            let reason = format!("{positions} places are not those of a class token and a square of patches");
            return Err(Error::Inconsistent { model: model.name.clone(), reason });
        }
        let tensors = model.tensors();
        let weights = Weights::of(&tensors, source);
        let matrix = |name: &str, [inner, outer]: [usize; 2]| -> Result<Matrix> {
            let (weight, bias) = (weights.turned(&format!("{name}.weight"), inner)?, weights.bias(name)?);
            Matrix::new(Form::Plain, [inner, outer], &weight, bias.as_deref(), weights.isa)
        };
        let at = |name: &str| format!("vision_tower.vision_model.{name}");
        let mut places = weights.numbers(&at("embeddings.position_embedding.weight"))?;
        add(&mut places[..width], &weights.numbers(&at("embeddings.class_embedding"))?);
        let (of, plan, out) = (Seeing::of_clip(vision, EPSILON), EncoderPlan::default(), model.text.width);
        Ok(Self {
            isa: weights.isa,
            patches: matrix(&at("embeddings.patch_embedding"), [3 * patch * patch, width])?,
            places,
            first: weights.layer_norm(&at("pre_layrnorm"))?,
            layers: (0..of.layers).map(|layer| Block::load(&weights, &of, layer, &plan)).collect::<Result<_>>()?,
            projector: [
                matrix("multi_modal_projector.linear_1", [width, out])?,
                matrix("multi_modal_projector.linear_2", [out, out])?,
            ],
            vision: vision.clone(),
        })
    }

    /// What it is made of.
    pub fn vision(&self) -> &Vision {
        &self.vision
    }

    /// What its matrices take.
    pub fn held(&self) -> Held {
        let products = self.projector.iter().chain([&self.patches]).map(Matrix::held);
        self.layers.iter().map(Block::held).chain(products).sum()
    }

    /// Tokens `[positions - 1, text width]` of an image, whose patches `[positions - 1, 3 · patch²]` come row by row, each color by color.
    ///
    /// # Errors
    /// No patches, or other numbers than those of the image have.
    pub fn tokens<'a>(&self, room: &'a mut ClipRoom, patches: &[f32]) -> Result<&'a [f32]> {
        let Vision { width, positions, .. } = self.vision;
        let inner = self.patches.inner();
        if patches.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if patches.len() != (positions - 1) * inner {
            let side = (positions - 1).isqrt();
            let words = format!("{} numbers are no image of {side} × {side} patches of {inner}", patches.len());
            return Err(Error::Session(words));
        }
        let ClipRoom { stream, other, blocks, wide, tokens } = room;
        for part in [&mut *stream, &mut *other] {
            part.resize(positions * width, 0.0);
        }
        let (class, seen) = other.split_at_mut(width);
        class.fill(0.0);
        self.patches.apply(Activation::None, patches, seen)?;
        add(other, &self.places);
        let [gain, bias] = &self.first;
        layer_norm(&Norm { width, input: other, gain, epsilon: EPSILON, isa: self.isa }, bias, stream)?;
        let mut size = [1, positions];
        blocks.begin(positions);
        for layer in &self.layers {
            layer.apply(&mut size, stream, other, blocks)?;
        }
        let [first, second] = &self.projector;
        for part in [&mut *wide, &mut *tokens] {
            part.resize((positions - 1) * second.inner(), 0.0);
        }
        // The text is not told of the class token.
        first.apply(Activation::ExactGelu, &stream[width..], wide)?;
        second.apply(Activation::None, wide, tokens)?;
        Ok(tokens)
    }
}
