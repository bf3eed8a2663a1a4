//! Training of GPT-2 on plain slices: products, attention and what lies between them by our own kernels.

mod casts;
mod layout;
mod model;
#[cfg(test)]
mod tests;
mod told;

use benchbook_core::{
    Array, DType, Inputs, Loop, Looping, Metric, Result, Row, Setting, Step, StepsOf, Subject, Support,
};
use benchbook_simd::{self as simd, AdamWStep, Isa};
use benchbook_workloads::training::{BETAS, DECAY, EPSILON, Gpt2Training, Gpt2TrainingParams, TENSORS};
use rayon::prelude::*;

pub(crate) use casts::Scaling;
pub(crate) use layout::Layout;
pub(crate) use model::{Keeping, Model};
use told::Ends;
pub(crate) use told::{Telling, Told};

use crate::flex::calls::{Ids, failed};
use crate::flex::decoding::Who;
use crate::flex::row::fused_row;
use crate::flex::subject::Rows;

/// Implementations of `gpt2-training`.
pub const ROWS: [Row<Gpt2Training>; 7] = [KEPT, CHECKPOINTED, EVERY_SECOND, SELECTIVE, HALF, FP8_DYNAMIC, FP8_DELAYED];

const F32: &[DType] = &[DType::F32];

/// What tells a run in eight bits from others; sums and everything beside products of layers are in `f32`.
const F8: &[DType] = &[DType::F8e4m3];

/// The same of sixteen bits.
const BF16: &[DType] = &[DType::Bf16];

/// Tokens of a step, and numbers of a position, at least where numbers are rounded: of fewer, what rounding takes does not average out.
const LEAST: usize = 32;

/// Numbers whose squares a task adds up.
const TASK: usize = 1 << 16;

const KEPT: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "kept",
    "forward and back by hand: AVX-512, AVX2 or portable, FlashAttention-2, fused AdamW; everything waits for the pass back",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::None)),
)
.catalogue(&["TR5"]);

const CHECKPOINTED: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "checkpointed",
    "as kept, of each layer only what comes in waits for the pass back (Chen et al., arXiv 1604.06174, section 4)",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::Every(1), Scaling::None)),
)
.catalogue(&["TR1"]);

const EVERY_SECOND: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "checkpointed-2",
    "as kept, of every second layer only what comes in waits for the pass back (Chen et al., arXiv 1604.06174, section 4)",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::Every(2), Scaling::None)),
)
.catalogue(&["TR1"])
.on_request();

const SELECTIVE: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "checkpointed-selective",
    "as kept, norms and GELU are computed again (Korthikanti et al., arXiv 2205.05198, section 4.2)",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::Products, Scaling::None)),
)
.catalogue(&["TR1"]);

const HALF: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "bf16",
    "as kept, factors and gradients of the products of layers rounded to bf16 (Kalamkar et al., arXiv 1905.12322); the casts are exact, \
     the products are in f32",
    BF16,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::Bf16)),
)
.only(|_, _, params: &Gpt2TrainingParams| enough(params))
.on_request();

const FP8_DYNAMIC: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "fp8-dynamic",
    "as kept, factors of the products of layers rounded to e4m3, gradients to e5m2, each by the scale of its largest number \
     (Micikevicius et al., arXiv 2209.05433); the casts are exact, the products are in f32",
    F8,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::Dynamic)),
)
.only(|_, _, params: &Gpt2TrainingParams| enough(params))
.catalogue(&["PR6"])
.on_request();

const FP8_DELAYED: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "fp8-delayed",
    "as fp8-dynamic, by the scale of the largest number of the 16 steps before, where there are any (delayed scaling of Transformer Engine)",
    F8,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::Delayed)),
)
.only(|_, _, params: &Gpt2TrainingParams| enough(params))
.catalogue(&["PR6"])
.on_request();

/// Whether rounding averages out.
pub(crate) fn enough(params: &Gpt2TrainingParams) -> Support {
    if params.tokens().min(params.width) >= LEAST {
        return Support::Yes;
    }
    let (tokens, width) = (params.tokens(), params.width);
    Support::No(format!(
        "of {tokens} tokens and {width} numbers each, rounding does not average out, {LEAST} are the least"
    ))
}

fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &Gpt2TrainingParams,
    inputs: &Inputs,
    (keeping, scaling): (Keeping, Scaling),
) -> Result<Box<dyn Subject>> {
    let way = Way { keeping, scaling, telling: Box::new(Ends) };
    Ok(prepared((name, setting), params, inputs, way, &Gpt2Training::steps(params)))
}

/// How a model is trained.
pub(crate) struct Way {
    pub(crate) keeping: Keeping,
    pub(crate) scaling: Scaling,
    pub(crate) telling: Box<dyn Telling>,
}

