//! Whole vision towers on plain slices: `image-encoder`.

use benchbook_core::{Array, DType, Inputs, Row};
use benchbook_models::weights::Source;
use benchbook_models::{Architecture, Description, ImageEncoder, ImageRoom, Names, Tensor, Tower, Vision};
use benchbook_workloads::encoding::{FRAMES, Family, ImageEncoder as OfImage, ImageEncoderParams, MERGED, Sizes};

use super::encoders::{as_of_kernels, described, subject, text};
use crate::flex::calls::{Calls, room};
use crate::flex::row::fused_row;
use crate::flex::subject::{NamedInputs, Rows};

/// The implementation of `image-encoder`.
pub const IMAGE: Row<OfImage> = fused_row::<OfImage>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, weights packed before timing, patches as rows of a product, queries and keys turned as they \
     come apart into heads",
    &[DType::F32],
    |name, setting, params, inputs| {
        let model = model_of(params);
        let copy = || -> benchbook_simd::Result<Looking> {
            let encoder = model.clone().checked().and_then(|model| ImageEncoder::load(&model, &Given(inputs)));
            let (patches, room) = (inputs.get("patches").clone(), ImageRoom::default());
            Ok(Looking { patches, encoder: encoder.map_err(as_of_kernels)?, room })
        };
        let ImageEncoderParams { rows, columns, deep, batch, out, .. } = *params;
        let kernel = move |looking: &mut Looking, [tokens]: &mut [Array; 1]| -> benchbook_simd::Result<()> {
            let Looking { patches, encoder, room } = looking;
            let made = encoder.tokens(room, patches.of::<f32>(), [rows, columns]).map_err(as_of_kernels)?;
            tokens.of_mut::<f32>().copy_from_slice(made);
            Ok(())
        };
        let [_, each] = params.lengths();
        subject(Calls::new(name, setting, copy, &[room::<f32>(vec![1 + deep, batch, each, out])], kernel))
    },
)
.catalogue(&["MO17"]);

/// Images, and who looks at them.
struct Looking {
    patches: Array,
    encoder: ImageEncoder,
    room: ImageRoom,
}

impl NamedInputs for Looking {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        (name == "patches").then_some(&mut self.patches as &mut dyn Rows)
    }
}

/// Of the text nothing is asked but how many numbers a token has.
fn model_of(params: &ImageEncoderParams) -> Description {
    let of_text = Sizes { layers: 1, heads: 1, width: params.out, hidden: 1, family: Family::Whisper };
    let vision = Some(vision_of(params));
    Description { vision, ..described(text(Architecture::Gpt2, of_text, [1, 1]), None) }
}

/// The description of a tower of these sizes.
pub(super) fn vision_of(params: &ImageEncoderParams) -> Vision {
    let ImageEncoderParams { layers, heads, width, hidden, patch, side, .. } = *params;
    Vision {
        tower: Tower::Qwen3Vl,
        layers,
        heads,
        width,
        hidden,
        patch,
        frames: FRAMES,
        positions: side * side,
        merged: MERGED,
        deep: params.deep_layers(),
    }
}

/// What stands before the number of a deep layer among these.
const DEEP: &str = "model.visual.deepstack_merger_list.";

/// Names of the tensors of the tower; those of deep layers without what stands before their own.
const LOOKING: Names = Names { names: &OF_TOWER, layers: "model.visual.blocks." };

const OF_TOWER: [(&str, &str); 27] = [
    ("model.visual.patch_embed.proj.weight", "w_patch"),
    ("model.visual.patch_embed.proj.bias", "b_patch"),
    ("model.visual.pos_embed.weight", "positions"),
    ("norm1.weight", "gain_1"),
    ("norm1.bias", "bias_1"),
    ("attn.qkv.weight", "w_qkv"),
    ("attn.qkv.bias", "b_qkv"),
    ("attn.proj.weight", "w_out"),
    ("attn.proj.bias", "b_out"),
    ("norm2.weight", "gain_2"),
    ("norm2.bias", "bias_2"),
    ("mlp.linear_fc1.weight", "w_up"),
    ("mlp.linear_fc1.bias", "b_up"),
    ("mlp.linear_fc2.weight", "w_down"),
    ("mlp.linear_fc2.bias", "b_down"),
    ("model.visual.merger.norm.weight", "merge_gain"),
    ("model.visual.merger.norm.bias", "merge_bias"),
    ("model.visual.merger.linear_fc1.weight", "merge_up"),
    ("model.visual.merger.linear_fc1.bias", "merge_up_bias"),
    ("model.visual.merger.linear_fc2.weight", "merge_down"),
    ("model.visual.merger.linear_fc2.bias", "merge_down_bias"),
    ("norm.weight", "deep_gain"),
    ("norm.bias", "deep_bias"),
    ("linear_fc1.weight", "deep_up"),
    ("linear_fc1.bias", "deep_up_bias"),
    ("linear_fc2.weight", "deep_down"),
    ("linear_fc2.bias", "deep_down_bias"),
];

/// Weights of a case, by their names in checkpoints.
pub(super) struct Given<'a>(pub &'a Inputs);

impl Source for Given<'_> {
    fn numbers(&self, tensor: &Tensor) -> benchbook_models::Result<Vec<f32>> {
        let deep = tensor.name.strip_prefix(DEEP).and_then(|rest| rest.split_once('.'));
        let known = match deep {
            Some((index, part)) => {
                LOOKING.input_of(part).zip(index.parse::<usize>().ok()).map(|((input, _), at)| (input, at))
            }
            None => LOOKING.input_of(&tensor.name),
        };
        let count = tensor.count();
        let numbers = known.and_then(|(input, place)| self.0.numbers(input).get(place * count..(place + 1) * count));
        let absent = || benchbook_models::Error::Missing {
            name: tensor.name.clone(),
            found: "the inputs of the case".to_owned(),
        };
        Ok(numbers.ok_or_else(absent)?.to_vec())
    }
}
