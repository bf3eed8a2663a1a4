//! Text about an image, by a Qwen3-VL or a LLaVA whose weights are drawn from a seed.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Value, Work};

use super::choice::{decoded, followed};
use super::looking::Looking;
use super::stack::{ROTARY_BASE, Sizes};
use super::towers::Tower;
use crate::blocks::Architecture;
use crate::encoding::{Clip, ImageEncoderParams, MERGED};

/// An image among the tokens of a prompt becomes text (Qwen3-VL, arXiv 2511.21631, section 2; as `modeling_qwen3_vl.py` of Transformers has
/// it): a vision tower makes tokens of it, which a Qwen3 takes in the place of embeddings, and adds those of the deep layers of the tower
/// behind its own first layers (DeepStack, arXiv 2406.04334). Every position sees those before it. Tokens of the image stand at one time,
/// each at its row and its column, by which its queries and keys are turned, and what follows stands behind the larger side of the image.
///
/// By the tower of CLIP it is a LLaVA-1.5 (arXiv 2310.03744; as `modeling_llava.py` has it): each patch of a square image becomes a token
/// of a LLaMA ([`Clip`]), and these stand one behind the other, as tokens of text do.
///
/// Then the most likely token is written, again and again. A token a step, the first of which takes image and prompt.
///
/// Inputs: of the text those of [`Sizes::inputs`], with a `prompt` `[prompt]` of `i32`, of which the first `before` tokens come before the
/// image; of the tower those of [`ImageEncoder`](crate::encoding::ImageEncoder) or of [`Clip`], each named `image_…`, with one image in
/// `image_patches`. The output `tokens` `[tokens, 1]` holds ids.
pub struct MultimodalImage;

