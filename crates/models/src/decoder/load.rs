//! Weights on their way into a decoder: which tensors become which matrices, in which form.

use benchbook_simd::{Activation, MlpWeights, Rotary};

use super::cross::Cross;
use super::experts::Experts;
use super::latent::{Latent, Projection};
use super::matrix::{Form, Matrix};
use super::parted::{Parted, Split};
use super::{Decoder, Feed, Layer, Network, Normed, Plan, Role};
use crate::description::{Architecture, Latent as LatentSizes, Text};
use crate::error::Result;
use crate::packing::{Weights, side_by_side, transposed};

/// Weights on their way to where they are packed, and what becomes of them there.
pub struct Planned<'a> {
    pub weights: Weights<'a>,
    pub plan: &'a Plan,
    /// What stands before the tensors of a LLaMA, and what came after it, and its head.
    pub bases: [&'static str; 2],
}

impl Planned<'_> {
    fn numbers(&self, name: &str) -> Result<Vec<f32>> {
        self.weights.numbers(name)
    }

    fn normed(&self, name: &str, biased: bool) -> Result<Normed> {
        let bias = biased.then(|| self.numbers(&format!("{name}.bias"))).transpose()?;
        Ok(Normed { gain: self.numbers(&format!("{name}.weight"))?, bias })
    }

    /// A matrix `[inner, outer]` in the form of its role, of numbers from which nothing is left out yet.
    fn matrix(&self, role: Role, size: [usize; 2], mut weight: Vec<f32>, bias: Option<&[f32]>) -> Result<Matrix> {
        let form = self.plan.forms.of(role);
        form.prune(&mut weight, size);
        Matrix::new(form, size, &weight, bias, self.weights.isa)
    }

    /// Matrices `[inner, outer]` of a role beside each other, each by its name and its columns: what is left out is chosen within each
    /// of them.
    fn beside(&self, role: Role, inner: usize, sides: &[(String, usize)], bias: Option<&[f32]>) -> Result<Matrix> {
        let form = self.plan.forms.of(role);
        let side = |(name, outer): &(String, usize)| -> Result<(Vec<f32>, usize)> {
            let mut numbers = self.weights.turned(name, inner)?;
            form.prune(&mut numbers, [inner, *outer]);
            Ok((numbers, *outer))
        };
        let outer = sides.iter().map(|(_, outer)| *outer).sum::<usize>();
        let sides = sides.iter().map(side).collect::<Result<Vec<_>>>()?;
        let lent: Vec<(&[f32], usize)> = sides.iter().map(|(side, outer)| (side.as_slice(), *outer)).collect();
        Matrix::new(form, [inner, outer], &side_by_side(&lent, inner), bias, self.weights.isa)
    }

    /// The same of products that have a bias each, or none, by their names without what follows them in checkpoints.
    fn affine(&self, role: Role, inner: usize, products: &[(String, usize)]) -> Result<Matrix> {
        let mut bias = Vec::new();
        for (name, outer) in products {
            bias.extend(self.weights.bias(name)?.unwrap_or_else(|| vec![0.0; *outer]));
        }
        let weight = |(name, outer): &(String, usize)| (format!("{name}.weight"), *outer);
        self.beside(role, inner, &products.iter().map(weight).collect::<Vec<_>>(), Some(&bias))
    }

    /// The head, which may be the embedding.
    fn head(&self, text: &Text, embedding: &[f32]) -> Result<Matrix> {
        let width = text.width;
        let weight =
            if text.tied { transposed(embedding, width) } else { self.weights.turned(self.bases[1], width)? };
        self.matrix(Role::Head, [width, text.vocabulary], weight, None)
    }

    pub fn gpt2(&self, text: &Text) -> Result<Decoder> {
        let (width, hidden) = (text.width, text.hidden);
        let conv = |role: Role, name: &str, size: [usize; 2]| -> Result<Matrix> {
            let [weight, bias] = [self.numbers(&format!("{name}.weight"))?, self.numbers(&format!("{name}.bias"))?];
            self.matrix(role, size, weight, Some(&bias))
        };
        let layer = |layer: usize| -> Result<Layer> {
            let at = |name: &str| format!("h.{layer}.{name}");
            let [attention, feed] = [Role::Attention(layer), Role::Feed(layer)];
            Ok(Layer {
                before_attention: self.normed(&at("ln_1"), true)?,
                qkv: Projection::Direct(conv(attention, &at("attn.c_attn"), [width, 3 * width])?),
                query_gain: None,
                key_gain: None,
                out: conv(attention, &at("attn.c_proj"), [width; 2])?,
                cross: None,
                before_feed: self.normed(&at("ln_2"), true)?,
                feed: Network::Dense(Feed::Gelu {
                    up: conv(feed, &at("mlp.c_fc"), [width, hidden])?,
                    down: conv(feed, &at("mlp.c_proj"), [hidden, width])?,
                    by: Activation::Gelu,
                }),
            })
        };
        let embedding = self.numbers("wte.weight")?;
        Ok(Decoder {
            isa: self.weights.isa,
            positions: Some(self.numbers("wpe.weight")?),
            rotary: None,
            layers: (0..text.layers).map(layer).collect::<Result<_>>()?,
            last: self.normed("ln_f", true)?,
            head: self.head(text, &embedding)?,
            embedding,
            text: text.clone(),
            keeps: self.plan.keeps,
            exit: self.plan.exit,
            least: self.plan.least,
            scan: self.plan.scan,
            lists: None,
        })
    }

    pub fn whisper(&self, text: &Text) -> Result<Decoder> {
        let (width, hidden) = (text.width, text.hidden);
        let layer = |layer: usize| -> Result<Layer> {
            let at = |name: &str| format!("model.decoder.layers.{layer}.{name}");
            let [attention, feed] = [Role::Attention(layer), Role::Feed(layer)];
            let wide = |names: &[&str]| -> Result<Matrix> {
                let products: Vec<(String, usize)> = names.iter().map(|name| (at(name), width)).collect();
                self.affine(attention, width, &products)
            };
            Ok(Layer {
                before_attention: self.normed(&at("self_attn_layer_norm"), true)?,
                qkv: Projection::Direct(wide(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"])?),
                query_gain: None,
                key_gain: None,
                out: wide(&["self_attn.out_proj"])?,
                cross: Some(Cross {
                    before: self.normed(&at("encoder_attn_layer_norm"), true)?,
                    query: wide(&["encoder_attn.q_proj"])?,
                    both: wide(&["encoder_attn.k_proj", "encoder_attn.v_proj"])?,
                    out: wide(&["encoder_attn.out_proj"])?,
                }),
                before_feed: self.normed(&at("final_layer_norm"), true)?,
                feed: Network::Dense(Feed::Gelu {
                    up: self.affine(feed, width, &[(at("fc1"), hidden)])?,
                    down: self.affine(feed, hidden, &[(at("fc2"), width)])?,
                    by: Activation::ExactGelu,
                }),
            })
        };
        let embedding = self.numbers("model.decoder.embed_tokens.weight")?;
        Ok(Decoder {
            isa: self.weights.isa,
            positions: Some(self.numbers("model.decoder.embed_positions.weight")?),
            rotary: None,
            layers: (0..text.layers).map(layer).collect::<Result<_>>()?,
            last: self.normed("model.decoder.layer_norm", true)?,
            head: self.head(text, &embedding)?,
            embedding,
            text: text.clone(),
            keeps: self.plan.keeps,
            exit: self.plan.exit,
            least: self.plan.least,
            scan: self.plan.scan,
            lists: None,
        })
    }

    /// Gate, up and down by their names below `at`.
    fn swiglu(&self, role: Role, at: &str, [width, hidden]: [usize; 2]) -> Result<Feed> {
        let turned = |name: &str, inner: usize| self.weights.turned(&format!("{at}.{name}.weight"), inner);
        let form = self.plan.forms.of(role);
        if form == Form::Plain {
            let [gate, up] = [turned("gate_proj", width)?, turned("up_proj", width)?];
            let (size, down) = ([width, hidden], turned("down_proj", hidden)?);
            return Ok(Feed::Swiglu(MlpWeights::swiglu(size, &gate, &up, &down, self.weights.isa)?, size));
        }
        let both = ["gate_proj", "up_proj"].map(|name| (format!("{at}.{name}.weight"), hidden));
        // Two factors of both in one are not those of each.
        let together = if matches!(form, Form::LowRank(_)) { 1 } else { 2 };
        let sides = both.chunks(together).map(|sides| self.beside(role, width, sides, None));
        Ok(Feed::Gated {
            sides: sides.collect::<Result<_>>()?,
            down: self.matrix(role, [hidden, width], turned("down_proj", hidden)?, None)?,
        })
    }

    /// The same, its channels parted into experts.
    fn parted(&self, role: Role, at: &str, [width, hidden]: [usize; 2], split: Split) -> Result<Parted> {
        let name = |part: &str| format!("{at}.{part}.weight");
        let up = self.numbers(&name("up_proj"))?;
        let down = self.weights.turned(&name("down_proj"), hidden)?;
        let bounds = split.bounds(hidden);
        let expert = |ends: &[usize]| -> Result<[Matrix; 2]> {
            let (rows, own) = (ends[0] * width..ends[1] * width, ends[1] - ends[0]);
            let up = transposed(&up[rows.clone()], width);
            Ok([
                self.matrix(role, [width, own], up, None)?,
                self.matrix(role, [own, width], down[rows].to_vec(), None)?,
            ])
        };
        Ok(Parted {
            gate: self.matrix(role, [width, hidden], self.weights.turned(&name("gate_proj"), width)?, None)?,
            each: bounds.windows(2).map(expert).collect::<Result<_>>()?,
            bounds,
            chosen: split.chosen,
        })
    }

    /// What makes queries, keys and values by way of latents, by their names below `at`.
    fn latent(&self, role: Role, at: &str, text: &Text, sizes: &LatentSizes) -> Result<Latent> {
        let gain = |name: &str| self.numbers(&format!("{at}.{name}.weight"));
        let matrix = |name: &str, size: [usize; 2]| {
            self.matrix(role, size, self.weights.turned(&format!("{at}.{name}.weight"), size[0])?, None)
        };
        let LatentSizes { query_rank, kv_rank, plain, rotated, value } = *sizes;
        Ok(Latent {
            query_down: matrix("q_a_proj", [text.width, query_rank])?,
            query_gain: gain("q_a_layernorm")?,
            query: matrix("q_b_proj", [query_rank, text.projected()[0]])?,
            down: matrix("kv_a_proj_with_mqa", [text.width, kv_rank + rotated])?,
            gain: gain("kv_a_layernorm")?,
            both: matrix("kv_b_proj", [kv_rank, text.heads * (plain + value)])?,
            sizes: sizes.clone(),
            epsilon: text.epsilon,
            isa: self.weights.isa,
        })
    }

    pub fn llama_layer(&self, text: &Text, layer: usize) -> Result<Layer> {
        let (width, hidden, [query, kv]) = (text.width, text.hidden, text.projected());
        let at = |name: &str| format!("{}layers.{layer}.{name}", self.bases[0]);
        let turned = |name: &str, inner: usize| self.weights.turned(&at(&format!("{name}.weight")), inner);
        let side = |(name, outer): (&str, usize)| (at(&format!("{name}.weight")), outer);
        let gain = |name: &str| -> Result<Option<Vec<f32>>> {
            let norms = text.architecture.head_norms();
            norms.then(|| self.numbers(&at(&format!("self_attn.{name}.weight")))).transpose()
        };
        let (attention, feed) = (Role::Attention(layer), Role::Feed(layer));
        let qkv = match &text.latent {
            Some(latent) => Projection::Latent(Box::new(self.latent(attention, &at("self_attn"), text, latent)?)),
            None => {
                let sides = [("self_attn.q_proj", query), ("self_attn.k_proj", kv), ("self_attn.v_proj", kv)].map(side);
                Projection::Direct(self.beside(attention, width, &sides, None)?)
            }
        };
        let feed = match &text.experts {
            Some(experts) if layer >= experts.dense_layers => {
                let of =
                    |expert: usize| self.swiglu(feed, &at(&format!("mlp.experts.{expert}")), [width, experts.hidden]);
                let (router, all) = (turned("mlp.gate", width)?, experts.shared * experts.hidden);
                let biased = text.architecture == Architecture::Glm4;
                let bias = biased.then(|| self.numbers(&at("mlp.gate.e_score_correction_bias")));
                let shared = (all > 0).then(|| self.swiglu(feed, &at("mlp.shared_experts"), [width, all]));
                Network::Routed(Experts {
                    router: Matrix::new(Form::Plain, [width, experts.count], &router, None, self.weights.isa)?,
                    bias: bias.transpose()?,
                    each: (0..experts.count).map(of).collect::<Result<_>>()?,
                    shared: shared.transpose()?,
                    scale: experts.scale as f32,
                    chosen: experts.chosen,
                    hidden: experts.hidden,
                    hidden_of_shared: all,
                })
            }
            _ => match self.plan.split.filter(|split| split.layer == layer) {
                Some(split) => Network::Parted(self.parted(feed, &at("mlp"), [width, hidden], split)?),
                None => Network::Dense(self.swiglu(feed, &at("mlp"), [width, hidden])?),
            },
        };
        Ok(Layer {
            before_attention: self.normed(&at("input_layernorm"), false)?,
            qkv,
            query_gain: gain("q_norm")?,
            key_gain: gain("k_norm")?,
            out: self.matrix(attention, [query, width], turned("self_attn.o_proj", query)?, None)?,
            cross: None,
            before_feed: self.normed(&at("post_attention_layernorm"), false)?,
            feed,
        })
    }

    pub fn llama(&self, text: &Text, positions: usize) -> Result<Decoder> {
        let at = |name: &str| format!("{}{name}", self.bases[0]);
        let embedding = self.numbers(&at("embed_tokens.weight"))?;
        let base = text.rotary_base.unwrap_or(1e4);
        let turned = text.latent.as_ref().map_or(text.head_dim, |latent| latent.rotated);
        Ok(Decoder {
            isa: self.weights.isa,
            positions: None,
            rotary: Some(Rotary::new(positions, turned, base)?),
            layers: (0..text.layers).map(|layer| self.llama_layer(text, layer)).collect::<Result<_>>()?,
            last: self.normed(&at("norm"), false)?,
            head: self.head(text, &embedding)?,
            embedding,
            text: text.clone(),
            keeps: self.plan.keeps,
            exit: self.plan.exit,
            least: self.plan.least,
            scan: self.plan.scan,
            lists: None,
        })
    }
}
