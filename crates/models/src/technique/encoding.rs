//! Techniques of encoders: what each makes of the encoder of a BERT, or of a Whisper.

use std::collections::BTreeMap;

use super::narrow::{Narrowed, add_columns, add_rows, kept};
use super::{Change, Technique};
use crate::decoder::{Forms, Role};
use crate::description::Description;
use crate::encoder::{AudioEncoder, Encoder, EncoderPlan, Parts};
use crate::error::{Error, Result};
use crate::packing::{Seeing, Weights};
use crate::tensors::Tensor;
use crate::weights::Source;

/// An encoder with a technique applied to it. As a source of weights, it gives the plain numbers that it stands for: zeros where parts
/// are left out. What it leaves out of positions is not in them ([`EncoderPlan::merged`], [`EncoderPlan::quiet`]).
pub struct Encoding<'a> {
    /// The model, which may have fewer blocks.
    pub model: Description,
    /// What else is not as its description has it.
    pub plan: EncoderPlan,
    source: Narrowed<'a>,
    /// Numbers of a part that may be left out.
    each: usize,
    /// By the names of matrices, the layer and which of its products it is.
    places: BTreeMap<String, (usize, usize)>,
}

impl Technique {
    /// Why it cannot be applied to the encoder of a model; nothing where it can.
    pub fn refuses_to_encode(&self, model: &Description) -> Option<String> {
        let Some(of) = Seeing::of(model) else {
            return Some(format!("{} has no encoder of texts or of sounds", model.name));
        };
        let why = match self.change {
            Change::Heads(percent) if of.heads * percent < 100 => {
                format!("{percent} % of {} heads are not one", of.heads)
            }
            Change::Channels(percent) if of.hidden * percent < 100 => {
                format!("{percent} % of {} channels are not one", of.hidden)
            }
            Change::Block if of.layers < 2 => "its only block cannot be taken out".to_owned(),
            Change::Quiet(_) if model.audio.is_none() => "no frames come in, of which some were quiet".to_owned(),
            Change::Keeps(_) => "it keeps no keys and values, since all of its positions come at once".to_owned(),
            Change::Exit(_) => "all of its positions go through its layers together".to_owned(),
            Change::Attention(_) => "leaving out values is written for queries that come alone".to_owned(),
            Change::Chunks(_) => "a position sees those behind it too, so that all have to come at once".to_owned(),
            Change::Guesses(_) => "it writes nothing that its first layers could guess".to_owned(),
            Change::Scan => "a scan is written for positions that see those before them alone".to_owned(),
            Change::Experts(_) => {
                "experts are parted by the gates of a feed-forward network, and it has none".to_owned()
            }
            Change::Precision(_) => "the search is by the logits of a decoder".to_owned(),
            Change::Patches(_) => "it sees no image, of which some patches were left out".to_owned(),
            _ => return None,
        };
        Some(why)
    }