/// A loop of steps of training as something to time.
pub(crate) fn prepared(
    (name, setting): (&'static str, &Setting),
    params: &Gpt2TrainingParams,
    inputs: &Inputs,
    Way { keeping, scaling, telling }: Way,
    steps: &StepsOf,
) -> Box<dyn Subject> {
    let start = Layout::of(params).weights(inputs);
    let zeros = || vec![0.0; start.len()];
    let looked_at = telling.looks_at(params.layers);
    let training = Training {
        name,
        who: Who::new(name, setting),
        device: setting.device.clone(),
        params: params.clone(),
        ids: Ids(inputs.get("ids").clone()),
        model: Model::new(params, start.clone(), keeping, scaling),
        moments: [zeros(), zeros()],
        start,
        losses: Vec::with_capacity(params.steps),
        norms: Vec::with_capacity(params.steps * TENSORS.len()),
        layers: vec![0.0; looked_at.len()],
        looked_at,
        telling,
    };
    Box::new(Looping::new(name, setting, steps, training))
}

/// A loop of steps.
struct Training {
    name: &'static str,
    who: Who,
    device: String,
    params: Gpt2TrainingParams,
    ids: Ids,
    /// The weights before the first step.
    start: Vec<f32>,
    model: Model,
    moments: [Vec<f32>; 2],
    /// A number for each step that was made.
    losses: Vec<f32>,
    norms: Vec<f32>,
    /// Layers that are looked at, and the norms of their gradients.
    looked_at: Vec<usize>,
    layers: Vec<f64>,
    telling: Box<dyn Telling>,
}

/// The sum of the squares of numbers, the same in every order of tasks.
fn squares(numbers: &[f32]) -> f64 {
    let of = |part: &[f32]| part.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>();
    numbers.par_chunks(TASK).map(of).collect::<Vec<f64>>().into_iter().sum()
}

/// Norms of the gradients of all tensors, and of all weights; those of these layers are left in `norms`.
pub(crate) fn norms_of(
    layout: &Layout,
    grads: &[f32],
    layers: &[usize],
    norms: &mut [f64],
) -> ([f64; TENSORS.len()], f64) {
    let tensors: [f64; TENSORS.len()] = std::array::from_fn(|tensor| squares(&grads[layout.tensor(tensor)]));
    for (norm, layer) in norms.iter_mut().zip(layers) {
        *norm = layout.layer(*layer).map(|part| squares(&grads[part])).sum::<f64>().sqrt();
    }
    (tensors.map(f64::sqrt), tensors.iter().sum::<f64>().sqrt())
}

/// Step `step` of the optimizer, which counts from 1.
pub(crate) fn moved(rate: f64, step: usize) -> AdamWStep {
    AdamWStep { rate, betas: BETAS, epsilon: EPSILON, decay: DECAY, step, isa: Isa::detect() }
}

impl Loop for Training {
    fn begin(&mut self) {
        self.model.weights.copy_from_slice(&self.start);
        self.model.casts.begin();
        self.moments.iter_mut().for_each(|moments| moments.fill(0.0));
        self.losses.clear();
        self.norms.clear();
        self.telling.begin();
    }

    fn step(&mut self, values: &mut [f64]) -> Result<Step> {
        let (made, each) = (self.losses.len(), self.params.batch * (self.params.seq + 1));
        let loss = self.who.said(self.model.loss(&self.ids.0.of::<i32>()[made * each..][..each]))?;
        // The first step is 1, as an optimizer counts.
        let step = made + 1;
        if !loss.is_finite() {
            let reason = format!("diverged: the loss of step {step} of {} is {loss}", self.params.steps);
            return Err(failed(self.name, &self.device, &reason));
        }
        let (norms, gradient_norm) = norms_of(&self.model.layout, &self.model.grads, &self.looked_at, &mut self.layers);
        self.telling.tell(&Told { loss, gradient_norm, layers: &self.layers }, values);
        self.losses.push(loss as f32);
        self.norms.extend(norms.map(|norm| norm as f32));
        let by = moved(self.params.rate, step);
        let [first, second] = &mut self.moments;
        let Model { weights, grads, .. } = &mut self.model;
        self.who.said(simd::adamw(&by, [weights, first, second], grads))?;
        Ok(Step { tokens: self.params.tokens() as i64, more: step < self.params.steps })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let steps = self.params.steps;
        let losses = Array::new(vec![steps, 1], &self.losses);
        Ok(vec![losses, Array::new(vec![steps, TENSORS.len()], &self.norms)])
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        if input != "ids" {
            return Ok(false);
        }
        self.ids.write(first, values);
        Ok(true)
    }

    fn metrics(&self) -> Vec<Metric> {
        let kept = self.model.kept_bytes() as f64;
        vec![
            Metric::modelled("activation_bytes", kept, "bytes"),
            Metric::modelled("activation_bytes_per_sample", kept / self.params.batch as f64, "bytes"),
        ]
    }
}
