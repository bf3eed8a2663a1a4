//! A mixture of experts in which no token is dropped.

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work};

use super::layer::Layer;
use super::router::{BALANCES, Router, Scoring};

/// A layer of experts, of which each token takes the best (Shazeer et al., arXiv 1701.06538; of today's form, with gated linear
/// units: Jiang et al., arXiv 2401.04088, section 2.1): Σ weight · silu(x · gate) ⊙ (x · up) · down over the experts of a token.
/// Everybody gets those that were chosen for it (Gale et al., MegaBlocks, arXiv 2211.15841).
///
/// Inputs: `input` `[tokens, width]`; `logits` `[tokens, experts]`, what a router's product gives, and with the scoring `sigmoid`
/// its `bias` `[experts]`; `w_gate` and `w_up` `[experts + shared, width, hidden]`, `w_down` `[experts + shared, hidden, width]`, of
/// which every token takes the last, shared ones with a weight of 1. Outputs: `output` `[tokens, width]` and, where any are chosen,
/// `experts` `[tokens, chosen]` of `i32`, the best first and of equals the one with the lower index.
pub struct MixtureOfExperts;

benchbook_core::parameters! {
    /// Parameters of [`MixtureOfExperts`].
    pub struct MixtureOfExpertsParams {
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
    }
}

impl MixtureOfExpertsParams {
    /// The layer.
    pub fn layer(&self) -> Layer {
        let Self { tokens, experts, chosen, shared, width, hidden, renormalised, .. } = *self;
        let (scoring, balance) = (Scoring::of(&self.scoring), self.balance.clone());
        let router = Router { tokens, experts, chosen, scoring, renormalised, balance };
        Layer { router, shared, width, hidden, capacity: None }
    }
}

impl Problem for MixtureOfExperts {
    const NAME: &'static str = "mixture-of-experts";
    const ABOUT: &'static str = "a layer of experts of which each token takes the best, and nobody is dropped";
    type Params = MixtureOfExpertsParams;

    fn presets() -> Vec<Preset> {
        let of = |[tokens, experts, chosen, width, hidden]: [i64; 5]| {
            let sizes =
                [("tokens", tokens), ("experts", experts), ("chosen", chosen), ("width", width), ("hidden", hidden)];
            sizes.into_iter().fold(Params::default(), |params, (name, size)| params.with(name, Value::Int(size)))
        };
        let sigmoid = of([64, 16, 4, 128, 64]).with("scoring", "sigmoid".into()).with("shared", 1.into());
        let large = |tokens: i64| of([tokens, 64, 8, 2048, 1024]);
        vec![
            Preset { name: "quick", cases: vec![of([64, 16, 4, 128, 64]), of([1, 16, 4, 128, 64]), sigmoid] },
            // OLMoE (Muennighoff et al., arXiv 2409.02060).
            Preset { name: "default", cases: vec![large(512), large(1)] },
        ]
    }

    fn ugly() -> Vec<MixtureOfExpertsParams> {
        let of = |[tokens, experts, chosen, shared, width, hidden]: [usize; 6], words: [&str; 2], renormalised| {
            let [scoring, balance] = words.map(str::to_owned);
            MixtureOfExpertsParams { tokens, experts, chosen, shared, width, hidden, scoring, renormalised, balance }
        };
        vec![
            of([1, 1, 1, 0, 1, 1], ["softmax", "even"], false),
            of([5, 3, 0, 0, 17, 5], ["softmax", "even"], false),
            of([5, 3, 0, 2, 17, 5], ["sigmoid", "even"], true),
            // All tokens go to one expert, in more than one block of rows.
            of([401, 5, 1, 0, 9, 33], ["topk-softmax", "crowded"], false),
            // More experts than tokens, and more steps than a run of panels has.
            of([3, 67, 2, 0, 300, 17], ["softmax", "skewed"], true),
            of([67, 9, 9, 1, 33, 270], ["sigmoid", "tied"], true),
            of([70, 16, 3, 0, 65, 40], ["topk-softmax", "tied"], false),
            // Rows of whole registers, which is all that some engines take.
            of([6, 5, 2, 0, 16, 8], ["softmax", "even"], true),
        ]
    }

    fn check(params: &MixtureOfExpertsParams) -> Result<(), (&'static str, String)> {
        params.layer().check()
    }

    fn label(params: &MixtureOfExpertsParams) -> String {
        params.layer().label()
    }

    fn inputs(params: &MixtureOfExpertsParams, seed: u64) -> Inputs {
        params.layer().inputs(seed)
    }

    fn reference(params: &MixtureOfExpertsParams, inputs: &Inputs, seed: u64) -> Reference {
        params.layer().reference(inputs, seed)
    }

    fn follow(params: &MixtureOfExpertsParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        params.layer().follow(inputs, outputs)
    }

    fn work(params: &MixtureOfExpertsParams, dtype: DType) -> Work {
        params.layer().work(dtype)
    }

    fn tolerance(_params: &MixtureOfExpertsParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(params: &MixtureOfExpertsParams, inputs: &Inputs) -> Vec<Metric> {
        params.layer().metrics(inputs)
    }
}