benchbook_core::parameters! {
    /// Parameters of [`MultimodalImage`].
    pub struct MultimodalImageParams {
        /// whose tower looks: that of Qwen3-VL, before a Qwen3, or that of CLIP, before a LLaMA, as in LLaVA
        tower: String = Tower::QWEN3_VL.to_owned(), Tower::NAMES;
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
        /// blocks of the tower; of CLIP, those before the features that the text is told of
        image_layers: usize = 2, 1..=128;
        /// heads of the tower; in Qwen3-VL of a multiple of four numbers each
        image_heads: usize = 4, 1..=1 << 12;
        /// numbers of a patch in the tower
        image_width: usize = 64, 1..=1 << 15;
        /// numbers between the products of the tower's feed-forward network
        image_hidden: usize = 128, 1..=1 << 17;
        /// pixels of a side of a patch
        patch: usize = 4, 1..=1 << 8;
        /// places of a side of the square that something is learned for; in CLIP, the sides of the image
        side: usize = 6, 1..=1 << 10;
        /// deep layers of the tower, whose patches reach as many first layers of the text; CLIP has none
        deep: usize = 1, 0..=16;
        /// rows of patches; in Qwen3-VL an even number
        rows: usize = 8, 2..=1 << 12;
        /// columns of patches; in Qwen3-VL an even number
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
    fn is_llava(&self) -> bool {
        self.tower == Tower::CLIP
    }

    /// The sizes of what writes.
    pub fn sizes(&self) -> Sizes {
        let Self { layers, heads, kv_heads, head_dim, width, hidden, vocabulary, rotary_base, .. } = *self;
        Sizes {
            architecture: if self.is_llava() { Architecture::Llama } else { Architecture::Qwen3 },
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
    pub fn looking(&self) -> Tower {
        if !self.is_llava() {
            return Tower::Qwen3Vl(self.qwen3_vl());
        }
        let Self { image_layers, image_heads, image_width, image_hidden, patch, side, .. } = *self;
        let (layers, heads, width, hidden, out) = (image_layers, image_heads, image_width, image_hidden, self.width);
        Tower::Clip(Clip { layers, heads, width, hidden, patch, side, out })
    }

    /// A tower of Qwen3-VL of these sizes.
    pub(super) fn qwen3_vl(&self) -> ImageEncoderParams {
        let Self { image_layers, image_heads, image_width, image_hidden, patch, side, deep, rows, columns, .. } = *self;
        let (layers, heads, width, hidden, out) = (image_layers, image_heads, image_width, image_hidden, self.width);
        ImageEncoderParams { layers, heads, width, hidden, patch, side, out, deep, batch: 1, rows, columns }
    }

    /// Rows and columns of the image's tokens.
    pub fn grid(&self) -> [usize; 2] {
        let merged = if self.is_llava() { 1 } else { MERGED };
        [self.rows / merged, self.columns / merged]
    }

    /// Pairs of a head that are turned by time, row and column: in Qwen3-VL 24, 20 and 20 of 64; in a LLaVA, positions have no such three.
    pub fn sections(&self) -> Option<[usize; 3]> {
        let pairs = self.head_dim / 2;
        let side = pairs * 20 / 64;
        (!self.is_llava()).then_some([pairs - 2 * side, side, side])
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

    /// The inputs of the tower, as it names them by itself.
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
        let lists = params.looking().looked(&Self::of_image(inputs));
        decoded(Looking::new(params, inputs, &lists, None), &prompt[params.before..], params.tokens, taken)
    }
}

impl Problem for MultimodalImage {
    const NAME: &'static str = "multimodal-image";
    const ABOUT: &'static str = "text about an image, by a seeded Qwen3-VL or LLaVA, a token a step";
    type Params = MultimodalImageParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 19]| {
            let set = |params: Params, (name, size): (&str, i64)| params.with(name, Value::Int(size));
            NAMES.into_iter().zip(sizes).fold(Params::default(), set)
        };
        let llava = |sizes: [i64; 19]| {
            let base = Value::Int(ROTARY_BASE as i64);
            of(sizes).with("tower", Value::Text(Tower::CLIP.to_owned())).with("rotary_base", base)
        };
        vec![
            Preset {
                name: "quick",
                cases: vec![
                    of([2, 4, 2, 16, 64, 176, 512, 2, 4, 64, 128, 4, 6, 1, 8, 8, 16, 4, 16]),
                    llava([2, 4, 4, 16, 64, 176, 512, 2, 4, 64, 128, 4, 6, 0, 6, 6, 16, 4, 16]),
                ],
            },
            Preset {
                name: "default",
                cases: vec![
                    of([4, 8, 4, 32, 256, 704, 1024, 4, 8, 128, 512, 8, 12, 3, 16, 16, 64, 8, 64]),
                    llava([4, 8, 8, 32, 256, 704, 1024, 4, 8, 128, 512, 8, 12, 0, 12, 12, 64, 8, 64]),
                ],
            },
        ]
    }

    fn ugly() -> Vec<MultimodalImageParams> {
        let of = |(tower, text, image, [prompt, before, tokens]): (&str, [usize; 8], [usize; 9], [usize; 3])| {
            let [layers, heads, kv_heads, head_dim, width, hidden, vocabulary, rotary_base] = text;
            let [image_layers, image_heads, image_width, image_hidden, patch, side, deep, rows, columns] = image;
            MultimodalImageParams {
                tower: tower.to_owned(),
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
            (Tower::QWEN3_VL, [1, 1, 1, 2, 1, 1, 2, ROTARY_BASE], [1, 1, 4, 1, 1, 1, 0, 2, 2], [1, 0, 1]),
            // Angles that are all large, so that each axis shows.
            (Tower::QWEN3_VL, [3, 4, 2, 12, 17, 33, 129, 3], [3, 3, 24, 37, 3, 5, 2, 4, 6], [9, 4, 9]),
            (Tower::QWEN3_VL, [2, 2, 1, 34, 18, 67, 300, 3], [2, 1, 36, 7, 2, 9, 1, 8, 4], [21, 20, 7]),
            (Tower::CLIP, [1, 1, 1, 2, 1, 1, 2, ROTARY_BASE], [1, 3, 3, 1, 1, 2, 0, 2, 2], [1, 0, 1]),
            (Tower::CLIP, [3, 4, 2, 12, 17, 33, 129, 3], [3, 3, 18, 37, 3, 5, 0, 5, 5], [9, 4, 9]),
        ];
        cases.into_iter().map(of).collect()
    }

    fn check(params: &MultimodalImageParams) -> Result<(), (&'static str, String)> {
        let MultimodalImageParams { layers, side, deep, rows, columns, prompt, before, .. } = *params;
        if before >= prompt {
            let words = format!("{before} tokens before the image leave none of {prompt} behind it: give fewer");
            return Err(("before", words));
        }
        if deep > layers {
            let words = format!("{deep} deep layers of the tower reach as many of the text's {layers}: give fewer");
            return Err(("deep", words));
        }
        if params.is_llava() && deep > 0 {
            return Err(("deep", format!("{deep} deep layers: the tower of CLIP has none, give 0")));
        }
        if params.is_llava() && [rows, columns] != [side; 2] {
            let words =
                format!("{rows} × {columns} patches are not the square of {side} that CLIP sees: give one side");
            return Err(("side", words));
        }
        params.looking().check().map_err(|(name, reason)| (own_name(name), reason))?;
        params.sizes().check(params.positions())
    }

    fn label(params: &MultimodalImageParams) -> String {
        let MultimodalImageParams { prompt, before, tokens, .. } = *params;
        let (image, text) = (params.looking().label(), params.sizes().label());
        format!("image {image} {text} {before}+{}+{tokens}", prompt - before)
    }

    fn task(params: &MultimodalImageParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &MultimodalImageParams, seed: u64) -> Inputs {
        let mut inputs = params.sizes().inputs(params.prompt, seed);
        // By a seed of its own: streams of both have the same names.
        for (name, array) in params.looking().inputs(!seed).iter() {
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
        let looks = params.looking().work(dtype);
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

    /// A LLaVA whose image is 6 × 6 patches.
    fn llava() -> MultimodalImageParams {
        MultimodalImageParams { tower: "clip".to_owned(), deep: 0, rows: 6, columns: 6, ..Default::default() }
    }

    #[test]
    fn text_of_a_llava_depends_on_all_of_its_tower_and_on_where_the_image_stands() {
        let params = llava();
        let inputs = MultimodalImage::inputs(&params, 5);
        let gaps = told(&params, &inputs).1;
        let names = inputs.iter().map(|(name, _)| name.to_owned()).filter(|name| name.starts_with("image_"));
        let names: Vec<String> = names.collect();
        // An image, five inputs around its patches, four of the projector, and sixteen of blocks.
        assert_eq!(names.len(), 26, "{names:?}");
        // What is added to all keys alike changes no attention.
        for name in names.iter().filter(|name| *name != "image_b_key") {
            let mut other = inputs.clone();
            other.insert(name, Array::normal(inputs.get(name).shape().to_vec(), 6, 1));
            assert_ne!(told(&params, &other).1, gaps, "{name}");
        }
        let later = MultimodalImageParams { before: 5, ..params };
        assert_ne!(told(&later, &inputs).1, gaps);
    }

    #[test]
    fn a_llava_sees_a_square_and_has_no_deep_layers() {
        assert_eq!(MultimodalImage::check(&llava()), Ok(()));
        for (params, name) in [
            (MultimodalImageParams { deep: 1, ..llava() }, "deep"),
            (MultimodalImageParams { rows: 8, ..llava() }, "side"),
            (MultimodalImageParams { side: 5, ..llava() }, "side"),
            (MultimodalImageParams { image_heads: 3, ..llava() }, "image_heads"),
        ] {
            assert_eq!(MultimodalImage::check(&params).unwrap_err().0, name);
        }
    }

    #[test]
    fn work_of_a_llava_is_as_counted_by_hand() {
        // 4 patches of 3 numbers, each 5 numbers wide, and a class token, through one block, to tokens of 7 numbers.
        let clip = Clip { layers: 1, heads: 1, width: 5, hidden: 6, patch: 1, side: 2, out: 7 };
        let work = Tower::Clip(clip).work(DType::F32);
        let of_block = 5 * (4 * 25 + 2 * 30) + 2 * 5 * 5 * 5;
        assert_eq!(work.flops, f64::from(2 * (4 * 15 + of_block + 4 * (35 + 49))));
        let weights = 15 + 5 + 25 + 10 + (100 + 20 + 60 + 11 + 20) + 35 + 7 + 49 + 7;
        assert_eq!(work.bytes, f64::from(4 * (weights + 4 * (3 + 7))));
    }

    #[test]
    fn work_is_that_of_the_tower_and_of_all_positions() {
        let params = MultimodalImageParams::default();
        let (looking, sizes) = (params.looking(), params.sizes());
        let work = MultimodalImage::work(&params, DType::F32);
        let looks = looking.work(DType::F32);
        // 16 tokens are given and 16 made, of which the last is not taken, beside 4 × 4 of the image.
        assert_eq!(work.flops, looks.flops + sizes.work(47, 16, DType::F32).flops);
        assert_eq!(work.bytes, looks.bytes + sizes.work(31, 16, DType::F32).bytes);
    }
}
