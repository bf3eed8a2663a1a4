//! The vision tower of CLIP: its description, and its weights by their names in checkpoints.

use benchbook_core::Inputs;
use benchbook_models::{Names, Tower, Vision};
use benchbook_workloads::encoding::Clip;

use super::encoders::Given;

/// The description of a tower of these sizes: behind the features that a text is told of, it has another block.
pub(super) fn vision_of(clip: &Clip) -> Vision {
    let Clip { layers, heads, width, hidden, patch, side, .. } = *clip;
    Vision {
        tower: Tower::Clip,
        layers: layers + 1,
        heads,
        width,
        hidden,
        patch,
        frames: 1,
        positions: 1 + side * side,
        merged: 1,
        deep: Vec::new(),
    }
}

/// The weights of a case.
pub(super) fn given<'a>(clip: &Clip, inputs: &'a Inputs) -> Given<'a> {
    Given { sizes: clip.sizes(), inputs, names: LOOKING }
}

/// Names of the tensors of the tower and of what follows it.
const LOOKING: Names = Names { names: &OF_TOWER, layers: "vision_tower.vision_model.encoder.layers." };

const OF_TOWER: [(&str, &str); 25] = [
    ("vision_tower.vision_model.embeddings.class_embedding", "class"),
    ("vision_tower.vision_model.embeddings.patch_embedding.weight", "w_patch"),
    ("vision_tower.vision_model.embeddings.position_embedding.weight", "places"),
    ("vision_tower.vision_model.pre_layrnorm.weight", "first_gain"),
    ("vision_tower.vision_model.pre_layrnorm.bias", "first_bias"),
    ("layer_norm1.weight", "gain_1"),
    ("layer_norm1.bias", "bias_1"),
    ("self_attn.q_proj.weight", "w_query"),
    ("self_attn.q_proj.bias", "b_query"),
    ("self_attn.k_proj.weight", "w_key"),
    ("self_attn.k_proj.bias", "b_key"),
    ("self_attn.v_proj.weight", "w_value"),
    ("self_attn.v_proj.bias", "b_value"),
    ("self_attn.out_proj.weight", "w_out"),
    ("self_attn.out_proj.bias", "b_out"),
    ("layer_norm2.weight", "gain_2"),
    ("layer_norm2.bias", "bias_2"),
    ("mlp.fc1.weight", "w_up"),
    ("mlp.fc1.bias", "b_up"),
    ("mlp.fc2.weight", "w_down"),
    ("mlp.fc2.bias", "b_down"),
    ("multi_modal_projector.linear_1.weight", "project_up"),
    ("multi_modal_projector.linear_1.bias", "project_up_bias"),
    ("multi_modal_projector.linear_2.weight", "project_down"),
    ("multi_modal_projector.linear_2.bias", "project_down_bias"),
];
