//! Parameters by which forced decoding has the sizes of a model.

use std::collections::BTreeMap;

use benchbook_core::Value;
use benchbook_models::{Architecture, Experts, Text};
use benchbook_workloads::decoding::OTHER;

/// What of a text is asked for, and of how much it is a part.
pub struct Share {
    /// Layers, the first of all.
    pub layers: usize,
    /// Layers of the whole model.
    pub of_layers: usize,
    /// Of a model that does not fit, the layers that do.
    pub fits: usize,
    /// Experts of a layer of the whole model.
    pub of_experts: usize,
    /// Tokens that come together, and those that are followed by logits.
    pub texts: [usize; 2],
    /// Whether it is decoded here: what is not keeps the label that it has.
    pub is_here: bool,
}

impl Share {
    /// Experts of a layer, where one of these layers has some.
    pub fn routed<'a>(&self, text: &'a Text) -> Option<&'a Experts> {
        text.experts.as_ref().filter(|experts| self.is_here && self.layers > experts.dense_layers)
    }

    /// The parameters for the model `name`, whose sizes are those of `text`.
    pub fn of(&self, name: &str, text: &Text) -> BTreeMap<String, Value> {
        let architecture = match (self.is_here, text.architecture) {
            (false, _) => OTHER,
            (true, Architecture::Qwen3) => "qwen3",
            (true, Architecture::Glm4) => "glm-4",
            (true, _) => "llama",
        };
        let routed = self.routed(text);
        let latent = text.latent.as_ref().filter(|_| self.is_here);
        let [query_rank, kv_rank, rotated] =
            latent.map_or([0; 3], |latent| [latent.query_rank, latent.kv_rank, latent.rotated]);
        let [experts, chosen] = routed.map_or([0; 2], |experts| [experts.count, experts.chosen]);
        // Of experts beside a shared one, what stands before them, and how much they count.
        let beside = routed.filter(|_| latent.is_some());
        let [dense_layers, dense_hidden, shared] =
            beside.map_or([0; 3], |experts| [experts.dense_layers, text.hidden, experts.shared]);
        let scale = beside.map_or(100, |experts| (100.0 * experts.scale).round() as usize);
        let [prompt, tokens] = self.texts;
        let sizes = [
            ("layers", self.layers),
            ("of_layers", self.of_layers),
            ("fits", self.fits),
            ("heads", text.heads),
            ("kv_heads", text.kv_heads),
            ("head_dim", text.head_dim),
            ("width", text.width),
            ("hidden", routed.map_or(text.hidden, |experts| experts.hidden)),
            ("experts", experts),
            ("of_experts", if experts > 0 { self.of_experts } else { 0 }),
            ("chosen", chosen),
            ("dense_layers", dense_layers),
            ("dense_hidden", dense_hidden),
            ("shared", shared),
            ("expert_scale", scale),
            ("query_rank", query_rank),
            ("kv_rank", kv_rank),
            ("rotated", rotated),
            ("vocabulary", text.vocabulary),
            ("prompt", prompt),
            ("tokens", tokens),
        ];
        let mut params: BTreeMap<String, Value> =
            sizes.map(|(name, size)| (name.to_owned(), Value::Int(size as i64))).into();
        params.insert("model".to_owned(), Value::Text(name.to_owned()));
        params.insert("architecture".to_owned(), Value::Text(architecture.to_owned()));
        params
    }
}
