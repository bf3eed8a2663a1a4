//! Greedy decoding after a beginning that many prompts share.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Work};

use super::choice::{decoded, followed};
use super::gpt2::Model;
use super::greedy::{GreedyDecoding, GreedyDecodingParams, check_heads, ids};

/// Greedy decoding by the model of [`GreedyDecoding`], whose text begins with the same tokens in every loop: a system prompt.
/// The prompt after them is another in each.
///
/// Inputs: those of [`GreedyDecoding`], with positions for the beginning too, and `prefix` `[prefix]` of `i32`.
pub struct PrefixDecoding;

benchbook_core::parameters! {
    /// Parameters of [`PrefixDecoding`].
    pub struct PrefixDecodingParams {
        /// blocks of the model
        layers: usize = 2, 1..=48;
        /// heads of attention; they divide the width
        heads: usize = 4, 1..=1 << 20;
        /// numbers of a position
        width: usize = 64, 1..=1 << 13;
        /// tokens that there are
        vocabulary: usize = 512, 2..=1 << 16;
        /// tokens with which every text begins
        prefix: usize = 64, 1..=1 << 14;
        /// tokens that are given after them
        prompt: usize = 8, 1..=1 << 14;
        /// tokens that are made
        tokens: usize = 8, 1..=1 << 14;
    }
}

/// Where tokens of the beginning are drawn from, beside those of the prompt.
const OF_PREFIX: u64 = 0x7072_6566;

impl PrefixDecodingParams {
    /// The sizes of the model, with the beginning as a part of its prompt.
    pub fn model(&self) -> GreedyDecodingParams {
        let Self { layers, heads, width, vocabulary, prefix, prompt, tokens } = *self;
        GreedyDecodingParams { layers, heads, width, vocabulary, prompt: prefix + prompt, tokens, twins: false }
    }
}

impl PrefixDecoding {
    /// The loop of a case, which makes a token a step.
    pub fn steps(params: &PrefixDecodingParams) -> StepsOf {
        GreedyDecoding::steps(&params.model())
    }

    fn decoded(params: &PrefixDecodingParams, inputs: &Inputs, taken: Option<&[f64]>) -> Reference {
        let sizes = params.model();
        let text = [inputs.get("prefix").of::<i32>(), inputs.get("prompt").of::<i32>()].concat();
        decoded(Model::new(&sizes, inputs), &text, params.tokens, taken)
    }
}

impl Problem for PrefixDecoding {
    const NAME: &'static str = "prefix-decoding";
    const ABOUT: &'static str = "greedy decoding after tokens with which every prompt begins";
    type Params = PrefixDecodingParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 6]| {
            let names = ["heads", "width", "vocabulary", "prefix", "prompt", "tokens"];
            names.into_iter().zip(sizes).fold(Params::default(), |params, (name, size)| params.with(name, size.into()))
        };
        vec![
            Preset { name: "quick", cases: vec![of([4, 64, 512, 152, 8, 8])] },
            Preset {
                name: "default",
                cases: vec![of([8, 256, 1024, 1945, 103, 16]), of([8, 256, 1024, 256, 256, 16])],
            },
        ]
    }

    fn ugly() -> Vec<PrefixDecodingParams> {
        let usual = PrefixDecodingParams { vocabulary: 130, ..PrefixDecodingParams::default() };
        let sizes = [[1, 1, 1], [1, 9, 3], [37, 1, 5]];
        sizes.map(|[prefix, prompt, tokens]| PrefixDecodingParams { prefix, prompt, tokens, ..usual.clone() }).into()
    }

    fn check(params: &PrefixDecodingParams) -> Result<(), (&'static str, String)> {
        check_heads(params.heads, params.width)
    }

    fn label(params: &PrefixDecodingParams) -> String {
        let PrefixDecodingParams { layers, heads, width, vocabulary, prefix, prompt, tokens } = *params;
        format!("l{layers} h{heads} w{width} v{vocabulary} {prefix}+{prompt}+{tokens}")
    }

    fn task(params: &PrefixDecodingParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &PrefixDecodingParams, seed: u64) -> Inputs {
        let PrefixDecodingParams { vocabulary, prefix, prompt, .. } = *params;
        let mut inputs = GreedyDecoding::inputs(&params.model(), seed);
        inputs.insert("prefix", Array::new(vec![prefix], &ids(prefix, vocabulary, seed ^ OF_PREFIX)));
        inputs.insert("prompt", Array::new(vec![prompt], &ids(prompt, vocabulary, seed)));
        inputs
    }

    fn tokens(params: &PrefixDecodingParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &PrefixDecodingParams, inputs: &Inputs, _seed: u64) -> Reference {
        Self::decoded(params, inputs, None)
    }

    fn follow(params: &PrefixDecodingParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        followed(params.tokens, outputs, |taken| Self::decoded(params, inputs, taken))
    }

    /// Without what is known of the beginning.
    fn work(params: &PrefixDecodingParams, dtype: DType) -> Work {
        GreedyDecoding::work(&params.model(), dtype)
    }

    fn tolerance(_params: &PrefixDecodingParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}
