//! Greedy decoding with guesses that the model checks several at a time.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Work};

use super::greedy::{GreedyDecoding, GreedyDecodingParams, check_heads};

/// Greedy decoding by the model of [`GreedyDecoding`], which may check `guesses` guessed tokens in a step (Leviathan et al.,
/// arXiv 2211.17192): the tokens are those of the model alone. A draft model is the first `draft_layers` layers of it, with its
/// last norm and embedding (Zhang et al., arXiv 2309.08168): with all of its layers, a guess is always right. It may be distilled.
///
/// Values of a step: the guesses that were `drafted`, and those of them that were `accepted`.
pub struct SpeculativeDecoding;

benchbook_core::parameters! {
    /// Parameters of [`SpeculativeDecoding`].
    pub struct SpeculativeDecodingParams {
        /// blocks of the model
        layers: usize = 4, 1..=48;
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
        /// blocks of the draft model
        draft_layers: usize = 1, 1..=48;
        /// tokens guessed in a step at most
        guesses: usize = 4, 1..=64;
        /// whether every fourth token has the embedding of the one before it, so that the best logits tie
        twins: bool = false;
    }
}

impl SpeculativeDecodingParams {
    /// The sizes of the model.
    pub fn model(&self) -> GreedyDecodingParams {
        let Self { layers, heads, width, vocabulary, prompt, tokens, twins, .. } = *self;
        GreedyDecodingParams { layers, heads, width, vocabulary, prompt, tokens, twins }
    }
}

/// Refuses a draft model of more than so many layers.
pub(super) fn check_draft(draft_layers: usize, most: usize) -> Result<(), (&'static str, String)> {
    if draft_layers <= most {
        return Ok(());
    }
    Err((
        "draft_layers",
        format!("a draft of {draft_layers} layers is no smaller part of the model, give {most} at most"),
    ))
}

impl SpeculativeDecoding {
    /// The loop of a case, which makes a token or several a step.
    pub fn steps(params: &SpeculativeDecodingParams) -> StepsOf {
        let values = ["accepted", "drafted"].map(|name| (name.to_owned(), "count".to_owned()));
        StepsOf { values: values.into(), ..GreedyDecoding::steps(&params.model()) }
    }
}

impl Problem for SpeculativeDecoding {
    const NAME: &'static str = "speculative-decoding";
    const ABOUT: &'static str = "greedy decoding with guessed tokens, of which the model keeps those that are its own";
    type Params = SpeculativeDecodingParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 8]| {
            let names = ["layers", "heads", "width", "vocabulary", "prompt", "tokens", "draft_layers", "guesses"];
            names.into_iter().zip(sizes).fold(Params::default(), |params, (name, size)| params.with(name, size.into()))
        };
        vec![
            Preset { name: "quick", cases: vec![of([4, 4, 64, 512, 32, 32, 2, 4])] },
            Preset {
                name: "default",
                cases: vec![of([8, 8, 256, 1024, 64, 64, 1, 4]), of([8, 8, 256, 1024, 64, 64, 6, 4])],
            },
        ]
    }

    fn ugly() -> Vec<SpeculativeDecodingParams> {
        let usual = SpeculativeDecodingParams { layers: 2, vocabulary: 130, ..SpeculativeDecodingParams::default() };
        // One token, so that nothing is guessed; more guesses than tokens; a draft that is always right; ties.
        let sizes = [[1, 1, 1, 4], [3, 5, 1, 64], [9, 24, 2, 3], [17, 23, 1, 1]];
        let of = |[prompt, tokens, draft_layers, guesses]: [usize; 4]| {
            let usual = usual.clone();
            SpeculativeDecodingParams { prompt, tokens, draft_layers, guesses, ..usual }
        };
        let twins = SpeculativeDecodingParams { vocabulary: 64, prompt: 5, tokens: 24, twins: true, ..usual.clone() };
        sizes.into_iter().map(of).chain([twins]).collect()
    }

    fn check(params: &SpeculativeDecodingParams) -> Result<(), (&'static str, String)> {
        check_heads(params.heads, params.width)?;
        check_draft(params.draft_layers, params.layers)
    }

    fn label(params: &SpeculativeDecodingParams) -> String {
        let SpeculativeDecodingParams { draft_layers, guesses, .. } = *params;
        format!("{} draft{draft_layers} guesses{guesses}", GreedyDecoding::label(&params.model()))
    }

    fn task(params: &SpeculativeDecodingParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &SpeculativeDecodingParams, seed: u64) -> Inputs {
        GreedyDecoding::inputs(&params.model(), seed)
    }

    fn tokens(params: &SpeculativeDecodingParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &SpeculativeDecodingParams, inputs: &Inputs, seed: u64) -> Reference {
        GreedyDecoding::reference(&params.model(), inputs, seed)
    }

    fn follow(params: &SpeculativeDecodingParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        GreedyDecoding::follow(&params.model(), inputs, outputs)
    }

    /// That of the model alone: guesses are no part of the answer.
    fn work(params: &SpeculativeDecodingParams, dtype: DType) -> Work {
        GreedyDecoding::work(&params.model(), dtype)
    }

    fn tolerance(_params: &SpeculativeDecodingParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}
