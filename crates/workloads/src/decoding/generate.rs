//! Generation by a LLaMA or Qwen3 whose weights are drawn from a seed, or real ones.

use benchbook_core::{
    Array, DType, Inputs, Params, Preset, Problem, Reference, Rough, Rounding, StepsOf, Task, Value, Work,
};

use super::choice::{beside_rounding, decoded, followed};
use super::exact::Model;
use super::otherwise::Otherwise;
use super::stack::{NAMES, ROTARY_BASE, Sizes, sized};
use crate::blocks::Architecture;
use crate::real;

/// Greedy generation of `tokens` tokens behind a prompt, a token a step; the first step takes the prompt. Inputs are those of
/// [`Sizes::inputs`]; the output `tokens` `[tokens, 1]` holds ids. Real weights have the sizes of their model, and a prompt that is
/// drawn all the same: it tells how fast tokens come, and that they are the right ones, and nothing of quality.
pub struct Generate;

benchbook_core::parameters! {
    /// Parameters of [`Generate`].
    pub struct GenerateParams {
        /// where its numbers come from: drawn, or real ones that `cargo xtask data` brings
        weights: String = real::SEEDED.to_owned(), WEIGHTS;
        /// the model that makes tokens: llama or qwen3
        architecture: String = "llama".to_owned(), NAMES;
        /// blocks of the model
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
        /// tokens that are given
        prompt: usize = 16, 1..=1 << 17;
        /// tokens that are made
        tokens: usize = 16, 1..=1 << 14;
        /// base of the angles by which queries and keys are turned
        rotary_base: usize = ROTARY_BASE, 1..=1 << 30;
    }
}

sized!(GenerateParams, rotary_base);

/// Where weights come from.
const WEIGHTS: [&str; 2] = [real::SEEDED, "smollm2-135m"];

/// The sizes of SmolLM2-135M.
pub const SMOLLM2: Sizes = Sizes {
    architecture: Architecture::Llama,
    layers: 30,
    heads: 9,
    kv_heads: 3,
    head_dim: 64,
    width: 576,
    hidden: 1536,
    vocabulary: 49_152,
    rotary_base: 100_000,
    experts: None,
    latent: None,
};

/// Positions that SmolLM2-135M has at most.
pub const SMOLLM2_CONTEXT: usize = 8192;

impl Generate {
    /// The loop of a case, which makes a token a step.
    pub fn steps(params: &GenerateParams) -> StepsOf {
        StepsOf { most: params.tokens, tokens: Some(params.tokens as i64), values: Vec::new() }
    }

    fn decoded(params: &GenerateParams, inputs: &Inputs, taken: Option<&[f64]>) -> Reference {
        decoded(Model::new(params.sizes(), inputs), inputs.get("prompt").of(), params.tokens, taken)
    }
}

impl Problem for Generate {
    const NAME: &'static str = "generate";
    const ABOUT: &'static str = "generation by a LLaMA or Qwen3, seeded or real, a token a step";
    type Params = GenerateParams;

    fn presets() -> Vec<Preset> {
        let of = |architecture: &str, sizes: [i64; 8]| {
            let names = ["layers", "heads", "head_dim", "width", "hidden", "vocabulary", "prompt", "tokens"];
            let named = Params::default().with("architecture", architecture.into());
            names.into_iter().zip(sizes).fold(named, |params, (name, size)| params.with(name, Value::Int(size)))
        };
        let both = |sizes: [i64; 8]| NAMES.map(|name| of(name, sizes)).to_vec();
        vec![
            Preset { name: "quick", cases: both([2, 4, 16, 64, 176, 512, 16, 16]) },
            Preset { name: "default", cases: both([4, 8, 32, 256, 704, 1024, 64, 64]) },
            // One person who waits for each token of an answer.
            Preset { name: "chat", cases: vec![of("llama", [4, 8, 32, 256, 704, 1024, 128, 128])] },
        ]
    }

