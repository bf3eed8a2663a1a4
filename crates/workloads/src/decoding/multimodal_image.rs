//! Text about an image, by a Qwen3-VL whose weights are drawn from a seed.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Value, Work};

use super::axes::Axes;
use super::choice::{Advance, decoded, followed};
use super::exact::Model;
use super::stack::{ROTARY_BASE, Sizes};
use crate::blocks::Architecture;
use crate::encoding::{ImageEncoder, ImageEncoderParams, MERGED, looked};

/// An image among the tokens of a prompt becomes text (Qwen3-VL, arXiv 2511.21631, section 2; as `modeling_qwen3_vl.py` of Transformers has
/// it): a vision tower makes tokens of it, which a Qwen3 takes in the place of embeddings, and adds those of the deep layers of the tower
/// behind its own first layers (DeepStack, arXiv 2406.04334). Every position sees those before it. Tokens of the image stand at one time,
/// each at its row and its column, by which its queries and keys are turned, and what follows stands behind the larger side of the image.
/// Then the most likely token is written, again and again. A token a step, the first of which takes image and prompt.
///
/// Inputs: of the text those of [`Sizes::inputs`], with a `prompt` `[prompt]` of `i32`, of which the first `before` tokens come before the
/// image; of the tower those of [`ImageEncoder`], each named `image_…`, with one image in `image_patches`. The output `tokens`
/// `[tokens, 1]` holds ids.
pub struct MultimodalImage;

benchbook_core::parameters! {
    /// Parameters of [`MultimodalImage`].
    pub struct MultimodalImageParams {
        /// blocks of the text
        layers: usize = 2, 1..=128;
        /// query heads
        heads: usize = 4, 1..=1 << 12;
        /// key and value heads
        kv_heads: usize = 2, 1..=1 << 12;
        /// width of a head
        head_dim: usize = 16, 1..=1 << 12;
        /// numbers of a position
        width: usize = 64, 1..=1 << 15;
        /// numbers between the products of the feed-forward network
        hidden: usize = 176, 1..=1 << 17;
        /// tokens that there are
        vocabulary: usize = 512, 2..=1 << 18;
        /// base of the angles by which queries and keys are turned
        rotary_base: usize = 5_000_000, 1..=1 << 30;
        /// blocks of the tower
        image_layers: usize = 2, 1..=128;
        /// heads of the tower, of a multiple of four numbers each
        image_heads: usize = 4, 1..=1 << 12;
        /// numbers of a patch in the tower
        image_width: usize = 64, 1..=1 << 15;
        /// numbers between the products of the tower's feed-forward network
        image_hidden: usize = 128, 1..=1 << 17;
        /// pixels of a side of a patch
        patch: usize = 4, 1..=1 << 8;
        /// places of a side of the square that something is learned for
        side: usize = 6, 1..=1 << 10;
        /// deep layers of the tower, whose patches reach as many first layers of the text
        deep: usize = 1, 0..=16;
        /// rows of patches, an even number
        rows: usize = 8, 2..=1 << 12;
        /// columns of patches, an even number
        columns: usize = 8, 2..=1 << 12;
        /// tokens of text that are given
        prompt: usize = 16, 1..=1 << 17;
        /// of these, tokens before the image
        before: usize = 4, 0..=1 << 17;
        /// tokens that are made
        tokens: usize = 16, 1..=1 << 14;
    }
}

/// What stands before the names of the inputs of the tower.
const OF_IMAGE: &str = "image_";

impl MultimodalImageParams {
    /// The sizes of what writes.
    pub fn sizes(&self) -> Sizes {
        let Self { layers, heads, kv_heads, head_dim, width, hidden, vocabulary, rotary_base, .. } = *self;
        Sizes {
            architecture: Architecture::Qwen3,
            layers,
            heads,
            kv_heads,
            head_dim,
            width,
            hidden,
            vocabulary,
            rotary_base,
            experts: None,
            latent: None,
        }
    }

    /// What of it looks.
    pub fn looking(&self) -> ImageEncoderParams {
        let Self { image_layers, image_heads, image_width, image_hidden, patch, side, deep, rows, columns, .. } = *self;
        ImageEncoderParams {
            layers: image_layers,
            heads: image_heads,
            width: image_width,
            hidden: image_hidden,
            patch,
            side,
            out: self.width,
            deep,
            batch: 1,
            rows,
            columns,
        }
    }

    /// Rows and columns of the image's tokens.
    pub fn grid(&self) -> [usize; 2] {
        [self.rows / MERGED, self.columns / MERGED]
    }

    /// Pairs of a head that are turned by time, row and column: in Qwen3-VL 24, 20 and 20 of 64.
    pub fn sections(&self) -> [usize; 3] {
        let pairs = self.head_dim / 2;
        let side = pairs * 20 / 64;
        [pairs - 2 * side, side, side]
    }

    /// All positions: text, image, and what is made.
    pub fn positions(&self) -> usize {
        let [rows, columns] = self.grid();
        self.prompt + rows * columns + self.tokens
    }
}

