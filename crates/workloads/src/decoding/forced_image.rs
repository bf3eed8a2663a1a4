//! A text about an image that a model takes a token at a time, whatever it would have made itself: logits behind each of them.

use benchbook_core::{DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Value, Work};

use super::given::{check_name, given};
use super::looking::Looking;
use super::multimodal_image::{MultimodalImage, MultimodalImageParams};
use super::stack::Sizes;
use super::towers::Tower;
use crate::encoding::{ImageEncoder, ImageEncoderParams, looked};

/// Teacher forcing about an image: the first step takes the image and `prompt` tokens of a text, `before` of them before the image, and
/// each further step the next token, so that a vision tower before and after a change is compared logit by logit. A seeded Qwen3-VL looks,
/// as in [`MultimodalImage`].
///
/// Inputs are those of [`MultimodalImage`], where `prompt` `[prompt + tokens − 1]` is the whole text; the output `[tokens, vocabulary]`
/// holds the logits behind the prompt and behind each token after it. Weights are seeded: they say nothing of quality.
pub struct ForcedImage;

benchbook_core::parameters! {
    /// Parameters of [`ForcedImage`].
    pub struct ForcedImageParams {
        /// what people call the model
        model: String = "tiny".to_owned();
        /// where its numbers come from
        weights: String = "seeded".to_owned(), ["seeded"];
        /// blocks of the text that it has here
        layers: usize = 2, 1..=128;
        /// blocks of the text of the whole model, of which these are the first
        of_layers: usize = 2, 1..=1 << 10;
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
        /// tokens that there are here
        vocabulary: usize = 512, 2..=1 << 18;
        /// base of the angles by which queries and keys are turned
        rotary_base: usize = 5_000_000, 1..=1 << 30;
        /// blocks of the tower that it has here
        image_layers: usize = 2, 1..=128;
        /// blocks of the tower of the whole model
        of_image_layers: usize = 2, 1..=1 << 10;
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
        /// tokens of the text that come together, with the image among them
        prompt: usize = 16, 1..=1 << 17;
        /// of these, tokens before the image
        before: usize = 4, 0..=1 << 17;
        /// tokens that are followed by logits
        tokens: usize = 16, 1..=1 << 14;
    }
}

impl ForcedImageParams {
    /// Who looks and reads, with the whole text as a prompt.
    pub fn looks(&self) -> MultimodalImageParams {
        let Self { layers, heads, kv_heads, head_dim, width, hidden, vocabulary, rotary_base, .. } = *self;
        let Self { image_layers, image_heads, image_width, image_hidden, patch, side, deep, rows, columns, .. } = *self;
        MultimodalImageParams {
            tower: Tower::QWEN3_VL.to_owned(),
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
            prompt: self.text(),
            before: self.before,
            tokens: 1,
        }
    }

    /// The sizes of what reads.
    pub fn sizes(&self) -> Sizes {
        self.looks().sizes()
    }

    /// What of it looks.
    pub fn tower(&self) -> ImageEncoderParams {
        self.looks().qwen3_vl()
    }

    /// Tokens of the text.
    pub fn text(&self) -> usize {
        self.prompt + self.tokens - 1
    }
}

impl ForcedImage {
    /// The loop of a case, a step for each row of logits.
    pub fn steps(params: &ForcedImageParams) -> StepsOf {
        StepsOf { most: params.tokens, tokens: Some(params.tokens as i64), values: Vec::new() }
    }

    /// The logits where of the image some groups of four patches alone are seen, those that become these tokens of its grid, row by row and
    /// ascending; of the whole image where none are named.
    pub fn of(params: &ForcedImageParams, inputs: &Inputs, groups: Option<&[usize]>, seed: u64) -> Reference {
        let lists = looked(&params.tower(), &MultimodalImage::of_image(inputs), 0, groups);
        let looking = Looking::new(&params.looks(), inputs, &lists, groups);
        let text = &inputs.get("prompt").of::<i32>()[params.before..];
        given(looking, (text, params.prompt - params.before), [params.tokens, params.vocabulary], seed)
    }
}

impl Problem for ForcedImage {
    const NAME: &'static str = "forced-decoding-image";
    const ABOUT: &'static str =
        "a given text about an image, token by token, by a seeded Qwen3-VL: towers before and after a technique";
    type Params = ForcedImageParams;

    fn presets() -> Vec<Preset> {
        let of = |model: &str, sizes: [i64; 21]| {
            let set = |params: Params, (name, size): (&str, i64)| params.with(name, Value::Int(size));
            NAMES.into_iter().zip(sizes).fold(Params::default().with("model", model.into()), set)
        };
        let quick = [2, 2, 4, 2, 16, 64, 176, 512, 2, 2, 4, 64, 128, 4, 6, 1, 8, 8, 16, 4, 16];
        let default = [4, 4, 8, 4, 32, 256, 704, 1024, 4, 4, 8, 128, 512, 8, 12, 3, 16, 16, 64, 8, 32];
        vec![
            Preset { name: "quick", cases: vec![of("tiny", quick)] },
            Preset { name: "default", cases: vec![of("small", default)] },
        ]
    }