    fn ugly() -> Vec<GenerateParams> {
        let of = |(architecture, rotary_base, sizes): (&str, usize, [usize; 9])| {
            let [layers, heads, kv_heads, head_dim, width, hidden, vocabulary, prompt, tokens] = sizes;
            let architecture = architecture.to_owned();
            GenerateParams {
                weights: real::SEEDED.to_owned(),
                architecture,
                layers,
                heads,
                kv_heads,
                head_dim,
                width,
                hidden,
                vocabulary,
                prompt,
                tokens,
                rotary_base,
            }
        };
        let cases = [
            ("llama", ROTARY_BASE, [1, 1, 1, 2, 1, 1, 2, 1, 1]),
            ("qwen3", ROTARY_BASE, [1, 3, 1, 34, 33, 5, 65, 1, 9]),
            ("llama", ROTARY_BASE, [3, 4, 2, 6, 17, 33, 129, 17, 1]),
            ("qwen3", ROTARY_BASE, [2, 2, 2, 8, 18, 67, 300, 70, 23]),
            // Angles that are all large, so that another base shows.
            ("llama", 3, [2, 4, 2, 8, 32, 33, 129, 21, 9]),
        ];
        cases.into_iter().map(of).collect()
    }

    fn check(params: &GenerateParams) -> Result<(), (&'static str, String)> {
        let positions = params.prompt + params.tokens;
        params.sizes().check(positions)?;
        if params.weights != real::SEEDED && positions > SMOLLM2_CONTEXT {
            let of = &params.weights;
            let reason = format!("{positions} tokens, those that are made too: {of} has seen {SMOLLM2_CONTEXT}");
            return Err(("prompt", reason));
        }
        real::check(&params.weights, params.sizes() == SMOLLM2)
    }

    fn label(params: &GenerateParams) -> String {
        let weights = real::label(&params.weights);
        format!("{weights}{} {}+{}", params.sizes().label(), params.prompt, params.tokens)
    }

    fn task(params: &GenerateParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &GenerateParams, seed: u64) -> Inputs {
        let Some(mut inputs) = real::inputs(&params.weights) else {
            return params.sizes().inputs(params.prompt, seed);
        };
        inputs.insert("prompt", params.sizes().prompt(params.prompt, seed));
        inputs
    }

    fn some_inputs(params: &GenerateParams, seed: u64, names: &[String]) -> Inputs {
        if names.iter().all(|name| name == "prompt") {
            return Inputs::from([("prompt", params.sizes().prompt(params.prompt, seed))]);
        }
        Self::inputs(params, seed)
    }

    fn tokens(params: &GenerateParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &GenerateParams, inputs: &Inputs, _seed: u64) -> Reference {
        Self::decoded(params, inputs, None)
    }

    fn follow(params: &GenerateParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        followed(params.tokens, outputs, |taken| Self::decoded(params, inputs, taken))
    }

    fn rounded(
        params: &GenerateParams,
        inputs: &Inputs,
        outputs: &[Array],
        _seed: u64,
        rounding: Rounding,
    ) -> Option<Rough> {
        let [output] = outputs else { return None };
        if output.shape() != [params.tokens, 1] {
            return None;
        }
        let going = |rounding| Model::new(params.sizes(), inputs).going(Otherwise { rounding, ..Otherwise::default() });
        let prompt = inputs.get("prompt").of();
        let both = [going(None), going(Some(rounding))];
        Some(Rough::exact(beside_rounding(both, prompt, &output.to_f64())))
    }

    /// The last token is made and not taken.
    fn work(params: &GenerateParams, dtype: DType) -> Work {
        params.sizes().work(params.prompt + params.tokens - 1, params.tokens, dtype)
    }