impl MultimodalImage {
    /// The loop of a case, which makes a token a step.
    pub fn steps(params: &MultimodalImageParams) -> StepsOf {
        StepsOf { most: params.tokens, tokens: Some(params.tokens as i64), values: Vec::new() }
    }

    /// The inputs of the tower, as [`ImageEncoder`] names them.
    pub fn of_image(inputs: &Inputs) -> Inputs {
        let mut own = Inputs::default();
        for (name, array) in inputs.iter() {
            if let Some(name) = name.strip_prefix(OF_IMAGE) {
                own.insert(name, array.clone());
            }
        }
        own
    }

    fn decoded(params: &MultimodalImageParams, inputs: &Inputs, taken: Option<&[f64]>) -> Reference {
        let prompt = inputs.get("prompt").of::<i32>();
        decoded(Looking::new(params, inputs), &prompt[params.before..], params.tokens, taken)
    }
}

impl Problem for MultimodalImage {
    const NAME: &'static str = "multimodal-image";
    const ABOUT: &'static str = "text about an image, by a seeded Qwen3-VL, a token a step";
    type Params = MultimodalImageParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 19]| {
            let set = |params: Params, (name, size): (&str, i64)| params.with(name, Value::Int(size));
            NAMES.into_iter().zip(sizes).fold(Params::default(), set)
        };
        vec![
            Preset {
                name: "quick",
                cases: vec![of([2, 4, 2, 16, 64, 176, 512, 2, 4, 64, 128, 4, 6, 1, 8, 8, 16, 4, 16])],
            },
            Preset {
                name: "default",
                cases: vec![of([4, 8, 4, 32, 256, 704, 1024, 4, 8, 128, 512, 8, 12, 3, 16, 16, 64, 8, 64])],
            },
        ]
    }

    fn ugly() -> Vec<MultimodalImageParams> {
        let of = |(text, image, [prompt, before, tokens]): ([usize; 8], [usize; 9], [usize; 3])| {
            let [layers, heads, kv_heads, head_dim, width, hidden, vocabulary, rotary_base] = text;
            let [image_layers, image_heads, image_width, image_hidden, patch, side, deep, rows, columns] = image;
            MultimodalImageParams {
                layers,
                heads,
                kv_heads,
                head_dim,
                width,
                hidden,
                vocabulary,
                rotary_base,
                image_layers,
                image_heads,
                image_width,
                image_hidden,
                patch,
                side,
                deep,
                rows,
                columns,
                prompt,
                before,
                tokens,
            }
        };
        let cases = [
            ([1, 1, 1, 2, 1, 1, 2, ROTARY_BASE], [1, 1, 4, 1, 1, 1, 0, 2, 2], [1, 0, 1]),
            // Angles that are all large, so that each axis shows.
            ([3, 4, 2, 12, 17, 33, 129, 3], [3, 3, 24, 37, 3, 5, 2, 4, 6], [9, 4, 9]),
            ([2, 2, 1, 34, 18, 67, 300, 3], [2, 1, 36, 7, 2, 9, 1, 8, 4], [21, 20, 7]),
        ];
        cases.into_iter().map(of).collect()
    }

    fn check(params: &MultimodalImageParams) -> Result<(), (&'static str, String)> {
        let MultimodalImageParams { layers, deep, prompt, before, .. } = *params;
        if before >= prompt {
            let words = format!("{before} tokens before the image leave none of {prompt} behind it: give fewer");
            return Err(("before", words));
        }
        if deep > layers {
            let words = format!("{deep} deep layers of the tower reach as many of the text's {layers}: give fewer");
            return Err(("deep", words));
        }
        ImageEncoder::check(&params.looking()).map_err(|(name, reason)| (own_name(name), reason))?;
        params.sizes().check(params.positions())
    }

    fn label(params: &MultimodalImageParams) -> String {
        let MultimodalImageParams { prompt, before, tokens, .. } = *params;
        let (image, text) = (ImageEncoder::label(&params.looking()), params.sizes().label());
        format!("image {image} {text} {before}+{}+{tokens}", prompt - before)
    }

    fn task(params: &MultimodalImageParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &MultimodalImageParams, seed: u64) -> Inputs {
        let mut inputs = params.sizes().inputs(params.prompt, seed);
        // By a seed of its own: streams of both have the same names.
        for (name, array) in ImageEncoder::inputs(&params.looking(), !seed).iter() {
            inputs.insert(&format!("{OF_IMAGE}{name}"), array.clone());
        }
        inputs
    }

    fn tokens(params: &MultimodalImageParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &MultimodalImageParams, inputs: &Inputs, _seed: u64) -> Reference {
        Self::decoded(params, inputs, None)
    }

    fn follow(params: &MultimodalImageParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        followed(params.tokens, outputs, |taken| Self::decoded(params, inputs, taken))
    }

    /// The last token is made and not taken. Bytes of the weights, once, of the patches, and of the embeddings that are read.
    fn work(params: &MultimodalImageParams, dtype: DType) -> Work {
        let MultimodalImageParams { prompt, tokens, .. } = *params;
        let looks = ImageEncoder::work(&params.looking(), dtype);
        let of = |positions: usize| params.sizes().work(positions, tokens, dtype);
        // Tokens of the image are no rows of the embedding.
        let (all, text) = (of(params.positions() - 1), of(prompt + tokens - 1));
        Work { flops: looks.flops + all.flops, bytes: looks.bytes + text.bytes }
    }

    fn tolerance(_params: &MultimodalImageParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

/// Parameters that presets state.
const NAMES: [&str; 19] = [
    "layers",
    "heads",
    "kv_heads",
    "head_dim",
    "width",
    "hidden",
    "vocabulary",
    "image_layers",
    "image_heads",
    "image_width",
    "image_hidden",
    "patch",
    "side",
    "deep",
    "rows",
    "columns",
    "prompt",
    "before",
    "tokens",
];

/// A parameter of the tower, as it is called here.
fn own_name(name: &'static str) -> &'static str {
    match name {
        "layers" => "image_layers",
        "heads" => "image_heads",
        "width" => "image_width",
        "hidden" => "image_hidden",
        "out" => "width",
        other => other,
    }
}

/// The whole model in `f64`, a position at a time.
struct Looking<'a> {
    model: Model<'a>,
    sections: [usize; 3],
    /// By what the next token of text is turned.
    next: usize,
}

impl<'a> Looking<'a> {
    /// One that has taken what comes before the image, and the image.
    fn new(params: &MultimodalImageParams, inputs: &'a Inputs) -> Self {
        let mut looking = Self { model: Model::new(params.sizes(), inputs), sections: params.sections(), next: 0 };
        for id in &inputs.get("prompt").of::<i32>()[..params.before] {
            looking.advance(*id as usize);
        }
        let lists = looked(&params.looking(), &MultimodalImage::of_image(inputs), 0);
        let [rows, columns] = params.grid();
        for token in 0..rows * columns {
            let parts: Vec<&[f64]> = lists.iter().map(|list| &list[token * params.width..][..params.width]).collect();
            let place = [0, token / columns, token % columns].map(|at| looking.next + at);
            let axes = Axes::at(place, looking.sections);
            looking.model.pass(parts[0].to_vec(), Some(axes), &parts[1..]);
        }
        looking.next += rows.max(columns);
        looking
    }
}

impl Advance for Looking<'_> {
    fn advance(&mut self, token: usize) -> Vec<f64> {
        let axes = Axes::at([self.next; 3], self.sections);
        self.next += 1;
        self.model.pass(self.model.embedded(token), Some(axes), &[])
    }

    fn logits(&self, hidden: &[f64]) -> Vec<f64> {
        self.model.logits(hidden)
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Check;

    use super::*;

    /// Tokens that are right, and by how much each is better than the next best.
    fn told(params: &MultimodalImageParams, inputs: &Inputs) -> (Vec<f64>, Vec<f64>) {
        let answer = MultimodalImage::reference(params, inputs, 5).answers.remove(0);
        let Check::Greedy { gaps, .. } = answer.check else { panic!("{:?}", answer.check) };
        (answer.values, gaps)
    }

    #[test]
    fn text_depends_on_all_of_the_image_and_on_the_prompt() {
        let params = MultimodalImageParams::default();
        let inputs = MultimodalImage::inputs(&params, 5);
        let (one, gaps) = told(&params, &inputs);
        let mut distinct = one.clone();
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup();
        assert!(distinct.len() > 1, "no token is followed by itself for ever: {one:?}");
        // What deep layers of the tower make reaches the text too.
        for name in ["image_patches", "image_merge_down", "image_deep_down", "w_key"] {
            let mut other = inputs.clone();
            other.insert(name, Array::normal(inputs.get(name).shape().to_vec(), 6, 1));
            assert_ne!(told(&params, &other).1, gaps, "{name}");
        }
        let mut other = inputs.clone();
        other.insert("prompt", params.sizes().prompt(params.prompt, 6));
        assert_ne!(told(&params, &other).1, gaps);
    }

    #[test]
    fn text_depends_on_where_the_image_stands_and_on_its_grid() {
        let params = MultimodalImageParams::default();
        let inputs = MultimodalImage::inputs(&params, 5);
        let [gaps, later, wider] = [
            params.clone(),
            MultimodalImageParams { before: 5, ..params.clone() },
            MultimodalImageParams { rows: 4, columns: 16, ..params },
        ]
        .map(|params| told(&params, &inputs).1);
        assert!(gaps != later && gaps != wider);
    }

    #[test]
    fn work_is_that_of_the_tower_and_of_all_positions() {
        let params = MultimodalImageParams::default();
        let (looking, sizes) = (params.looking(), params.sizes());
        let work = MultimodalImage::work(&params, DType::F32);
        let looks = ImageEncoder::work(&looking, DType::F32);
        // 16 tokens are given and 16 made, of which the last is not taken, beside 4 × 4 of the image.
        assert_eq!(work.flops, looks.flops + sizes.work(47, 16, DType::F32).flops);
        assert_eq!(work.bytes, looks.bytes + sizes.work(31, 16, DType::F32).bytes);
    }
}
