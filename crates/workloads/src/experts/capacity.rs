//! A mixture of experts in which an expert takes so many tokens and no more.

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work};

use super::layer::{Capacity, Layer, Priority};
use super::router::{BALANCES, Router, Scoring};

/// [`MixtureOfExperts`](super::MixtureOfExperts) with a capacity: of the tokens that chose it, an expert takes
/// ⌈capacity · tokens · chosen / experts⌉ and drops the others (Fedus et al., Switch Transformers, arXiv 2101.03961, equation 3).
/// Who is dropped is a part of the problem: `position` keeps those that stand first, `logit` those with the largest logits for this
/// expert. What was dropped adds nothing; the weights of what stays do not change.
///
/// Inputs and outputs are the same, and `kept` `[tokens, chosen]` of `u8` is 1 where a token has a slot of an expert that it chose.
/// Shared experts have no capacity.
pub struct CapacityExperts;

benchbook_core::parameters! {
    /// Parameters of [`CapacityExperts`].
    pub struct CapacityExpertsParams {
        /// tokens of a call
        tokens: usize = 64, 1..=1 << 20;
        /// experts among which a router chooses
        experts: usize = 16, 1..=1 << 12;
        /// experts of a token
        chosen: usize = 4, 0..=1 << 12;
        /// experts beside, which every token takes
        shared: usize = 0, 0..=64;
        /// numbers of a token
        width: usize = 256, 1..=1 << 16;
        /// numbers between the two halves of an expert
        hidden: usize = 128, 1..=1 << 16;
        /// weights: softmax of all logits, topk-softmax of the chosen alone, sigmoid with a bias for the choice
        scoring: String = "softmax".to_owned(), Scoring::WORDS;
        /// whether the weights of a token are divided by their sum
        renormalised: bool = false;
        /// logits: even; skewed to the first experts; crowded: the same experts for all tokens; tied: many are equal
        balance: String = "even".to_owned(), BALANCES;
        /// slots of an expert, as a share of those that it needs where all have as many tokens
        capacity: f64 = 1.25, 0.0..1e6;
        /// who gets the slots of an expert: position, logit
        priority: String = "position".to_owned(), ["position", "logit"];
    }
}

impl CapacityExpertsParams {
    /// The layer.
    pub fn layer(&self) -> Layer {
        let Self { tokens, experts, chosen, shared, width, hidden, renormalised, capacity, .. } = *self;
        let (scoring, balance) = (Scoring::of(&self.scoring), self.balance.clone());
        let router = Router { tokens, experts, chosen, scoring, renormalised, balance };
        let slots = (capacity * (tokens * chosen) as f64 / experts as f64).ceil() as usize;
        let priority = if self.priority == "logit" { Priority::Logit } else { Priority::Position };
        Layer { router, shared, width, hidden, capacity: Some(Capacity { slots, priority }) }
    }
}

impl Problem for CapacityExperts {
    const NAME: &'static str = "capacity-experts";
    const ABOUT: &'static str = "a layer of experts that take so many tokens each and drop the others";
    type Params = CapacityExpertsParams;

    fn presets() -> Vec<Preset> {
        let of = |[tokens, experts, chosen, width, hidden]: [i64; 5], capacity: f64, priority: &str| {
            let sizes =
                [("tokens", tokens), ("experts", experts), ("chosen", chosen), ("width", width), ("hidden", hidden)];
            let params =
                sizes.into_iter().fold(Params::default(), |params, (name, size)| params.with(name, Value::Int(size)));
            params.with("capacity", capacity.into()).with("priority", priority.into())
        };
        let (small, large) = ([64, 16, 4, 128, 64], [512, 64, 8, 2048, 1024]);
        vec![
            Preset { name: "quick", cases: vec![of(small, 1.0, "position"), of(small, 1.0, "logit")] },
            Preset { name: "default", cases: vec![of(large, 1.25, "position"), of(large, 1.0, "logit")] },
        ]
    }

    fn ugly() -> Vec<CapacityExpertsParams> {
        let of = |[tokens, experts, chosen, shared, width, hidden]: [usize; 6], words: [&str; 3], capacity| {
            let [scoring, balance, priority] = words.map(str::to_owned);
            let usual = CapacityExpertsParams::default();
            let sizes = CapacityExpertsParams { tokens, experts, chosen, shared, width, hidden, ..usual };
            CapacityExpertsParams { scoring, balance, priority, capacity, ..sizes }
        };
        vec![
            of([1, 1, 1, 0, 1, 1], ["softmax", "even", "position"], 1.0),
            of([7, 3, 2, 0, 17, 5], ["softmax", "even", "position"], 0.0),
            of([7, 3, 0, 1, 17, 5], ["softmax", "even", "logit"], 1.0),
            // All tokens choose one expert, which takes an eleventh of them.
            of([230, 11, 1, 0, 9, 33], ["topk-softmax", "crowded", "position"], 1.0),
            of([67, 9, 4, 1, 270, 33], ["sigmoid", "tied", "logit"], 0.7),
            of([3, 67, 2, 0, 33, 40], ["softmax", "skewed", "logit"], 0.5),
            of([70, 8, 3, 0, 65, 40], ["sigmoid", "skewed", "position"], 1.0),
        ]
    }

    fn check(params: &CapacityExpertsParams) -> Result<(), (&'static str, String)> {
        params.layer().check()
    }

    fn label(params: &CapacityExpertsParams) -> String {
        let CapacityExpertsParams { capacity, priority, .. } = params;
        format!("{} capacity {capacity} by {priority}", params.layer().label())
    }

    fn inputs(params: &CapacityExpertsParams, seed: u64) -> Inputs {
        params.layer().inputs(seed)
    }

    fn reference(params: &CapacityExpertsParams, inputs: &Inputs, seed: u64) -> Reference {
        params.layer().reference(inputs, seed)
    }

    fn follow(params: &CapacityExpertsParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        params.layer().follow(inputs, outputs)
    }

    fn work(params: &CapacityExpertsParams, dtype: DType) -> Work {
        params.layer().work(dtype)
    }

    fn tolerance(_params: &CapacityExpertsParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(params: &CapacityExpertsParams, inputs: &Inputs) -> Vec<Metric> {
        params.layer().metrics(inputs)
    }
}
