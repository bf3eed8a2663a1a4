//! Greedy decoding by a GPT-2 whose weights are drawn from a seed: the most likely token, again and again.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Work};

use super::choice::{decoded, followed};
use super::gpt2::Model;

/// Greedy decoding by GPT-2: learned positions, layer norms before attention and feed-forward, GELU by tanh, and one embedding
/// for both ends.
///
/// Inputs: `prompt` `[prompt]` of `i32`; `wte` `[vocabulary, width]`, `wpe` `[prompt + tokens, width]`; `norm_gain`, `norm_bias`
/// `[2 layers + 1, width]`, the last of them before the logits; by layer `qkv` `[layers, width, 3 width]`, `merge`
/// `[layers, width, width]`, `up` `[layers, width, 4 width]`, `down` `[layers, 4 width, width]`, each with its `_bias`. The
/// output `tokens` `[tokens, 1]` holds ids.
pub struct GreedyDecoding;

benchbook_core::parameters! {
    /// Parameters of [`GreedyDecoding`].
    pub struct GreedyDecodingParams {
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
        /// whether every fourth token has the embedding of the one before it, so that the best logits tie
        twins: bool = false;
    }
}

/// Deviation of the embeddings, and of the positions: small beside what blocks add, or every token would be followed by
/// itself, and large enough that no token is followed by another for ever.
const EMBEDDED: f32 = 0.1;
const PLACED: f32 = 0.4;

impl GreedyDecoding {
    /// The loop of a case, which makes a token a step.
    pub fn steps(params: &GreedyDecodingParams) -> StepsOf {
        StepsOf { most: params.tokens, tokens: Some(params.tokens as i64), values: Vec::new() }
    }

    fn decoded(params: &GreedyDecodingParams, inputs: &Inputs, taken: Option<&[f64]>) -> Reference {
        decoded(Model::new(params, inputs), inputs.get("prompt").of(), params.tokens, taken)
    }
}

