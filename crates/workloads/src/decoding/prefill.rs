//! The prompt of a LLaMA or Qwen3 whose weights are drawn from a seed.

use benchbook_core::{
    Array, DType, Inputs, Params, Preset, Problem, Reference, Rough, Rounding, StepsOf, Task, Value, Work,
};

use super::choice::Advance;
use super::exact::Model;
use super::otherwise::Otherwise;
use super::stack::{NAMES, sized};

/// A prompt, `chunk` tokens a step: memory for what lies between layers is bounded by them (Agrawal et al., arXiv 2308.16369, section
/// 4.2). Inputs are those of [`Sizes::inputs`]; the output `[1, vocabulary]` holds the logits behind the last token.
pub struct Prefill;

benchbook_core::parameters! {
    /// Parameters of [`Prefill`].
    pub struct PrefillParams {
        /// the model that takes the prompt: llama or qwen3
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
        prompt: usize = 64, 1..=1 << 17;
        /// tokens that are taken in a step
        chunk: usize = 64, 1..=1 << 17;
    }
}

sized!(PrefillParams);

impl Prefill {
    /// The loop of a case, which makes no token.
    pub fn steps(params: &PrefillParams) -> StepsOf {
        StepsOf { most: params.prompt.div_ceil(params.chunk), tokens: None, values: Vec::new() }
    }

    /// Logits behind the prompt, where what matrices are multiplied by may be rounded.
    fn logits(params: &PrefillParams, inputs: &Inputs, rounding: Option<Rounding>) -> Reference {
        let otherwise = Otherwise { rounding, ..Otherwise::default() };
        let mut model = Model::new(params.sizes(), inputs).going(otherwise);
        let prompt: &[i32] = inputs.get("prompt").of();
        let hidden = prompt.iter().fold(Vec::new(), |_, id| model.advance(*id as usize));
        Reference::of(vec![1, params.vocabulary], vec![0], model.logits(&hidden))
    }
}

impl Problem for Prefill {
    const NAME: &'static str = "prefill";
    const ABOUT: &'static str = "the prompt of a seeded LLaMA or Qwen3, some tokens a step";
    type Params = PrefillParams;

    fn presets() -> Vec<Preset> {
        let of = |architecture: &str, sizes: [i64; 8]| {
            let names = ["layers", "heads", "head_dim", "width", "hidden", "vocabulary", "prompt", "chunk"];
            let named = Params::default().with("architecture", architecture.into());
            names.into_iter().zip(sizes).fold(named, |params, (name, size)| params.with(name, Value::Int(size)))
        };
        let both = |sizes: [i64; 8]| NAMES.map(|name| of(name, sizes));
        let document = |chunk: i64| of("llama", [2, 4, 16, 64, 176, 512, 8192, chunk]);
        let default = [512, 128].map(|chunk| both([4, 8, 32, 256, 704, 1024, 512, chunk]));
        vec![
            Preset { name: "quick", cases: both([2, 4, 16, 64, 176, 512, 64, 64]).to_vec() },
            Preset { name: "default", cases: default.concat() },
            // A long text, at once and in parts: what is between layers has the room of a part.
            Preset { name: "document", cases: [8192, 512].map(document).into() },
        ]
    }

    fn ugly() -> Vec<PrefillParams> {
        let of = |(architecture, sizes): (&str, [usize; 9])| {
            let [layers, heads, kv_heads, head_dim, width, hidden, vocabulary, prompt, chunk] = sizes;
            let architecture = architecture.to_owned();
            PrefillParams { architecture, layers, heads, kv_heads, head_dim, width, hidden, vocabulary, prompt, chunk }
        };
        let cases = [
            ("llama", [1, 1, 1, 2, 1, 1, 2, 1, 1]),
            ("qwen3", [1, 3, 1, 34, 33, 5, 65, 67, 1]),
            // A last chunk of one token, and one that is larger than the prompt.
            ("llama", [3, 4, 2, 6, 17, 33, 129, 65, 16]),
            ("qwen3", [2, 2, 2, 8, 18, 67, 300, 19, 1024]),
        ];
        cases.into_iter().map(of).collect()
    }

    fn check(params: &PrefillParams) -> Result<(), (&'static str, String)> {
        params.sizes().check(params.prompt)
    }

    fn label(params: &PrefillParams) -> String {
        format!("{} s{} by {}", params.sizes().label(), params.prompt, params.chunk)
    }

    fn task(params: &PrefillParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &PrefillParams, seed: u64) -> Inputs {
        params.sizes().inputs(params.prompt, seed)
    }

    fn some_inputs(params: &PrefillParams, seed: u64, names: &[String]) -> Inputs {
        if names.iter().all(|name| name == "prompt") {
            return Inputs::from([("prompt", params.sizes().prompt(params.prompt, seed))]);
        }
        Self::inputs(params, seed)
    }

    fn tokens(params: &PrefillParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &PrefillParams, inputs: &Inputs, _seed: u64) -> Reference {
        Self::logits(params, inputs, None)
    }

    fn rounded(
        params: &PrefillParams,
        inputs: &Inputs,
        _outputs: &[Array],
        _seed: u64,
        rounding: Rounding,
    ) -> Option<Rough> {
        let of = |rounding| Self::logits(params, inputs, rounding);
        Some(Rough::beside(of(None), &of(Some(rounding))))
    }

    fn work(params: &PrefillParams, dtype: DType) -> Work {
        params.sizes().work(params.prompt, 1, dtype)
    }

    fn tolerance(_params: &PrefillParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rounding_moves_logits_by_less_than_another_prompt() {
        let params = PrefillParams { prompt: 9, ..PrefillParams::default() };
        let inputs = Prefill::inputs(&params, 3);
        let rough = Prefill::rounded(&params, &inputs, &[], 3, Rounding { bits: 8, group: 32 }).unwrap();
        assert_eq!(rough.reference, Prefill::reference(&params, &inputs, 3));
        let mut other = inputs.clone();
        other.insert("prompt", params.sizes().prompt(params.prompt, 4));
        let moved = rough.reference.apart(&Prefill::reference(&params, &other, 4));
        assert!(rough.allowed > 0.0 && 3.0 * rough.allowed < moved, "{} and {moved}", rough.allowed);
    }
}
