//! Greedy decoding for requests that arrive one after another.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Work};

use super::choice::{Choices, LEAST_GAP, followed};
use super::gpt2::Model;
use super::greedy::{GreedyDecoding, GreedyDecodingParams, check_heads, ids};
use super::uniform::Uniform;

/// Greedy decoding by the model of [`GreedyDecoding`] for several requests, each with a prompt and a number of tokens, and each
/// answered as if it were alone.
///
/// No kernel reads a clock, and so arrivals follow the loop's own: a pass of the model over `n` positions takes 1 + n / `ridge`
/// of its units, since weights are read once a pass, and `ridge` positions compute as long as that reading takes. A request
/// arrives when this clock has passed its time. What a pass really takes is the time of its step.
///
/// Inputs: those of [`GreedyDecoding`]; `prompt` `[Σ prompts]` has all prompts, one after another. The output `tokens`
/// `[Σ tokens, 1]` has those of all requests in order of arrival. Values of a step: requests in the `batch`, those that it
/// `finished`, and their `latency` together, from arrival to the last token.
pub struct BatchedDecoding;

benchbook_core::parameters! {
    /// Parameters of [`BatchedDecoding`].
    pub struct BatchedDecodingParams {
        /// blocks of the model
        layers: usize = 2, 1..=48;
        /// heads of attention; they divide the width
        heads: usize = 4, 1..=1 << 20;
        /// numbers of a position
        width: usize = 64, 1..=1 << 13;
        /// tokens that there are
        vocabulary: usize = 512, 2..=1 << 16;
        /// tokens of a prompt at most
        prompt: usize = 16, 1..=1 << 14;
        /// tokens that are made for a request at most
        tokens: usize = 16, 1..=1 << 14;
        /// requests of the trace
        requests: usize = 16, 1..=1 << 12;
        /// requests that are served at a time at most
        slots: usize = 4, 1..=1 << 10;
        /// requests that arrive in a unit of the clock, on average
        rate: f64 = 0.25, 1e-3..1e3;
        /// positions that compute as long as the weights are read
        ridge: f64 = 16.0, 1e-3..1e6;
        /// units of the clock that a pass is to take at most, where an implementation keeps to it
        pass_bound: f64 = 2.0, 1.0..1e6;
        /// seed of the trace
        trace: usize = 1, 0..=1 << 30;
    }
}

/// A request of the trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// When it arrives, on the loop's clock.
    pub arrival: f64,
    /// Tokens of its prompt.
    pub prompt: usize,
    /// Tokens that it wants.
    pub tokens: usize,
}

impl BatchedDecodingParams {
    /// The sizes of the model, with room for the longest request.
    pub fn model(&self) -> GreedyDecodingParams {
        let Self { layers, heads, width, vocabulary, prompt, tokens, .. } = *self;
        GreedyDecodingParams { layers, heads, width, vocabulary, prompt, tokens, twins: false }
    }

    /// The requests in order of arrival: a Poisson process, lengths even from one to the most.
    pub fn requests(&self) -> Vec<Request> {
        let (mut uniform, mut arrival) = (Uniform::new(self.trace as u64), 0.0);
        let one = |_| {
            arrival -= (1.0 - uniform.number()).ln() / self.rate;
            Request { arrival, prompt: uniform.up_to(self.prompt), tokens: uniform.up_to(self.tokens) }
        };
        (0..self.requests).map(one).collect()
    }

    /// Units of the clock that a pass over so many positions takes.
    pub fn cost(&self, positions: usize) -> f64 {
        1.0 + positions as f64 / self.ridge
    }
}

impl BatchedDecoding {
    /// The loop of a case, which makes a token of each request in the batch a step.
    pub fn steps(params: &BatchedDecodingParams) -> StepsOf {
        let values = [("batch", "count"), ("finished", "count"), ("latency", "passes")];
        let values = values.map(|(name, unit)| (name.to_owned(), unit.to_owned()));
        let most = params.requests().iter().map(|request| request.tokens).sum();
        StepsOf { most, tokens: Some(most as i64), values: values.into() }
    }

    fn decoded(params: &BatchedDecodingParams, inputs: &Inputs, taken: Option<&[f64]>) -> Reference {
        let (sizes, mut prompts, mut made) = (params.model(), inputs.get("prompt").of::<i32>(), 0);
        let mut all = Choices::default();
        for Request { prompt, tokens, .. } in params.requests() {
            let (own, others) = prompts.split_at(prompt);
            let taken = taken.map(|taken| &taken[made..][..tokens]);
            all = all.and(Choices::of(Model::new(&sizes, inputs), own, tokens, taken));
            (prompts, made) = (others, made + tokens);
        }
        all.reference(LEAST_GAP)
    }
}

