//! The gradients of a layer of experts by hand. Weights are read as they lie: those of a training step are other ones each time.

use benchbook_core::{Array, DType, Inputs, Row, Support};
use benchbook_simd::{
    Dispatch, Error, Experts, Isa, MixtureBackward, MixtureGradients, Result, Routed, mixture_backward, route,
    route_backward,
};
use benchbook_workloads::experts::{Layer, MixtureOfExpertsGradients, MixtureOfExpertsParams, Scoring};

use super::Logits;
use crate::flex::calls::{Calls, Named, named, numbers, room};
use crate::flex::row::fused_row;
use crate::flex::subject::{NamedInputs, Rows};

/// Implementations of `mixture-of-experts-gradients`.
pub const ROWS: [Row<MixtureOfExpertsGradients>; 1] = [SORTED];

/// Numbers of all rows of experts at most: each has its place until its token adds them up.
const MOST_NUMBERS: usize = 1 << 28;

/// An expert is a task.
pub const SORTED: Row<MixtureOfExpertsGradients> = fused_row::<MixtureOfExpertsGradients>(
    "sorted",
    "hand-written: AVX-512, AVX2 or portable, rows sorted by expert, an expert a task, eight products for each and what lies \
     between in one pass",
    &[DType::F32],
    |name, setting, params, inputs| {
        let layer = params.layer();
        let of = |name: &str| room::<f32>(inputs.get(name).shape().to_vec());
        let mut outputs: Vec<Array> = ["input", "logits", "w_gate", "w_up", "w_down"].map(of).into();
        let (tokens, chosen) = (layer.router.tokens, layer.router.chosen);
        if layer.router.scoring == Scoring::Sigmoid && chosen > 0 {
            outputs.push(room::<i32>(vec![tokens, chosen]));
        }
        let copy = || Ok(Held::of(&layer, inputs));
        let mine = layer.clone();
        let kernel = move |held: &mut Held, outputs: &mut Vec<Array>| call(&mine, held, outputs);
        Ok(Box::new(Calls::new(name, setting, copy, &outputs, kernel)?))
    },
)
.only(|_, _, params: &MixtureOfExpertsParams| few_rows(params))
.catalogue(&["SM4"]);

fn few_rows(params: &MixtureOfExpertsParams) -> Support {
    let rows = params.tokens * (params.chosen + params.shared);
    let numbers = rows * params.width.max(params.hidden);
    if numbers <= MOST_NUMBERS {
        return Support::Yes;
    }
    Support::No(format!("{rows} rows of experts take too much memory, {MOST_NUMBERS} numbers are the most"))
}

/// Inputs of a call, and what it keeps for the next one.
struct Held {
    logits: Logits,
    /// Input, gradient of the result, gate, up and down.
    inputs: [Named; 5],
    dispatch: Dispatch,
    /// `[tokens, chosen]` each: experts, what they count, and the gradient of that.
    ids: Vec<i32>,
    shares: Vec<f32>,
    of_shares: Vec<f32>,
}

impl NamedInputs for Held {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "logits" { self.logits.input(name) } else { self.inputs.input(name) }
    }
}

impl Held {
    fn of(layer: &Layer, inputs: &Inputs) -> Self {
        let choices = layer.router.tokens * layer.router.chosen;
        Self {
            logits: Logits::of(inputs, &layer.router),
            inputs: named(inputs, ["input", "grad", "w_gate", "w_up", "w_down"]),
            dispatch: Dispatch::default(),
            ids: vec![0; choices],
            shares: vec![0.0; choices],
            of_shares: vec![0.0; choices],
        }
    }
}

/// The router forward, the layer and the router backward; who was chosen is told where there is room for it.
fn call(layer: &Layer, held: &mut Held, outputs: &mut [Array]) -> Result<()> {
    let [of_input, of_logits, gate, up, down, choices @ ..] = outputs else {
        return Err(Error::Shape("there are five gradients, and no room for one of them".into()));
    };
    let of_inputs = [of_input, of_logits, gate, up, down];
    let Held { logits, inputs, dispatch, ids, shares, of_shares } = held;
    let (router, of_router) = (logits.router(&layer.router), logits.logits.of::<f32>());
    route(&router, of_router, ids, shares)?;
    let (tokens, experts, chosen) = (layer.router.tokens, layer.router.experts, layer.router.chosen);
    let [input, grad, gate, up, down] = numbers(inputs);
    let (width, hidden, shared) = (layer.width, layer.hidden, layer.shared);
    let weights = Experts { experts: experts + shared, width, hidden, gate, up, down };
    let routed = Routed { tokens, experts, chosen, shared, ids, weights: shares, kept: None };
    if let [choices] = choices {
        choices.of_mut::<i32>().copy_from_slice(ids);
    }
    let [of_input, of_logits, gate, up, down] = of_inputs.map(|array| array.of_mut::<f32>());
    let to = MixtureGradients { input: of_input, counts: of_shares, gate, up, down };
    mixture_backward(&MixtureBackward { weights, routed, input, grad, isa: Isa::detect() }, dispatch, to)?;
    route_backward(&router, of_router, ids, shares, of_shares, of_logits)
}
