//! Tokens drawn from a model's distribution, with guesses that a smaller model draws.

use benchbook_core::{Answer, Check, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Work};

use super::choice::Advance;
use super::gpt2::Model;
use super::greedy::{GreedyDecoding, GreedyDecodingParams, check_heads};
use super::speculative::check_draft;

/// Pairs of tokens drawn after a prompt, each by itself, from the distribution of the model of [`GreedyDecoding`]; a draft model of
/// its first `draft_layers` layers may guess them (Leviathan et al., arXiv 2211.17192, algorithm 1).
///
/// The output `draws` `[draws]` holds first · vocabulary + second. It is right where χ² of the pairs beside the model's
/// probabilities is below what one right sampler in a million exceeds, and where χ² beside the draft's is above it: a sampler that
/// keeps every guess is rejected. Tokens are few, and the model is narrow: χ² wants some draws of every pair (Cochran, *The χ² Test
/// of Goodness of Fit*, 1952), and of sixteen pairs the rarest is drawn more than five times then.
pub struct SpeculativeSampling;

benchbook_core::parameters! {
    /// Parameters of [`SpeculativeSampling`].
    pub struct SpeculativeSamplingParams {
        /// blocks of the model
        layers: usize = 4, 1..=48;
        /// heads of attention; they divide the width
        heads: usize = 4, 1..=1 << 20;
        /// numbers of a position
        width: usize = 64, 1..=1 << 13;
        /// tokens that there are
        vocabulary: usize = 4, 2..=1 << 16;
        /// tokens that are given
        prompt: usize = 16, 1..=1 << 14;
        /// pairs that are drawn
        draws: usize = 4096, 1..=1 << 20;
        /// blocks of the draft model, fewer than those of the model
        draft_layers: usize = 1, 1..=48;
    }
}

/// Tokens of a draw.
pub const PAIR: usize = 2;

/// Draws of a step, but for the last.
pub const AT_ONCE: usize = 64;

/// The normal quantile of an error rate of one in a million.
const ONE_IN_A_MILLION: f64 = 4.753_424_308_8;

/// The largest vocabulary: each pair of tokens is a category.
const MOST_TOKENS: usize = 16;

/// χ² of so many degrees of freedom that is exceeded as a normal number exceeds `quantile` (Wilson & Hilferty, *The Distribution
/// of Chi-Square*, PNAS 17, 1931).
fn critical(freedom: f64, quantile: f64) -> f64 {
    let part = 2.0 / (9.0 * freedom);
    freedom * (1.0 - part + quantile * part.sqrt()).powi(3)
}

/// Probabilities of tokens by their logits.
fn softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Probabilities of pairs after a prompt.
fn pairs(mut model: Model<'_>, prompt: &[i32]) -> Vec<f64> {
    let mut hidden = Vec::new();
    for id in prompt {
        hidden = model.advance(*id as usize);
    }
    let first = softmax(&model.logits(&hidden));
    let after = |(token, probability): (usize, &f64)| {
        let mut model = model.clone();
        let hidden = model.advance(token);
        softmax(&model.logits(&hidden)).into_iter().map(|second| probability * second).collect::<Vec<f64>>()
    };
    first.iter().enumerate().flat_map(after).collect()
}

impl SpeculativeSamplingParams {
    /// The sizes of the model.
    pub fn model(&self) -> GreedyDecodingParams {
        let Self { layers, heads, width, vocabulary, prompt, .. } = *self;
        GreedyDecodingParams { layers, heads, width, vocabulary, prompt, tokens: PAIR, twins: false }
    }
}

impl SpeculativeSampling {
    /// The loop of a case, which draws [`AT_ONCE`] pairs a step; its values are those of all of them.
    pub fn steps(params: &SpeculativeSamplingParams) -> StepsOf {
        let values = ["accepted", "drafted"].map(|name| (name.to_owned(), "count".to_owned()));
        let (most, tokens) = (params.draws.div_ceil(AT_ONCE), Some((PAIR * params.draws) as i64));
        StepsOf { most, tokens, values: values.into() }
    }
}