    /// The encoder that it makes of that of a model, whose weights `source` gives.
    ///
    /// # Errors
    /// It cannot be applied, or what the source says.
    pub fn encoding<'a>(&self, model: &Description, source: &'a dyn Source) -> Result<Encoding<'a>> {
        let refused = |reason: String| Error::Inapplicable { technique: self.name, reason };
        if let Some(reason) = self.refuses_to_encode(model) {
            return Err(refused(reason));
        }
        let Some(of) = Seeing::of(model) else { return Err(Error::NotBuilt(model.name.clone())) };
        let (mut made, mut plan, mut without) = (model.clone(), EncoderPlan::default(), None);
        match self.change {
            Change::All(form) | Change::Layers(form) => {
                plan.forms = Forms { attention: form, feed: form, ..Forms::default() };
            }
            Change::Feed(form) => plan.forms.feed = form,
            Change::Heads(percent) => plan.kept = Some(Parts::Heads(largest_of(model, source, &of, (true, percent))?)),
            Change::Channels(percent) => {
                plan.kept = Some(Parts::Channels(largest_of(model, source, &of, (false, percent))?));
            }
            Change::Merge(percent) => plan.merged = percent,
            Change::Quiet(percent) => plan.quiet = Some(percent),
            Change::Block => {
                match &mut made.audio {
                    Some(audio) => audio.layers -= 1,
                    None => made.text.layers -= 1,
                }
                without = Some(of.layers / 2);
            }
            Change::Keeps(_)
            | Change::Exit(_)
            | Change::Guesses(_)
            | Change::Attention(_)
            | Change::Chunks(_)
            | Change::Scan
            | Change::Experts(_)
            | Change::Precision(_)
            | Change::Patches(_) => return Err(refused("it is one of decoders, or of vision towers".to_owned())),
        }
        let each = if matches!(plan.kept, Some(Parts::Heads(_))) { of.width / of.heads } else { 1 };
        let of_layer = |layer: usize| {
            let names = of.names(layer).products.into_iter().enumerate();
            names.map(move |(product, name)| (format!("{name}.weight"), (layer, product)))
        };
        let places = (0..of.layers).flat_map(of_layer).collect();
        let source = Narrowed { source, wide: model.clone(), narrow: None, without };
        Ok(Encoding { model: made, plan, source, each, places })
    }
}

/// The parts of each layer, heads or channels, that are left when so many percent of them go: those whose weights have the largest
/// squares.
fn largest_of(
    model: &Description,
    source: &dyn Source,
    of: &Seeing,
    (heads, percent): (bool, usize),
) -> Result<Vec<Vec<usize>>> {
    let tensors = model.tensors();
    let weights = Weights::of(&tensors, source);
    let (from, to, parts, inner) = if heads { (0..3, 3, of.heads, of.width) } else { (4..5, 5, of.hidden, of.hidden) };
    let of_layer = |layer: usize| -> Result<Vec<usize>> {
        let (names, mut sizes) = (of.names(layer).products, vec![0.0; parts]);
        for name in &names[from.clone()] {
            add_rows(&mut sizes, &weights.numbers(&format!("{name}.weight"))?);
        }
        add_columns(&mut sizes, &weights.numbers(&format!("{}.weight", names[to]))?, inner);
        Ok(kept(&sizes, percent))
    };
    (0..of.layers).map(of_layer).collect()
}

impl Encoding<'_> {
    /// The encoder of texts.
    ///
    /// # Errors
    /// As of [`Encoder::planned`].
    pub fn text(&self) -> Result<Encoder> {
        Encoder::planned(&self.model, &self.source, &self.plan)
    }

    /// The encoder of sounds.
    ///
    /// # Errors
    /// As of [`AudioEncoder::planned`].
    pub fn audio(&self) -> Result<AudioEncoder> {
        AudioEncoder::planned(&self.model, &self.source, &self.plan)
    }
}

impl Source for Encoding<'_> {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let mut numbers = self.source.numbers(tensor)?;
        let (Some(&(layer, product)), &[outer, inner]) = (self.places.get(&tensor.name), tensor.shape.as_slice())
        else {
            return Ok(numbers);
        };
        let last = match &self.plan.kept {
            Some(Parts::Heads(_)) => Some(3),
            Some(Parts::Channels(_)) => Some(5),
            None => None,
        };
        let kept = self.plan.kept.as_ref().and_then(|parts| parts.of(layer));
        if let Some(kept) = kept.filter(|_| last == Some(product)) {
            let parts = numbers.chunks_exact_mut(inner).flat_map(|row| row.chunks_exact_mut(self.each).enumerate());
            parts.filter(|(part, _)| !kept.contains(part)).for_each(|(_, numbers)| numbers.fill(0.0));
        }
        let role = if product > 3 { Role::Feed(layer) } else { Role::Attention(layer) };
        self.plan.forms.of(role).stands_for_rows(&numbers, [outer, inner])
    }
}
