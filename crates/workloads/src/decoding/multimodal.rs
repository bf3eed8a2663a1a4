//! Text about what is heard, by a Whisper whose weights are drawn from a seed.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Value, Work};

use super::choice::{Advance, decoded, followed};
use super::ids;
use crate::attention::reference::{add, average, dot};
use crate::attention::sizes::check_scores;
use crate::blocks::{exact_gelu, layer_normed};
use crate::draw::{check_numbers, normal};
use crate::encoding::{AudioEncoder, AudioEncoderParams, heard};
use crate::real;

/// A spectrogram and a prompt become text (Radford et al., arXiv 2212.04356, section 2.2): the encoder hears, and then the decoder
/// writes the most likely token, again and again; every layer of it sees its own text and all that was heard. A token a step, the
/// first of which takes spectrogram and prompt.
///
/// Inputs: `prompt` `[prompt]` of `i32`; of the encoder those of [`AudioEncoder`], with one `mel`; of the decoder `embedding`
/// `[vocabulary, width]`, which is its head too, and `places` `[prompt + tokens, width]`; of all layers, as checkpoints have them,
/// matrices `own_…` and `about_…` `[layers, width, width]`, `text_up` `[layers, hidden, width]` and `text_down`
/// `[layers, width, hidden]`, each with its `_bias`, but keys; gains and biases of the norms before own, about and text
/// `[layers, width]`, and of the last one `[width]`. The output `tokens` `[tokens, 1]` holds ids.
pub struct Multimodal;

benchbook_core::parameters! {
    /// Parameters of [`Multimodal`].
    pub struct MultimodalParams {
        /// blocks of the encoder, and of the decoder
        layers: usize = 2, 1..=64;
        /// heads of attention; they divide the width
        heads: usize = 4, 1..=1 << 12;
        /// numbers of a position
        width: usize = 64, 1..=1 << 13;
        /// numbers between the products of the feed-forward network
        hidden: usize = 256, 1..=1 << 15;
        /// bins of the spectrogram
        bins: usize = 20, 1..=1 << 10;
        /// frames of the spectrogram, an even number
        frames: usize = 100, 2..=1 << 14;
        /// tokens that there are
        vocabulary: usize = 512, 2..=1 << 18;
        /// tokens that are given
        prompt: usize = 4, 1..=1 << 14;
        /// tokens that are made
        tokens: usize = 16, 1..=1 << 14;
    }
}

/// Deviation of embeddings and of positions, as in [`GreedyDecoding`](super::GreedyDecoding) for the same reasons.
const EMBEDDED: f32 = 0.1;
const PLACED: f32 = 0.4;

/// The first stream of numbers that the encoder does not draw from.
const STREAMS: u64 = 64;

impl MultimodalParams {
    /// What of it hears.
    pub fn hearing(&self) -> AudioEncoderParams {
        let Self { layers, heads, width, hidden, bins, frames, .. } = *self;
        let weights = real::SEEDED.to_owned();
        AudioEncoderParams { weights, layers, heads, width, hidden, bins, batch: 1, frames }
    }

    /// Matrices of a layer of the decoder `[outer, inner]`, and whether they have a bias.
    fn matrices(&self) -> [(&'static str, [usize; 2], bool); 10] {
        let (width, hidden) = (self.width, self.hidden);
        [
            ("own_query", [width, width], true),
            ("own_key", [width, width], false),
            ("own_value", [width, width], true),
            ("own_out", [width, width], true),
            ("about_query", [width, width], true),
            ("about_key", [width, width], false),
            ("about_value", [width, width], true),
            ("about_out", [width, width], true),
            ("text_up", [hidden, width], true),
            ("text_down", [width, hidden], true),
        ]
    }
}

/// The name of a bias.
fn bias_of(name: &str) -> String {
    format!("{name}_bias")
}

impl Multimodal {
    /// The loop of a case, which makes a token a step.
    pub fn steps(params: &MultimodalParams) -> StepsOf {
        StepsOf { most: params.tokens, tokens: Some(params.tokens as i64), values: Vec::new() }
    }