impl Problem for SpeculativeSampling {
    const NAME: &'static str = "speculative-sampling";
    const ABOUT: &'static str =
        "tokens drawn from a model's distribution, with or without the guesses of a draft model";
    type Params = SpeculativeSamplingParams;

    fn presets() -> Vec<Preset> {
        let of = |layers: i64, width: i64| Params::default().with("layers", layers.into()).with("width", width.into());
        vec![Preset { name: "quick", cases: vec![of(2, 32)] }, Preset { name: "default", cases: vec![of(4, 64)] }]
    }

    fn ugly() -> Vec<SpeculativeSamplingParams> {
        let usual = SpeculativeSamplingParams { width: 32, ..SpeculativeSamplingParams::default() };
        // The fewest layers of both; layers between, after one position.
        let sizes = [[2, 1, 4, 16], [3, 1, 4, 1]];
        let of = |[layers, draft_layers, vocabulary, prompt]: [usize; 4]| {
            let usual = usual.clone();
            SpeculativeSamplingParams { layers, draft_layers, vocabulary, prompt, ..usual }
        };
        sizes.map(of).into()
    }

    fn check(params: &SpeculativeSamplingParams) -> Result<(), (&'static str, String)> {
        check_heads(params.heads, params.width)?;
        check_draft(params.draft_layers, params.layers - 1)?;
        if params.vocabulary <= MOST_TOKENS {
            return Ok(());
        }
        let reason = format!("every pair of {} tokens is to be counted, give {MOST_TOKENS} at most", params.vocabulary);
        Err(("vocabulary", reason))
    }

    fn label(params: &SpeculativeSamplingParams) -> String {
        let SpeculativeSamplingParams { layers, heads, width, vocabulary, prompt, draws, draft_layers } = *params;
        format!("l{layers} h{heads} w{width} v{vocabulary} {prompt} draws{draws} draft{draft_layers}")
    }

    fn task(params: &SpeculativeSamplingParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &SpeculativeSamplingParams, seed: u64) -> Inputs {
        GreedyDecoding::inputs(&params.model(), seed)
    }

    fn tokens(params: &SpeculativeSamplingParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &SpeculativeSamplingParams, inputs: &Inputs, _seed: u64) -> Reference {
        let (sizes, prompt) = (params.model(), inputs.get("prompt").of::<i32>());
        let values = pairs(Model::new(&sizes, inputs), prompt);
        let control = pairs(Model::new(&sizes, inputs).ending_after(params.draft_layers), prompt);
        let critical = critical(values.len() as f64 - 1.0, ONE_IN_A_MILLION);
        let check = Check::Draws { critical, control };
        let answer = Answer { name: "draws".into(), shape: vec![params.draws], rows: vec![0], values, check };
        Reference { answers: vec![answer] }
    }

    /// That of the model alone: the prompt, and of each draw the first token; logits of both.
    fn work(params: &SpeculativeSamplingParams, dtype: DType) -> Work {
        let SpeculativeSamplingParams { layers, width, vocabulary, prompt, draws, .. } = *params;
        let [layers, width, vocabulary] = [layers, width, vocabulary].map(|size| size as f64);
        let [prompt, draws] = [prompt, draws].map(|count| count as f64);
        let positions = 24.0 * layers * width * width * (prompt + draws);
        let pairs = prompt * (prompt + 1.0) / 2.0 + draws * (prompt + 1.0);
        let flops = positions + 4.0 * layers * width * pairs + 2.0 * width * vocabulary * (1.0 + draws);
        Work { flops, bytes: GreedyDecoding::work(&params.model(), dtype).bytes + 8.0 * draws }
    }

    fn tolerance(_params: &SpeculativeSamplingParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_are_those_of_chi_square() {
        // By the series of the incomplete gamma function; the approximation errs to the safe side.
        for (freedom, right) in [(8.0, 42.700_914), (35.0, 89.946_741), (63.0, 131.369_702)] {
            let found = critical(freedom, ONE_IN_A_MILLION);
            assert!(found > right && found < 1.03 * right, "{freedom}: {found}");
        }
    }
}