    fn tolerance(_params: &GenerateParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Check;

    use super::*;

    #[test]
    fn angles_of_another_base_see_another_text() {
        let gaps = |rotary_base: usize| {
            let params = GenerateParams { rotary_base, ..GenerateParams::default() };
            let answer = Generate::reference(&params, &Generate::inputs(&params, 5), 5).answers.remove(0);
            let Check::Greedy { gaps, .. } = answer.check else { panic!("{:?}", answer.check) };
            gaps
        };
        assert_ne!(gaps(ROTARY_BASE), gaps(100_000));
        let label = |rotary_base: usize| Generate::label(&GenerateParams { rotary_base, ..GenerateParams::default() });
        assert_eq!(label(100_000), label(ROTARY_BASE).replace("v512 ", "v512 θ100000 "));
    }

    #[test]
    fn a_prompt_that_is_longer_than_the_context_of_real_weights_is_refused() {
        let of = |weights: &str, prompt: usize| {
            let params = GenerateParams { weights: weights.to_owned(), prompt, tokens: 2, ..GenerateParams::default() };
            Generate::check(&params)
        };
        let (name, reason) = of(WEIGHTS[1], SMOLLM2_CONTEXT - 1).unwrap_err();
        assert!(name == "prompt" && reason.starts_with("8193 tokens"), "{name}: {reason}");
        // As many as it has seen are refused for their sizes alone.
        assert_eq!(of(WEIGHTS[1], SMOLLM2_CONTEXT - 2).unwrap_err().0, "weights");
        assert_eq!(of(real::SEEDED, SMOLLM2_CONTEXT - 1), Ok(()));
    }

    #[test]
    fn who_rounds_may_take_a_token_that_is_nearly_the_best_and_no_other() {
        let params = GenerateParams::default();
        let inputs = Generate::inputs(&params, 5);
        let right = Generate::reference(&params, &inputs, 5).answers.remove(0);
        let made = |values: &[f64]| {
            let ids: Vec<i64> = values.iter().map(|id| *id as i64).collect();
            vec![Array::new(vec![params.tokens, 1], &ids)]
        };
        let of =
            |outputs: &[Array], bits| Generate::rounded(&params, &inputs, outputs, 5, Rounding { bits, group: 32 });
        let least = |outputs: &[Array], bits| {
            let Check::Greedy { least, .. } = of(outputs, bits).unwrap().reference.answers.remove(0).check else {
                panic!("tokens are checked as such")
            };
            least
        };
        let outputs = made(&right.values);
        let [eight, four] = [8, 4].map(|bits| least(&outputs, bits));
        assert!(four > 1.5 * eight, "{four} and {eight}");
        assert!(of(&outputs, 8).unwrap().reference.compare(&outputs)[0].passes(0.0), "its own tokens are right");
        // The least likely token of all is nobody's first choice.
        let last = right.values[0] as usize;
        let wrong: Vec<f64> = (0..params.tokens).map(|step| ((last + 1 + step) % params.vocabulary) as f64).collect();
        let wrong = made(&wrong);
        assert!(!of(&wrong, 8).unwrap().reference.compare(&wrong)[0].passes(0.0), "sixteen tokens by chance");
        assert!(of(&wrong[..0], 8).is_none());
    }

    #[test]
    fn tokens_differ_and_depend_on_the_prompt() {
        for architecture in NAMES {
            let params = GenerateParams { architecture: architecture.to_owned(), ..GenerateParams::default() };
            let of = |seed| {
                let mut inputs = Generate::inputs(&params, 5);
                inputs.insert("prompt", params.sizes().prompt(params.prompt, seed));
                Generate::reference(&params, &inputs, 5).answers.remove(0).values
            };
            let (one, other) = (of(1), of(2));
            let mut distinct = one.clone();
            distinct.sort_unstable_by(f64::total_cmp);
            distinct.dedup();
            assert!(distinct.len() > 3, "no token is followed by itself for ever: {one:?}");
            assert_ne!(one, other);
        }
    }
}