    fn decoded(params: &MultimodalParams, inputs: &Inputs, taken: Option<&[f64]>) -> Reference {
        decoded(Writing::new(params, inputs), inputs.get("prompt").of(), params.tokens, taken)
    }
}

impl Problem for Multimodal {
    const NAME: &'static str = "multimodal";
    const ABOUT: &'static str = "text about what is heard, by a seeded Whisper, a token a step";
    type Params = MultimodalParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 9]| {
            let names = ["layers", "heads", "width", "hidden", "bins", "frames", "vocabulary", "prompt", "tokens"];
            names
                .into_iter()
                .zip(sizes)
                .fold(Params::default(), |params, (name, size)| params.with(name, Value::Int(size)))
        };
        vec![
            Preset { name: "quick", cases: vec![of([2, 4, 64, 256, 20, 100, 512, 4, 16])] },
            Preset { name: "default", cases: vec![of([4, 4, 128, 512, 80, 400, 1024, 4, 64])] },
        ]
    }

    fn ugly() -> Vec<MultimodalParams> {
        let of = |sizes: [usize; 9]| {
            let [layers, heads, width, hidden, bins, frames, vocabulary, prompt, tokens] = sizes;
            MultimodalParams { layers, heads, width, hidden, bins, frames, vocabulary, prompt, tokens }
        };
        let sizes = [[1, 1, 3, 1, 1, 2, 2, 1, 1], [2, 2, 18, 35, 5, 14, 61, 1, 9], [1, 3, 33, 66, 7, 130, 300, 19, 7]];
        sizes.map(of).into()
    }

    fn check(params: &MultimodalParams) -> Result<(), (&'static str, String)> {
        let MultimodalParams { layers, heads, width, frames, vocabulary, prompt, tokens, .. } = *params;
        AudioEncoder::check(&params.hearing())?;
        check_numbers("vocabulary", &[vocabulary, width])?;
        let sees = prompt + tokens + frames / 2;
        check_scores("prompt", [layers, heads, prompt + tokens, sees])
    }

    fn label(params: &MultimodalParams) -> String {
        let MultimodalParams { layers, heads, width, hidden, bins, frames, vocabulary, prompt, tokens } = *params;
        format!("audio l{layers} h{heads} w{width}→{hidden} {bins}×{frames} v{vocabulary} {prompt}+{tokens}")
    }

    fn task(params: &MultimodalParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &MultimodalParams, seed: u64) -> Inputs {
        let MultimodalParams { layers, width, vocabulary, prompt, tokens, .. } = *params;
        let mut inputs = AudioEncoder::inputs(&params.hearing(), seed);
        let mut streams = STREAMS..;
        let mut stream = || streams.next().unwrap_or_default();
        inputs.insert("prompt", Array::new(vec![prompt], &ids(prompt, vocabulary, seed)));
        inputs.insert("embedding", normal(vec![vocabulary, width], [0.0, EMBEDDED], seed, stream()));
        inputs.insert("places", normal(vec![prompt + tokens, width], [0.0, PLACED], seed, stream()));
        for (name, [outer, inner], biased) in params.matrices() {
            let deviation = 1.0 / (inner as f32).sqrt();
            inputs.insert(name, normal(vec![layers, outer, inner], [0.0, deviation], seed, stream()));
            if biased {
                inputs.insert(&bias_of(name), normal(vec![layers, outer], [0.0, 0.02], seed, stream()));
            }
        }
        for (gain, bias) in NORMS {
            inputs.insert(gain, normal(vec![layers, width], [1.0, 0.1], seed, stream()));
            inputs.insert(bias, normal(vec![layers, width], [0.0, 0.1], seed, stream()));
        }
        inputs.insert("end_gain", normal(vec![width], [1.0, 0.1], seed, stream()));
        inputs.insert("end_bias", normal(vec![width], [0.0, 0.1], seed, stream()));
        inputs
    }

    fn tokens(params: &MultimodalParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &MultimodalParams, inputs: &Inputs, _seed: u64) -> Reference {
        Self::decoded(params, inputs, None)
    }

    fn follow(params: &MultimodalParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        followed(params.tokens, outputs, |taken| Self::decoded(params, inputs, taken))
    }

    /// What was heard becomes keys and values once; the last token is made and not taken. Bytes of the weights, once, and of the
    /// spectrogram.
    fn work(params: &MultimodalParams, dtype: DType) -> Work {
        let MultimodalParams { layers, width, frames, vocabulary, prompt, tokens, .. } = *params;
        let hears = AudioEncoder::work(&params.hearing(), dtype);
        let matrices: usize = params.matrices().iter().map(|(_, [outer, inner], _)| outer * inner).sum();
        let biases: usize = params.matrices().iter().map(|(_, [outer, _], biased)| outer * usize::from(*biased)).sum();
        let [layers, width, vocabulary, tokens] = [layers, width, vocabulary, tokens].map(|size| size as f64);
        let (heard, positions) = ((frames / 2) as f64, prompt as f64 + tokens - 1.0);
        let about = 2.0 * width * width;
        let own = positions * (matrices as f64 - about) + heard * about;
        let seen = width * positions * (positions + 1.0) + 2.0 * width * positions * heard;
        let numbers = layers * ((matrices + biases) as f64 + 6.0 * width) + width * (vocabulary + positions + 2.0);
        Work {
            flops: hears.flops + 2.0 * (layers * (own + seen) + tokens * width * vocabulary),
            bytes: hears.bytes + numbers * dtype.bytes() as f64,
        }
    }

    fn tolerance(_params: &MultimodalParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

/// Gains and biases of the norms of a layer of the decoder.
const NORMS: [(&str, &str); 3] =
    [("own_gain", "own_shift"), ("about_gain", "about_shift"), ("text_gain", "text_shift")];

/// The decoder in `f64`, a position at a time.
struct Writing<'a> {
    params: &'a MultimodalParams,
    inputs: &'a Inputs,
    /// Of each layer keys and values of what was heard, and of the text so far, each `[positions, width]`.
    about: Vec<[Vec<f64>; 2]>,
    own: Vec<[Vec<f64>; 2]>,
}

