//! Greedy decoding by a model whose cache forgets, or rounds, what it has seen.

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, StepsOf, Task, Work};

use super::choice::{Choices, LEAST_GAP, followed};
use super::gpt2::{Kept, Model};
use super::greedy::{GreedyDecoding, GreedyDecodingParams, check_heads, work_of};

/// Greedy decoding by the model of [`GreedyDecoding`] with another cache, and so with other answers.
///
/// A query sees the first `sinks` positions and the newest `window_size`, its own included (attention sinks: StreamingLLM, Xiao
/// et al., arXiv 2309.17453, section 3.2). A token keeps its position in the text: learned positions are added before the first
/// block, so that what lies in a cache cannot be given another. With 8 or 4 bits, keys and values are whole numbers from −127
/// to 127 or from −7 to 7, with a scale for each head of a position.
pub struct LossyDecoding;

benchbook_core::parameters! {
    /// Parameters of [`LossyDecoding`].
    pub struct LossyDecodingParams {
        /// blocks of the model
        layers: usize = 2, 1..=48;
        /// heads of attention; they divide the width
        heads: usize = 4, 1..=1 << 20;
        /// numbers of a position
        width: usize = 64, 1..=1 << 13;
        /// tokens that there are
        vocabulary: usize = 512, 2..=1 << 16;
        /// tokens that are given
        prompt: usize = 32, 1..=1 << 14;
        /// tokens that are made
        tokens: usize = 32, 1..=1 << 14;
        /// first positions that every query sees
        sinks: usize = 4, 0..=1 << 14;
        /// newest positions that a query sees, its own included
        window_size: usize = 24, 1..=1 << 20;
        /// bits of a number in the cache: 32, 8 or 4
        bits: usize = 32, 4..=32;
    }
}

impl LossyDecodingParams {
    /// The sizes of the model.
    pub fn model(&self) -> GreedyDecodingParams {
        let Self { layers, heads, width, vocabulary, prompt, tokens, .. } = *self;
        GreedyDecodingParams { layers, heads, width, vocabulary, prompt, tokens, twins: false }
    }

    /// Positions that a query sees at most.
    pub fn seen(&self) -> usize {
        (self.sinks + self.window_size).min(self.prompt + self.tokens)
    }
}

/// What is told from rounding, as [`LEAST_GAP`] is: a number in the cache lies on either side of a boundary, and a step of 1/127
/// or 1/7 of its head is another key.
const LEAST_GAP_8: f64 = 2e-3;
const LEAST_GAP_4: f64 = 1e-2;

impl LossyDecoding {
    /// The loop of a case, which makes a token a step.
    pub fn steps(params: &LossyDecodingParams) -> StepsOf {
        GreedyDecoding::steps(&params.model())
    }

    fn decoded(params: &LossyDecodingParams, inputs: &Inputs, taken: Option<&[f64]>) -> Reference {
        let LossyDecodingParams { sinks, window_size: window, tokens, .. } = *params;
        let (levels, least) = match params.bits {
            8 => (Some(127.0), LEAST_GAP_8),
            4 => (Some(7.0), LEAST_GAP_4),
            _ => (None, LEAST_GAP),
        };
        let sizes = params.model();
        let model = Model::new(&sizes, inputs).keeping(Kept { sinks, window, levels });
        Choices::of(model, inputs.get("prompt").of::<i32>(), tokens, taken).reference(least)
    }
}

impl Problem for LossyDecoding {
    const NAME: &'static str = "lossy-decoding";
    const ABOUT: &'static str = "greedy decoding with a cache that forgets or rounds: attention sinks, int8 and int4";
    type Params = LossyDecodingParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 8]| {
            let names = ["heads", "width", "vocabulary", "prompt", "tokens", "sinks", "window_size", "bits"];
            names.into_iter().zip(sizes).fold(Params::default(), |params, (name, size)| params.with(name, size.into()))
        };
        let quick = [[4, 64, 512, 64, 32, 4, 28, 32], [4, 64, 512, 64, 32, 0, 128, 8]];
        let default = [
            [8, 256, 1024, 256, 64, 4, 124, 32],
            [8, 256, 1024, 256, 64, 0, 512, 8],
            [8, 256, 1024, 256, 64, 0, 512, 4],
            [8, 256, 1024, 256, 64, 4, 124, 4],
        ];
        vec![
            Preset { name: "quick", cases: quick.map(of).into() },
            Preset { name: "default", cases: default.map(of).into() },
        ]
    }

    fn ugly() -> Vec<LossyDecodingParams> {
        let of = |[heads, width, prompt, tokens, sinks, window_size, bits]: [usize; 7]| LossyDecodingParams {
            heads,
            width,
            vocabulary: 130,
            prompt,
            tokens,
            sinks,
            window_size,
            bits,
            ..LossyDecodingParams::default()
        };
        // It sees itself alone; sinks longer than the prompt; a window that is full at the last token; heads of an odd width.
        [
            [1, 33, 1, 9, 0, 1, 32],
            [2, 34, 3, 12, 5, 2, 32],
            [4, 64, 10, 6, 0, 15, 32],
            [3, 33, 17, 20, 1, 7, 8],
            [3, 33, 17, 20, 2, 100, 4],
        ]
        .map(of)
        .into()
    }

    fn check(params: &LossyDecodingParams) -> Result<(), (&'static str, String)> {
        check_heads(params.heads, params.width)?;
        if [4, 8, 32].contains(&params.bits) {
            return Ok(());
        }
        Err(("bits", format!("a number of the cache has 4, 8 or 32 bits, not {}", params.bits)))
    }

    fn label(params: &LossyDecodingParams) -> String {
        let LossyDecodingParams { sinks, window_size, bits, .. } = *params;
        format!("{} sinks{sinks} window{window_size} {bits}bit", GreedyDecoding::label(&params.model()))
    }

    fn task(params: &LossyDecodingParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &LossyDecodingParams, seed: u64) -> Inputs {
        GreedyDecoding::inputs(&params.model(), seed)
    }

    fn tokens(params: &LossyDecodingParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &LossyDecodingParams, inputs: &Inputs, _seed: u64) -> Reference {
        Self::decoded(params, inputs, None)
    }

    fn follow(params: &LossyDecodingParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        followed(params.tokens, outputs, |taken| Self::decoded(params, inputs, taken))
    }

    fn work(params: &LossyDecodingParams, dtype: DType) -> Work {
        let positions = params.prompt + params.tokens - 1;
        let pairs = (1..=positions).map(|position| position.min(params.seen()) as f64).sum();
        work_of(&params.model(), pairs, dtype)
    }

    fn tolerance(_params: &LossyDecodingParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(params: &LossyDecodingParams, _inputs: &Inputs) -> Vec<Metric> {
        let share = params.seen() as f64 / (params.prompt + params.tokens) as f64;
        vec![Metric::modelled("seen_share", share, "share")]
    }
}