impl Problem for GreedyDecoding {
    const NAME: &'static str = "greedy-decoding";
    const ABOUT: &'static str = "greedy decoding by a seeded GPT-2, a token a step";
    type Params = GreedyDecodingParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 5]| {
            let names = ["heads", "width", "vocabulary", "prompt", "tokens"];
            names.into_iter().zip(sizes).fold(Params::default(), |params, (name, size)| params.with(name, size.into()))
        };
        vec![
            Preset { name: "quick", cases: vec![of([4, 64, 512, 16, 16]), of([4, 64, 512, 64, 32])] },
            Preset { name: "default", cases: vec![of([4, 128, 1024, 64, 64]), of([8, 256, 1024, 128, 64])] },
        ]
    }

    fn ugly() -> Vec<GreedyDecodingParams> {
        let usual = GreedyDecodingParams::default();
        let sizes = [(1, 1, 1, 2, 1, 1), (1, 3, 33, 65, 1, 9), (3, 2, 34, 129, 17, 1), (2, 8, 72, 300, 40, 23)];
        let of = |(layers, heads, width, vocabulary, prompt, tokens)| GreedyDecodingParams {
            layers,
            heads,
            width,
            vocabulary,
            prompt,
            tokens,
            twins: false,
        };
        let twins = GreedyDecodingParams { vocabulary: 64, prompt: 5, tokens: 24, twins: true, ..usual };
        sizes.into_iter().map(of).chain([twins]).collect()
    }

    fn check(params: &GreedyDecodingParams) -> Result<(), (&'static str, String)> {
        check_heads(params.heads, params.width)
    }

    fn label(params: &GreedyDecodingParams) -> String {
        let GreedyDecodingParams { layers, heads, width, vocabulary, prompt, tokens, twins } = *params;
        let twins = if twins { " twins" } else { "" };
        format!("l{layers} h{heads} w{width} v{vocabulary} {prompt}+{tokens}{twins}")
    }

    fn task(params: &GreedyDecodingParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &GreedyDecodingParams, seed: u64) -> Inputs {
        let GreedyDecodingParams { layers, width, vocabulary, prompt, tokens, twins, .. } = *params;
        let drawn = |shape: &[usize], stream: u64, deviation: f32, mean: f32| {
            let mut array = Array::normal(shape.to_vec(), seed, stream);
            array.of_mut::<f32>().iter_mut().for_each(|number| *number = mean + deviation * *number);
            array
        };
        let linear = |from: usize, to: usize, stream: u64| {
            let weight = drawn(&[layers, from, to], stream, 1.0 / (from as f32).sqrt(), 0.0);
            (weight, drawn(&[layers, to], stream + 1, 0.02, 0.0))
        };
        let mut embedding = drawn(&[vocabulary, width], 2, EMBEDDED, 0.0);
        if twins {
            let rows = embedding.of_mut::<f32>();
            (3..vocabulary)
                .step_by(4)
                .for_each(|twin| rows.copy_within((twin - 1) * width..twin * width, twin * width));
        }
        let (qkv, qkv_bias) = linear(width, 3 * width, 6);
        let (merge, merge_bias) = linear(width, width, 8);
        let (up, up_bias) = linear(width, 4 * width, 10);
        let (down, down_bias) = linear(4 * width, width, 12);
        let norms = [2 * layers + 1, width];
        Inputs::from([
            ("prompt", Array::new(vec![prompt], &ids(prompt, vocabulary, seed))),
            ("wte", embedding),
            ("wpe", drawn(&[prompt + tokens, width], 3, PLACED, 0.0)),
            ("norm_gain", drawn(&norms, 4, 0.1, 1.0)),
            ("norm_bias", drawn(&norms, 5, 0.1, 0.0)),
            ("qkv", qkv),
            ("qkv_bias", qkv_bias),
            ("merge", merge),
            ("merge_bias", merge_bias),
            ("up", up),
            ("up_bias", up_bias),
            ("down", down),
            ("down_bias", down_bias),
        ])
    }

    fn tokens(params: &GreedyDecodingParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &GreedyDecodingParams, inputs: &Inputs, _seed: u64) -> Reference {
        Self::decoded(params, inputs, None)
    }

    fn follow(params: &GreedyDecodingParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        followed(params.tokens, outputs, |taken| Self::decoded(params, inputs, taken))
    }

    fn work(params: &GreedyDecodingParams, dtype: DType) -> Work {
        // The last token is made and not taken.
        let positions = (params.prompt + params.tokens - 1) as f64;
        work_of(params, positions * (positions + 1.0) / 2.0, dtype)
    }

    fn tolerance(_params: &GreedyDecodingParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

/// The work of a case whose queries see so many keys together.
pub(super) fn work_of(params: &GreedyDecodingParams, pairs: f64, dtype: DType) -> Work {
    let GreedyDecodingParams { layers, width, vocabulary, prompt, tokens, .. } = *params;
    let [layers, width, vocabulary] = [layers, width, vocabulary].map(|size| size as f64);
    let (positions, made) = ((prompt + tokens - 1) as f64, tokens as f64);
    let products = 24.0 * layers * width * width * positions + 2.0 * width * vocabulary * made;
    let attention = 4.0 * layers * width * pairs;
    let of_layer = 12.0 * width * width + 13.0 * width;
    let weights = layers * of_layer + 2.0 * width + width * (vocabulary + (prompt + tokens) as f64);
    let bytes = weights * dtype.bytes() as f64 + 4.0 * prompt as f64 + 8.0 * made;
    Work { flops: products + attention, bytes }
}

/// Refuses heads that do not divide the width.
pub(super) fn check_heads(heads: usize, width: usize) -> Result<(), (&'static str, String)> {
    if width.is_multiple_of(heads) {
        return Ok(());
    }
    Err(("heads", format!("{heads} heads do not divide a width of {width}, give a divisor of it")))
}

/// Token ids from the lower bits of numbers, which are as good as uniform.
pub(crate) fn ids(count: usize, vocabulary: usize, seed: u64) -> Vec<i32> {
    let drawn = Array::normal(vec![count], seed, 1);
    drawn.of::<f32>().iter().map(|number| (number.to_bits() as usize % vocabulary) as i32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u64 = 5;

    fn tokens(reference: &Reference) -> Vec<i64> {
        reference.answers[0].values.iter().map(|token| *token as i64).collect()
    }

    fn off(reference: &Reference, tokens: &[i64]) -> f64 {
        reference.compare(&[Array::new(vec![tokens.len(), 1], tokens)])[0].max_scaled_error
    }

    #[test]
    fn tokens_differ_and_depend_on_the_prompt() {
        let params = GreedyDecodingParams::default();
        let of = |seed| {
            let mut inputs = GreedyDecoding::inputs(&params, SEED);
            inputs.insert("prompt", Array::new(vec![params.prompt], &ids(params.prompt, params.vocabulary, seed)));
            tokens(&GreedyDecoding::reference(&params, &inputs, SEED))
        };
        let (one, other) = (of(1), of(2));
        let mut distinct = one.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert!(distinct.len() > 3, "no token is followed by itself for ever: {one:?}");
        assert_ne!(one, other);
    }

    #[test]
    fn what_was_decoded_is_right_after_itself() {
        let params = GreedyDecodingParams { tokens: 8, ..GreedyDecodingParams::default() };
        let inputs = GreedyDecoding::inputs(&params, SEED);
        let reference = GreedyDecoding::reference(&params, &inputs, SEED);
        let outputs = [Array::new(vec![8, 1], &tokens(&reference))];
        assert_eq!(GreedyDecoding::follow(&params, &inputs, &outputs).unwrap(), reference);
        let mut wrong = tokens(&reference);
        wrong[3] = (wrong[3] + 1) % params.vocabulary as i64;
        let followed = GreedyDecoding::follow(&params, &inputs, &[Array::new(vec![8, 1], &wrong)]).unwrap();
        assert_eq!(off(&followed, &wrong), f64::INFINITY, "a token that is not the best, whatever follows");
        let short = [Array::new(vec![7, 1], &[0_i64; 7])];
        assert_eq!(GreedyDecoding::follow(&params, &inputs, &short), None);
        assert_eq!(GreedyDecoding::follow(&params, &inputs, &[]), None);
    }

    #[test]
    fn after_a_tie_the_other_way_is_right_too() {
        let params = GreedyDecoding::ugly().pop().unwrap();
        let inputs = GreedyDecoding::inputs(&params, SEED);
        let reference = GreedyDecoding::reference(&params, &inputs, SEED);
        // The best token is one of two in half of the steps.
        let tie = reference.first_tie().unwrap();
        let mut taken: Vec<usize> = tokens(&reference).iter().map(|token| *token as usize).collect();
        assert_eq!(taken[tie] % 4, 2, "the first of the two");
        taken[tie] += 1;
        let other: Vec<i64> = taken.iter().map(|token| *token as i64).collect();
        let followed = GreedyDecoding::follow(&params, &inputs, &[Array::new(vec![params.tokens, 1], &other)]).unwrap();
        assert_eq!(
            (off(&followed, &other), tokens(&followed)[tie]),
            (0.0, other[tie]),
            "twins are followed by the same"
        );
        taken[tie] = (taken[tie] + 2) % params.vocabulary;
        let third: Vec<i64> = taken.iter().map(|token| *token as i64).collect();
        let followed = GreedyDecoding::follow(&params, &inputs, &[Array::new(vec![params.tokens, 1], &third)]).unwrap();
        assert_eq!(off(&followed, &third), f64::INFINITY, "a tie lets no third token pass");
    }

    #[test]
    fn what_is_no_id_is_infinitely_off_at_a_tie_too() {
        let params = GreedyDecoding::ugly().pop().unwrap();
        let inputs = GreedyDecoding::inputs(&params, SEED);
        let reference = GreedyDecoding::reference(&params, &inputs, SEED);
        let tie = reference.first_tie().unwrap();
        for strange in [-1.0, 0.5, params.vocabulary as f64, f64::NAN] {
            let mut taken = reference.answers[0].values.clone();
            taken[tie] = strange;
            let outputs = [Array::new(vec![params.tokens, 1], &taken)];
            let followed = GreedyDecoding::follow(&params, &inputs, &outputs).unwrap();
            assert_eq!(followed.compare(&outputs)[0].max_scaled_error, f64::INFINITY, "{strange}");
        }
    }
}