impl<'a> Writing<'a> {
    /// One that has heard, and written nothing.
    fn new(params: &'a MultimodalParams, inputs: &'a Inputs) -> Self {
        let heard = heard(&params.hearing(), inputs, 0, None);
        let own = vec![[Vec::new(), Vec::new()]; params.layers];
        let mut writing = Self { params, inputs, about: Vec::new(), own };
        for layer in 0..params.layers {
            let of = |name: &str| -> Vec<f64> {
                heard.chunks_exact(params.width).flat_map(|x| writing.linear(name, layer, x)).collect()
            };
            let both = ["about_key", "about_value"].map(of);
            writing.about.push(both);
        }
        writing
    }

    /// x · w + b of a matrix of a layer of the decoder.
    fn linear(&self, name: &str, layer: usize, x: &[f64]) -> Vec<f64> {
        let known = self.params.matrices().into_iter().find(|(known, ..)| *known == name);
        let Some((_, [outer, inner], biased)) = known else { return Vec::new() };
        let rows = self.inputs.numbers(name)[layer * outer * inner..][..outer * inner].chunks_exact(inner);
        let sums = rows.map(|row| dot(x, row));
        if !biased {
            return sums.collect();
        }
        let bias = &self.inputs.numbers(&bias_of(name))[layer * outer..][..outer];
        sums.zip(bias).map(|(sum, bias)| sum + f64::from(*bias)).collect()
    }

    fn norm(&self, [gain, bias]: [&str; 2], layer: usize, x: &[f64]) -> Vec<f64> {
        let of = |name: &str| &self.inputs.numbers(name)[layer * x.len()..][..x.len()];
        layer_normed(x, of(gain), of(bias))
    }

    /// What a query sees of keys and values.
    fn seen(&self, query: &[f64], [keys, values]: &[Vec<f64>; 2]) -> Vec<f64> {
        let MultimodalParams { width, heads, .. } = *self.params;
        let d = width / heads;
        let of_head = |(head, query): (usize, &[f64])| {
            let score = |key: &[f64]| dot(query, &key[head * d..][..d]) / (d as f64).sqrt();
            let scores: Vec<f64> = keys.chunks_exact(width).map(score).collect();
            average(&scores, d, |place| &values[place * width + head * d..])
        };
        query.chunks_exact(d).enumerate().flat_map(of_head).collect()
    }
}

impl Advance for Writing<'_> {
    fn advance(&mut self, token: usize) -> Vec<f64> {
        let width = self.params.width;
        let place = self.own[0][0].len() / width;
        let row = |name: &str, row: usize| &self.inputs.numbers(name)[row * width..][..width];
        let both = row("embedding", token).iter().zip(row("places", place));
        let mut stream: Vec<f64> = both.map(|(word, place)| f64::from(*word) + f64::from(*place)).collect();
        for layer in 0..self.params.layers {
            let [own, about, text] = NORMS.map(|(gain, bias)| [gain, bias]);
            let seen = self.norm(own, layer, &stream);
            for (which, name) in ["own_key", "own_value"].into_iter().enumerate() {
                let made = self.linear(name, layer, &seen);
                self.own[layer][which].extend(made);
            }
            let mixed = self.seen(&self.linear("own_query", layer, &seen), &self.own[layer]);
            add(&mut stream, &self.linear("own_out", layer, &mixed));
            let query = self.linear("about_query", layer, &self.norm(about, layer, &stream));
            let mixed = self.seen(&query, &self.about[layer]);
            add(&mut stream, &self.linear("about_out", layer, &mixed));
            let wide = self.linear("text_up", layer, &self.norm(text, layer, &stream));
            let wide: Vec<f64> = wide.into_iter().map(exact_gelu).collect();
            add(&mut stream, &self.linear("text_down", layer, &wide));
        }
        self.norm(["end_gain", "end_bias"], 0, &stream)
    }

    fn logits(&self, hidden: &[f64]) -> Vec<f64> {
        self.inputs.numbers("embedding").chunks_exact(hidden.len()).map(|row| dot(hidden, row)).collect()
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Check;

    use super::*;

    #[test]
    fn text_depends_on_what_is_heard_and_on_the_prompt() {
        let params = MultimodalParams::default();
        let inputs = Multimodal::inputs(&params, 5);
        let of = |inputs: &Inputs| {
            let answer = Multimodal::reference(&params, inputs, 5).answers.remove(0);
            let Check::Greedy { gaps, .. } = answer.check else { panic!("{:?}", answer.check) };
            (answer.values, gaps)
        };
        let (one, gaps) = of(&inputs);
        let mut distinct = one.clone();
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup();
        assert!(distinct.len() > 1, "no token is followed by itself for ever: {one:?}");
        let mut other = inputs.clone();
        other.insert("mel", Array::normal(vec![1, params.bins, params.frames], 6, 1));
        // By how much a token is better than the next best hangs on everything that counts.
        assert_ne!(of(&other).1, gaps);
        let mut other = inputs.clone();
        other.insert("prompt", Array::new(vec![params.prompt], &ids(params.prompt, params.vocabulary, 6)));
        assert_ne!(of(&other).1, gaps);
    }
}
