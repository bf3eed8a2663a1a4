//! The router of a mixture of experts alone: who is chosen, what it counts, and how even that is.

use benchbook_core::{Answer, Array, Check, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work};

use super::router::{BALANCES, Router, Routing, Scoring, taken};

/// The best experts of each token, by the logits of a router.
///
/// Inputs: `logits` `[tokens, experts]`, and with the scoring `sigmoid` a `bias` `[experts]`. Outputs: `experts`
/// `[tokens, chosen]` of `i32`, the best first and of equals the one with the lower index; their `weights` `[tokens, chosen]`;
/// `load` `[experts]` of `i32`, tokens of each expert; `auxiliary_loss` `[1]`: experts × Σ load / (tokens × chosen) × the mean of
/// the probability of an expert (Fedus et al., Switch Transformers, arXiv 2101.03961, equations 4 to 6).
pub struct ExpertRouting;

benchbook_core::parameters! {
    /// Parameters of [`ExpertRouting`].
    pub struct ExpertRoutingParams {
        /// tokens of a call
        tokens: usize = 512, 1..=1 << 20;
        /// experts among which a router chooses
        experts: usize = 64, 1..=1 << 12;
        /// experts of a token
        chosen: usize = 8, 1..=1 << 12;
        /// weights: softmax of all logits, topk-softmax of the chosen alone, sigmoid with a bias for the choice
        scoring: String = "softmax".to_owned(), Scoring::WORDS;
        /// whether the weights of a token are divided by their sum
        renormalised: bool = false;
        /// logits: even; skewed to the first experts; crowded: the same experts for all tokens; tied: many are equal
        balance: String = "even".to_owned(), BALANCES;
    }
}

impl ExpertRoutingParams {
    /// The router.
    pub fn router(&self) -> Router {
        let Self { tokens, experts, chosen, renormalised, .. } = *self;
        let (scoring, balance) = (Scoring::of(&self.scoring), self.balance.clone());
        Router { tokens, experts, chosen, scoring, renormalised, balance }
    }
}

impl Problem for ExpertRouting {
    const NAME: &'static str = "expert-routing";
    const ABOUT: &'static str = "the router of a mixture of experts: who is chosen, with which weight, and the load";
    type Params = ExpertRoutingParams;

    fn presets() -> Vec<Preset> {
        let of = |[tokens, experts, chosen]: [i64; 3], scoring: &str, renormalised: bool| {
            let sizes = [("tokens", tokens), ("experts", experts), ("chosen", chosen)];
            let params =
                sizes.into_iter().fold(Params::default(), |params, (name, size)| params.with(name, Value::Int(size)));
            params.with("scoring", scoring.into()).with("renormalised", renormalised.into())
        };
        let skewed = of([4096, 64, 8], "softmax", false).with("balance", "skewed".into());
        let full = vec![
            of([4096, 64, 8], "softmax", false),
            of([4096, 8, 2], "topk-softmax", false),
            of([4096, 256, 8], "sigmoid", true),
            skewed,
        ];
        vec![
            Preset { name: "quick", cases: vec![of([256, 64, 8], "softmax", true), of([256, 64, 8], "sigmoid", true)] },
            Preset { name: "default", cases: full },
        ]
    }

    fn ugly() -> Vec<ExpertRoutingParams> {
        let of = |[tokens, experts, chosen]: [usize; 3], [scoring, balance]: [&str; 2], renormalised| {
            let (scoring, balance) = (scoring.to_owned(), balance.to_owned());
            ExpertRoutingParams { tokens, experts, chosen, scoring, renormalised, balance }
        };
        vec![
            of([1, 1, 1], ["softmax", "even"], true),
            of([3, 67, 67], ["sigmoid", "even"], true),
            of([67, 33, 1], ["softmax", "crowded"], false),
            of([130, 17, 5], ["softmax", "tied"], true),
            of([129, 32, 8], ["sigmoid", "tied"], false),
            of([33, 9, 3], ["topk-softmax", "tied"], false),
            of([65, 130, 7], ["topk-softmax", "skewed"], false),
        ]
    }

    fn check(params: &ExpertRoutingParams) -> Result<(), (&'static str, String)> {
        params.router().check()
    }

    fn label(params: &ExpertRoutingParams) -> String {
        params.router().label()
    }

    fn inputs(params: &ExpertRoutingParams, seed: u64) -> Inputs {
        params.router().inputs(seed)
    }

    fn reference(params: &ExpertRoutingParams, inputs: &Inputs, _seed: u64) -> Reference {
        let router = params.router();
        answers(&router, inputs, &router.route(inputs, None))
    }

    fn follow(params: &ExpertRoutingParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        let router = params.router();
        let taken = taken(&router, outputs.first())?;
        Some(answers(&router, inputs, &router.route(inputs, Some(&taken))))
    }

    /// Comparisons are no operations: a softmax counts three an expert. The logits are read once.
    fn work(params: &ExpertRoutingParams, dtype: DType) -> Work {
        let [tokens, experts, chosen] = [params.tokens, params.experts, params.chosen].map(|size| size as f64);
        let bytes = tokens * (experts + chosen) * dtype.bytes() as f64 + 4.0 * (tokens * chosen + experts);
        Work { flops: 3.0 * tokens * experts, bytes }
    }

    fn tolerance(_params: &ExpertRoutingParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(params: &ExpertRoutingParams, inputs: &Inputs) -> Vec<Metric> {
        let router = params.router();
        router.metrics(inputs, &router.route(inputs, None))
    }
}

fn answers(router: &Router, inputs: &Inputs, routing: &Routing) -> Reference {
    let row = |name: &'static str, values: Vec<f64>, check: Check| Answer {
        name: name.into(),
        shape: vec![values.len()],
        rows: vec![0],
        values,
        check,
    };
    Reference {
        answers: vec![
            router.answer(routing),
            router.near("weights", routing.weights.clone()),
            row("load", router.load(routing), Check::Exact),
            row("auxiliary_loss", vec![router.auxiliary_loss(inputs, routing)], Check::Near),
        ],
    }
}
