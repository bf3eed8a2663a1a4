//! Tensors of what looks and listens.

use super::List;
use crate::description::{Audio, Text, Tower, Vision};

/// A vision tower, and what brings its patches to `text_width` numbers.
pub fn vision(list: &mut List, vision: &Vision, text_width: usize) {
    match vision.tower {
        Tower::Clip => clip(list, vision, text_width),
        Tower::Qwen3Vl => qwen3_vl(list, vision, text_width),
    }
}

fn clip(list: &mut List, vision: &Vision, text_width: usize) {
    let Vision { layers, width, hidden, patch, positions, .. } = *vision;
    let below = "vision_tower.vision_model";
    list.table(format!("{below}.embeddings.class_embedding"), &[width]);
    let patches = [width, 3, patch, patch];
    list.weight(format!("{below}.embeddings.patch_embedding.weight"), &patches, 3 * patch * patch);
    list.table(format!("{below}.embeddings.position_embedding.weight"), &[positions, width]);
    // Misspelt so in every checkpoint.
    list.norm(&format!("{below}.pre_layrnorm"), width);
    for layer in 0..layers {
        let at = |name: &str| format!("{below}.encoder.layers.{layer}.{name}");
        for name in ["k_proj", "v_proj", "q_proj", "out_proj"] {
            list.linear(&at(&format!("self_attn.{name}")), width, width);
        }
        list.norm(&at("layer_norm1"), width);
        list.linear(&at("mlp.fc1"), hidden, width);
        list.linear(&at("mlp.fc2"), width, hidden);
        list.norm(&at("layer_norm2"), width);
    }
    list.norm(&format!("{below}.post_layernorm"), width);
    list.linear("multi_modal_projector.linear_1", text_width, width);
    list.linear("multi_modal_projector.linear_2", text_width, text_width);
}

fn qwen3_vl(list: &mut List, vision: &Vision, text_width: usize) {
    let Vision { layers, width, hidden, patch, frames, positions, merged, .. } = *vision;
    let below = "model.visual";
    let patches = [width, 3, frames, patch, patch];
    list.weight(format!("{below}.patch_embed.proj.weight"), &patches, patches[1..].iter().product());
    list.bias(format!("{below}.patch_embed.proj.bias"), width);
    list.table(format!("{below}.pos_embed.weight"), &[positions, width]);
    for layer in 0..layers {
        let at = |name: &str| format!("{below}.blocks.{layer}.{name}");
        list.norm(&at("norm1"), width);
        list.linear(&at("attn.qkv"), 3 * width, width);
        list.linear(&at("attn.proj"), width, width);
        list.norm(&at("norm2"), width);
        list.linear(&at("mlp.linear_fc1"), hidden, width);
        list.linear(&at("mlp.linear_fc2"), width, hidden);
    }
    let together = merged * merged * width;
    let merger = |list: &mut List, at: &str, normed: usize| {
        list.norm(&format!("{at}.norm"), normed);
        list.linear(&format!("{at}.linear_fc1"), together, together);
        list.linear(&format!("{at}.linear_fc2"), text_width, together);
    };
    merger(list, &format!("{below}.merger"), width);
    for index in 0..vision.deep.len() {
        merger(list, &format!("{below}.deepstack_merger_list.{index}"), together);
    }
}

/// The encoder of Whisper.
pub fn audio(list: &mut List, audio: &Audio) {
    let Audio { layers, width, hidden, bins, positions, .. } = *audio;
    let below = "model.encoder";
    for (name, from) in [("conv1", bins), ("conv2", width)] {
        list.weight(format!("{below}.{name}.weight"), &[width, from, 3], 3 * from);
        list.bias(format!("{below}.{name}.bias"), width);
    }
    list.table(format!("{below}.embed_positions.weight"), &[positions, width]);
    for layer in 0..layers {
        let at = format!("{below}.layers.{layer}");
        whisper_attention(list, &at, "self_attn", width);
        whisper_feed_forward(list, &at, [width, hidden]);
    }
    list.norm(&format!("{below}.layer_norm"), width);
}

/// The decoder of Whisper, whose head is the embedding.
pub fn whisper_decoder(list: &mut List, text: &Text) {
    let Text { layers, width, hidden, vocabulary, context, .. } = *text;
    let below = "model.decoder";
    list.table(format!("{below}.embed_tokens.weight"), &[vocabulary, width]);
    list.table(format!("{below}.embed_positions.weight"), &[context, width]);
    for layer in 0..layers {
        let at = format!("{below}.layers.{layer}");
        whisper_attention(list, &at, "self_attn", width);
        whisper_attention(list, &at, "encoder_attn", width);
        whisper_feed_forward(list, &at, [width, hidden]);
    }
    list.norm(&format!("{below}.layer_norm"), width);
}

/// Attention, whose keys have no bias, and its norm.
fn whisper_attention(list: &mut List, at: &str, name: &str, width: usize) {
    list.product(&format!("{at}.{name}.k_proj"), width, width);
    for part in ["v_proj", "q_proj", "out_proj"] {
        list.linear(&format!("{at}.{name}.{part}"), width, width);
    }
    list.norm(&format!("{at}.{name}_layer_norm"), width);
}

fn whisper_feed_forward(list: &mut List, at: &str, [width, hidden]: [usize; 2]) {
    list.linear(&format!("{at}.fc1"), hidden, width);
    list.linear(&format!("{at}.fc2"), width, hidden);
    list.norm(&format!("{at}.final_layer_norm"), width);
}