    fn ugly() -> Vec<ForcedImageParams> {
        let of = |(text, image, [prompt, before, tokens]): ([usize; 8], [usize; 9], [usize; 3])| {
            let [layers, heads, kv_heads, head_dim, width, hidden, vocabulary, rotary_base] = text;
            let [image_layers, image_heads, image_width, image_hidden, patch, side, deep, rows, columns] = image;
            ForcedImageParams {
                model: "ugly".to_owned(),
                weights: "seeded".to_owned(),
                layers,
                of_layers: layers,
                heads,
                kv_heads,
                head_dim,
                width,
                hidden,
                vocabulary,
                rotary_base,
                image_layers,
                of_image_layers: image_layers,
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
            // One token of an image, of which none can be left out.
            ([1, 1, 1, 2, 1, 1, 2, 10_000], [1, 1, 4, 1, 1, 1, 0, 2, 2], [1, 0, 1]),
            // An odd number of them, a text that goes on behind fewer than the grid has rows, and angles that are all large.
            ([3, 4, 2, 12, 17, 33, 129, 3], [3, 3, 24, 37, 3, 5, 2, 10, 2], [9, 4, 9]),
            ([2, 2, 1, 34, 18, 67, 300, 3], [2, 1, 36, 7, 2, 9, 1, 6, 6], [21, 20, 12]),
        ];
        cases.into_iter().map(of).collect()
    }

    fn check(params: &ForcedImageParams) -> Result<(), (&'static str, String)> {
        check_name(&params.model)?;
        if params.before >= params.prompt {
            let ForcedImageParams { before, prompt, .. } = params;
            let words = format!("{before} tokens before the image leave none of {prompt} behind it: give fewer");
            return Err(("before", words));
        }
        for (name, part, whole) in
            [("layers", params.layers, params.of_layers), ("image_layers", params.image_layers, params.of_image_layers)]
        {
            if part > whole {
                return Err((name, format!("{part} layers are no part of {whole}")));
            }
        }
        MultimodalImage::check(&params.looks())
    }

    fn label(params: &ForcedImageParams) -> String {
        let ForcedImageParams { model, weights, of_layers, of_image_layers, prompt, before, tokens, .. } = params;
        let (image, text) = (ImageEncoder::label(&params.tower()), params.sizes().label());
        let behind = prompt - before;
        format!("{model} {weights} {before}+{behind}+{tokens} of l{of_layers}+l{of_image_layers} image {image} {text}")
    }

    fn task(params: &ForcedImageParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &ForcedImageParams, seed: u64) -> Inputs {
        MultimodalImage::inputs(&params.looks(), seed)
    }

    fn tokens(params: &ForcedImageParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &ForcedImageParams, inputs: &Inputs, seed: u64) -> Reference {
        Self::of(params, inputs, None, seed)
    }

    /// Bytes of the weights, once, of the patches, and of the embeddings that are read: tokens of the image are no rows of these.
    fn work(params: &ForcedImageParams, dtype: DType) -> Work {
        let looks = ImageEncoder::work(&params.tower(), dtype);
        let of = |positions: usize| params.sizes().work(positions, params.tokens, dtype);
        let [rows, columns] = params.looks().grid();
        let (all, text) = (of(params.text() + rows * columns), of(params.text()));
        Work { flops: looks.flops + all.flops, bytes: looks.bytes + text.bytes }
    }

    fn tolerance(_params: &ForcedImageParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

/// Parameters that presets state.
const NAMES: [&str; 21] = [
    "layers",
    "of_layers",
    "heads",
    "kv_heads",
    "head_dim",
    "width",
    "hidden",
    "vocabulary",
    "image_layers",
    "of_image_layers",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(inputs: &Inputs, groups: Option<&[usize]>) -> Vec<f64> {
        ForcedImage::of(&ForcedImageParams::default(), inputs, groups, 3).answers.remove(0).values
    }

    #[test]
    fn all_groups_are_the_image_and_of_others_nothing_is_seen() {
        let params = ForcedImageParams::default();
        let inputs = ForcedImage::inputs(&params, 3);
        let all: Vec<usize> = (0..16).collect();
        let (whole, some) = (logits(&inputs, None), logits(&inputs, Some(&[1, 6, 7])));
        assert_eq!(logits(&inputs, Some(&all)), whole);
        assert_ne!(some, whole);
        assert_ne!(logits(&inputs, Some(&[1, 6, 8])), some);
        // The first four patches are those of the first group.
        let (mut patches, mut other) = (inputs.get("image_patches").clone(), inputs.clone());
        patches.write(0, &vec![1.0; 4 * params.tower().inner()]);
        other.insert("image_patches", patches);
        assert_eq!(logits(&other, Some(&[1, 6, 7])), some);
        assert_ne!(logits(&other, None), whole);
    }

    #[test]
    fn a_text_that_is_given_is_what_would_be_made_of_it() {
        // The first row is what a model that writes by itself has behind the same prompt: its best token comes first.
        let params = ForcedImageParams { tokens: 1, ..ForcedImageParams::default() };
        let inputs = ForcedImage::inputs(&params, 5);
        let row = ForcedImage::reference(&params, &inputs, 5).answers.remove(0).values;
        let best = (1..row.len()).fold(0, |best, token| if row[token] > row[best] { token } else { best });
        let made = MultimodalImage::reference(&params.looks(), &inputs, 5).answers.remove(0).values;
        assert_eq!(made, [best as f64]);
    }

    #[test]
    fn work_is_that_of_the_tower_and_of_all_positions() {
        let params = ForcedImageParams::default();
        let (looks, sizes) = (ImageEncoder::work(&params.tower(), DType::F32), params.sizes());
        let work = ForcedImage::work(&params, DType::F32);
        // 16 tokens come together and 15 alone, beside 4 × 4 of the image.
        assert_eq!(work.flops, looks.flops + sizes.work(47, 16, DType::F32).flops);
        assert_eq!(work.bytes, looks.bytes + sizes.work(31, 16, DType::F32).bytes);
    }
}