impl Problem for BatchedDecoding {
    const NAME: &'static str = "batched-decoding";
    const ABOUT: &'static str = "greedy decoding for requests of a seeded trace, several at a time";
    type Params = BatchedDecodingParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 7]| {
            let names = ["heads", "width", "vocabulary", "prompt", "tokens", "requests", "slots"];
            names.into_iter().zip(sizes).fold(Params::default(), |params, (name, size)| params.with(name, size.into()))
        };
        vec![
            Preset { name: "quick", cases: vec![of([4, 64, 512, 16, 16, 12, 4])] },
            Preset { name: "default", cases: vec![of([8, 256, 1024, 64, 64, 32, 8])] },
            // All requests are there at once, and nobody waits for one of them.
            Preset { name: "batch", cases: vec![of([8, 256, 1024, 64, 64, 64, 16]).with("rate", 900.0_f64.into())] },
        ]
    }

    fn ugly() -> Vec<BatchedDecodingParams> {
        let usual = BatchedDecodingParams { vocabulary: 130, width: 32, ..BatchedDecodingParams::default() };
        // One request; one slot; more slots than requests; all at once; long after one another.
        let cases = [(1, 1, 0.25), (5, 1, 0.25), (3, 9, 0.5), (9, 4, 900.0), (4, 2, 0.01)];
        cases.map(|(requests, slots, rate)| BatchedDecodingParams { requests, slots, rate, ..usual.clone() }).into()
    }

    fn check(params: &BatchedDecodingParams) -> Result<(), (&'static str, String)> {
        check_heads(params.heads, params.width)
    }

    fn label(params: &BatchedDecodingParams) -> String {
        let BatchedDecodingParams { requests, slots, rate, ridge, pass_bound, trace, .. } = *params;
        let model = GreedyDecoding::label(&params.model());
        format!("{model} r{requests} slots{slots} rate{rate} ridge{ridge} bound{pass_bound} trace{trace}")
    }

    fn task(params: &BatchedDecodingParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &BatchedDecodingParams, seed: u64) -> Inputs {
        let mut inputs = GreedyDecoding::inputs(&params.model(), seed);
        let prompts = params.requests().iter().map(|request| request.prompt).sum();
        inputs.insert("prompt", Array::new(vec![prompts], &ids(prompts, params.vocabulary, seed)));
        inputs
    }

    fn tokens(params: &BatchedDecodingParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &BatchedDecodingParams, inputs: &Inputs, _seed: u64) -> Reference {
        Self::decoded(params, inputs, None)
    }

    fn follow(params: &BatchedDecodingParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        followed(Self::steps(params).most, outputs, |taken| Self::decoded(params, inputs, taken))
    }

    /// That of the requests one after another, with weights read once.
    fn work(params: &BatchedDecodingParams, dtype: DType) -> Work {
        let sizes = params.model();
        let of = |Request { prompt, tokens, .. }: Request| {
            GreedyDecoding::work(&GreedyDecodingParams { prompt, tokens, ..sizes.clone() }, dtype).flops
        };
        let flops = params.requests().into_iter().map(of).sum();
        Work { flops, bytes: GreedyDecoding::work(&sizes, dtype).bytes }
    }

    fn tolerance(_params: &BatchedDecodingParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_repeats_and_arrives_at_its_rate() {
        let params = BatchedDecodingParams { requests: 4000, rate: 0.5, ..BatchedDecodingParams::default() };
        let trace = params.requests();
        assert_eq!(trace, params.requests());
        assert_ne!(trace, BatchedDecodingParams { trace: 2, ..params.clone() }.requests());
        assert!(trace.is_sorted_by(|one, next| one.arrival <= next.arrival));
        assert!(trace.iter().all(|request| (1..=16).contains(&request.prompt) && (1..=16).contains(&request.tokens)));
        // Five standard errors of the mean of 4000 exponential numbers.
        let mean = trace[3999].arrival / 4000.0;
        assert!((mean - 2.0).abs() < 2.0 * 5.0 / 4000.0_f64.sqrt(), "{mean}");
    }
}
