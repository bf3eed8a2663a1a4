//! Layers of experts by hand: every row through every expert, or each through those that were chosen for it.
//!
//! Weights are packed once before timing, as those of a model are: of the inputs, `input`, `logits` and `bias` can be overwritten.
//! Who is chosen, who is dropped and which rows an expert computes is decided anew in every call.

use benchbook_core::{Array, DType, Inputs, Result, Row, Setting, Subject};
use benchbook_simd::{Capacity, Dispatch, ExpertWeights, Experts, Isa, Priority, Routed, mixture, route};
use benchbook_workloads::experts::{self, CapacityExperts, Layer, MixtureOfExperts};

use super::Logits;
use crate::flex::calls::{Calls, room};
use crate::flex::row::fused_row;
use crate::flex::subject::{NamedInputs, Rows};

const SORTED: &str = "hand-written: AVX-512, AVX2 or portable, rows sorted by expert, grouped products with up, gate and SiLU in one \
                      (Gale et al., MegaBlocks, arXiv 2211.15841)";
const DENSE: &str = "hand-written: the kernel of sorted, where every expert computes the rows of all tokens";

/// Implementations of `mixture-of-experts`.
pub const DROPLESS: [Row<MixtureOfExperts>; 2] = [
    fused_row::<MixtureOfExperts>("sorted", SORTED, &[DType::F32], |name, setting, params, inputs| {
        prepare(name, setting, params.layer(), inputs, Dispatch::sorted)
    })
    .catalogue(&["SM4"]),
    fused_row::<MixtureOfExperts>("dense", DENSE, &[DType::F32], |name, setting, params, inputs| {
        prepare(name, setting, params.layer(), inputs, Dispatch::dense)
    })
    .catalogue(&["SM4"]),
];

/// Implementations of `capacity-experts`.
pub const CAPACITY: [Row<CapacityExperts>; 2] = [
    fused_row::<CapacityExperts>("sorted", SORTED, &[DType::F32], |name, setting, params, inputs| {
        prepare(name, setting, params.layer(), inputs, Dispatch::sorted)
    })
    .catalogue(&["SM4"]),
    fused_row::<CapacityExperts>("dense", DENSE, &[DType::F32], |name, setting, params, inputs| {
        prepare(name, setting, params.layer(), inputs, Dispatch::dense)
    })
    .catalogue(&["SM4"]),
];

/// Which rows each expert computes.
type Plan = fn(&mut Dispatch, &Routed) -> benchbook_simd::Result<()>;

/// Inputs of a call, and what it keeps for the next one.
struct Held {
    input: Array,
    logits: Logits,
    weights: ExpertWeights,
    dispatch: Dispatch,
    /// `[tokens, chosen]`: what the experts of a token count.
    shares: Vec<f32>,
}

impl NamedInputs for Held {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "input" { Some(&mut self.input) } else { self.logits.input(name) }
    }
}

impl Held {
    fn of(layer: &Layer, inputs: &Inputs) -> benchbook_simd::Result<Self> {
        let [gate, up, down] = ["w_gate", "w_up", "w_down"].map(|name| inputs.numbers(name));
        let (width, hidden) = (layer.width, layer.hidden);
        let weights = Experts { experts: layer.router.experts + layer.shared, width, hidden, gate, up, down };
        Ok(Self {
            input: inputs.get("input").clone(),
            logits: Logits::of(inputs, &layer.router),
            weights: ExpertWeights::new(&weights, Isa::detect())?,
            dispatch: Dispatch::default(),
            shares: vec![0.0; layer.router.tokens * layer.router.chosen],
        })
    }
}

fn prepare(
    name: &'static str,
    setting: &Setting,
    layer: Layer,
    inputs: &Inputs,
    plan: Plan,
) -> Result<Box<dyn Subject>> {
    let (tokens, chosen) = (layer.router.tokens, layer.router.chosen);
    let mut outputs = vec![room::<f32>(vec![tokens, layer.width])];
    if chosen > 0 {
        outputs.push(room::<i32>(vec![tokens, chosen]));
        outputs.extend(layer.capacity.map(|_| room::<u8>(vec![tokens, chosen])));
    }
    let of = layer.clone();
    let kernel = move |held: &mut Held, outputs: &mut Vec<Array>| call(&of, plan, held, outputs);
    Ok(Box::new(Calls::new(name, setting, || Held::of(&layer, inputs), &outputs, kernel)?))
}

/// One call; of no experts there is neither a list of those chosen nor one of those kept.
fn call(layer: &Layer, plan: Plan, held: &mut Held, outputs: &mut [Array]) -> benchbook_simd::Result<()> {
    let (output, ids, kept): (&mut Array, &mut [i32], &mut [u8]) = match outputs {
        [output, ids, kept] => (output, ids.of_mut(), kept.of_mut()),
        [output, ids] => (output, ids.of_mut(), &mut []),
        [output, ..] => (output, &mut [], &mut []),
        [] => return Err(benchbook_simd::Error::Shape("a layer has a result, there is no room for it".into())),
    };
    let Held { input, logits, weights, dispatch, shares } = held;
    let (tokens, experts, chosen) = (layer.router.tokens, layer.router.experts, layer.router.chosen);
    let numbers = logits.logits.of::<f32>();
    route(&logits.router(&layer.router), numbers, ids, shares)?;
    if let Some(experts::Capacity { slots, priority }) = layer.capacity {
        let priority = match priority {
            experts::Priority::Position => Priority::Position,
            experts::Priority::Logit => Priority::Logit,
        };
        dispatch.admit(Capacity { slots, priority }, [experts, chosen], numbers, ids, kept)?;
    }
    let kept = layer.capacity.map(|_| &*kept);
    plan(dispatch, &Routed { tokens, experts, chosen, shared: layer.shared, ids, weights: shares, kept })?;
    mixture(weights, dispatch, input.of(), output.of_mut())
}
