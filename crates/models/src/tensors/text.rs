//! Tensors of stacks over tokens.

use super::List;
use crate::description::{Architecture, Text};

pub fn gpt2(list: &mut List, text: &Text) {
    let Text { layers, width, hidden, vocabulary, context, tied, .. } = *text;
    list.table("wte.weight".into(), &[vocabulary, width]);
    list.table("wpe.weight".into(), &[context, width]);
    for layer in 0..layers {
        let at = |name: &str| format!("h.{layer}.{name}");
        // `Conv1D` has its matrix the other way round.
        let conv = |list: &mut List, name: &str, inner: usize, outer: usize| {
            list.weight(at(&format!("{name}.weight")), &[inner, outer], inner);
            list.bias(at(&format!("{name}.bias")), outer);
        };
        list.norm(&at("ln_1"), width);
        conv(list, "attn.c_attn", width, 3 * width);
        conv(list, "attn.c_proj", width, width);
        list.norm(&at("ln_2"), width);
        conv(list, "mlp.c_fc", width, hidden);
        conv(list, "mlp.c_proj", hidden, width);
    }
    list.norm("ln_f", width);
    if !tied {
        list.product("lm_head", vocabulary, width);
    }
}

pub fn bert(list: &mut List, text: &Text) {
    let Text { layers, width, hidden, vocabulary, context, .. } = *text;
    list.table("embeddings.word_embeddings.weight".into(), &[vocabulary, width]);
    list.table("embeddings.position_embeddings.weight".into(), &[context, width]);
    list.table("embeddings.token_type_embeddings.weight".into(), &[2, width]);
    list.norm("embeddings.LayerNorm", width);
    for layer in 0..layers {
        let at = |name: &str| format!("encoder.layer.{layer}.{name}");
        for name in ["query", "key", "value"] {
            list.linear(&at(&format!("attention.self.{name}")), width, width);
        }
        list.linear(&at("attention.output.dense"), width, width);
        list.norm(&at("attention.output.LayerNorm"), width);
        list.linear(&at("intermediate.dense"), hidden, width);
        list.linear(&at("output.dense"), width, hidden);
        list.norm(&at("output.LayerNorm"), width);
    }
    list.linear("pooler.dense", width, width);
}

/// LLaMA and what came after it: below `base` everything but the head.
pub fn rotary(list: &mut List, text: &Text, [base, head]: [&str; 2]) {
    let Text { layers, width, vocabulary, tied, .. } = *text;
    list.table(format!("{base}embed_tokens.weight"), &[vocabulary, width]);
    for layer in 0..layers {
        block(list, text, &format!("{base}layers.{layer}"), layer);
    }
    list.rms(&format!("{base}norm"), width);
    if !tied {
        list.weight(head.to_owned(), &[vocabulary, width], width);
    }
    if text.architecture == Architecture::Glm4 && !text.is_part {
        // Multi-token prediction (DeepSeek-V3, arXiv 2412.19437, section 2.2).
        let next = format!("{base}layers.{layers}");
        list.table(format!("{next}.embed_tokens.weight"), &[vocabulary, width]);
        list.rms(&format!("{next}.enorm"), width);
        list.rms(&format!("{next}.hnorm"), width);
        list.product(&format!("{next}.eh_proj"), width, 2 * width);
        block(list, text, &next, layers);
        list.rms(&format!("{next}.shared_head.norm"), width);
        list.product(&format!("{next}.shared_head.head"), vocabulary, width);
    }
}

fn block(list: &mut List, text: &Text, at: &str, layer: usize) {
    list.rms(&format!("{at}.input_layernorm"), text.width);
    attention(list, text, &format!("{at}.self_attn"));
    list.rms(&format!("{at}.post_attention_layernorm"), text.width);
    feed_forward(list, text, &format!("{at}.mlp"), layer);
}

fn attention(list: &mut List, text: &Text, at: &str) {
    let (width, [query, kv]) = (text.width, text.projected());
    if let Some(latent) = &text.latent {
        list.product(&format!("{at}.q_a_proj"), latent.query_rank, width);
        list.rms(&format!("{at}.q_a_layernorm"), latent.query_rank);
        list.product(&format!("{at}.q_b_proj"), query, latent.query_rank);
        list.product(&format!("{at}.kv_a_proj_with_mqa"), latent.kv_rank + latent.rotated, width);
        list.rms(&format!("{at}.kv_a_layernorm"), latent.kv_rank);
        list.product(&format!("{at}.kv_b_proj"), text.heads * (latent.plain + latent.value), latent.kv_rank);
        list.product(&format!("{at}.o_proj"), width, text.heads * latent.value);
        return;
    }
    list.product(&format!("{at}.q_proj"), query, width);
    list.product(&format!("{at}.k_proj"), kv, width);
    list.product(&format!("{at}.v_proj"), kv, width);
    if text.architecture.head_norms() {
        list.rms(&format!("{at}.q_norm"), text.head_dim);
        list.rms(&format!("{at}.k_norm"), text.head_dim);
    }
    list.product(&format!("{at}.o_proj"), width, query);
}

fn feed_forward(list: &mut List, text: &Text, at: &str, layer: usize) {
    let width = text.width;
    let swiglu = |list: &mut List, at: &str, hidden: usize| {
        list.product(&format!("{at}.gate_proj"), hidden, width);
        list.product(&format!("{at}.up_proj"), hidden, width);
        list.product(&format!("{at}.down_proj"), width, hidden);
    };
    let Some(experts) = text.experts.as_ref().filter(|experts| layer >= experts.dense_layers) else {
        return swiglu(list, at, text.hidden);
    };
    list.product(&format!("{at}.gate"), experts.count, width);
    if text.architecture == Architecture::Glm4 {
        list.bias(format!("{at}.gate.e_score_correction_bias"), experts.count);
    }
    for expert in 0..experts.count {
        swiglu(list, &format!("{at}.experts.{expert}"), experts.hidden);
    }
    if experts.shared > 0 {
        swiglu(list, &format!("{at}.shared_experts"), experts.shared * experts.hidden);
    }
}
