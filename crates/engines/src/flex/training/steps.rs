//! Steps of training as a loop to time, whatever the model: loss and gradients, what they tell, and AdamW.

use std::ops::Range;

use benchbook_core::{Array, Loop, Looping, Metric, Result, Setting, Step, StepsOf, Subject};
use benchbook_simd::{self as simd, AdamWStep, Isa};
use benchbook_workloads::training::{BETAS, DECAY, EPSILON};
use rayon::prelude::*;

use super::casts::Scaling;
use super::keeping::Keeping;
use super::told::{Telling, Told};
use crate::flex::calls::{Ids, failed};
use crate::flex::decoding::Who;
use crate::flex::subject::Rows;

/// Numbers whose squares a task adds up.
const TASK: usize = 1 << 16;

/// Where the tensors of a model lie, one after another, so that an optimizer takes them as one.
pub trait Places {
    /// Each tensor, in the order in which gradients are told.
    fn tensors(&self) -> impl Iterator<Item = Range<usize>>;

    /// All that belongs to a layer.
    fn layer(&self, layer: usize) -> impl Iterator<Item = Range<usize>>;
}

/// A model in training.
pub trait Trained {
    /// Where its tensors lie.
    type Layout: Places;

    /// See there.
    fn layout(&self) -> &Self::Layout;

    /// The gradients that the last loss has left.
    fn grads(&self) -> &[f32];

    /// Weights, to move, by these gradients.
    fn weights_and_grads(&mut self) -> (&mut [f32], &[f32]);

    /// Forgets what earlier steps have left beside weights.
    fn begin(&mut self);

    /// The mean cross-entropy of the tokens that follow each of `ids` `[batch, seq + 1]`, in nats; its gradients are left.
    ///
    /// # Errors
    /// A token that there is not.
    fn loss(&mut self, ids: &[i32]) -> simd::Result<f64>;

    /// Bytes that wait for the pass back.
    fn kept_bytes(&self) -> usize;
}

/// How a model is trained.
pub struct Way {
    pub keeping: Keeping,
    pub scaling: Scaling,
    pub telling: Box<dyn Telling>,
}

/// How long, and on how much at a time.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    pub layers: usize,
    pub batch: usize,
    pub seq: usize,
    pub steps: usize,
    pub rate: f64,
}

/// The sum of the squares of numbers, the same in every order of tasks.
pub fn squares(numbers: &[f32]) -> f64 {
    let of = |part: &[f32]| part.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>();
    numbers.par_chunks(TASK).map(of).collect::<Vec<f64>>().into_iter().sum()
}

/// Norms of the gradients of all tensors, and of all weights; those of these layers are left in `norms`.
pub fn norms_of(layout: &impl Places, grads: &[f32], layers: &[usize], norms: &mut [f64]) -> (Vec<f64>, f64) {
    let mut tensors: Vec<f64> = layout.tensors().map(|part| squares(&grads[part])).collect();
    for (norm, layer) in norms.iter_mut().zip(layers) {
        *norm = layout.layer(*layer).map(|part| squares(&grads[part])).sum::<f64>().sqrt();
    }
    let all = tensors.iter().sum::<f64>().sqrt();
    tensors.iter_mut().for_each(|norm| *norm = norm.sqrt());
    (tensors, all)
}

/// Step `step` of the optimizer, which counts from 1.
pub fn moved(rate: f64, step: usize) -> AdamWStep {
    AdamWStep { rate, betas: BETAS, epsilon: EPSILON, decay: DECAY, step, isa: Isa::detect() }
}

/// A loop of steps of training as something to time, on `ids` `[steps, batch, seq + 1]`.
pub fn stepped<M: Trained + 'static>(
    (name, setting): (&'static str, &Setting),
    mut model: M,
    course: Course,
    ids: &Array,
    telling: Box<dyn Telling>,
    steps: &StepsOf,
) -> Box<dyn Subject> {
    let start = model.weights_and_grads().0.to_vec();
    let zeros = || vec![0.0; start.len()];
    let looked_at = telling.looks_at(course.layers);
    let tensors = model.layout().tensors().count();
    let training = Training {
        name,
        who: Who::new(name, setting),
        device: setting.device.clone(),
        course,
        ids: Ids(ids.clone()),
        model,
        moments: [zeros(), zeros()],
        start,
        tensors,
        losses: Vec::with_capacity(course.steps),
        norms: Vec::with_capacity(course.steps * tensors),
        layers: vec![0.0; looked_at.len()],
        looked_at,
        telling,
    };
    Box::new(Looping::new(name, setting, steps, training))
}

/// A loop of steps.
struct Training<M> {
    name: &'static str,
    who: Who,
    device: String,
    course: Course,
    ids: Ids,
    /// The weights before the first step.
    start: Vec<f32>,
    model: M,
    moments: [Vec<f32>; 2],
    /// Tensors of the model.
    tensors: usize,
    /// A number for each step that was made.
    losses: Vec<f32>,
    norms: Vec<f32>,
    /// Layers that are looked at, and the norms of their gradients.
    looked_at: Vec<usize>,
    layers: Vec<f64>,
    telling: Box<dyn Telling>,
}

impl<M: Trained> Loop for Training<M> {
    fn begin(&mut self) {
        self.model.weights_and_grads().0.copy_from_slice(&self.start);
        self.model.begin();
        self.moments.iter_mut().for_each(|moments| moments.fill(0.0));
        self.losses.clear();
        self.norms.clear();
        self.telling.begin();
    }

    fn step(&mut self, values: &mut [f64]) -> Result<Step> {
        let Course { batch, seq, steps, rate, .. } = self.course;
        let (made, each) = (self.losses.len(), batch * (seq + 1));
        let loss = self.who.said(self.model.loss(&self.ids.0.of::<i32>()[made * each..][..each]))?;
        // The first step is 1, as an optimizer counts.
        let step = made + 1;
        if !loss.is_finite() {
            let reason = format!("diverged: the loss of step {step} of {steps} is {loss}");
            return Err(failed(self.name, &self.device, &reason));
        }
        let Self { model, looked_at, layers, .. } = self;
        let (norms, gradient_norm) = norms_of(model.layout(), model.grads(), looked_at, layers);
        self.telling.tell(&Told { loss, gradient_norm, layers: &self.layers }, values);
        self.losses.push(loss as f32);
        self.norms.extend(norms.into_iter().map(|norm| norm as f32));
        let [first, second] = &mut self.moments;
        let (weights, grads) = self.model.weights_and_grads();
        self.who.said(simd::adamw(&moved(rate, step), [weights, first, second], grads))?;
        Ok(Step { tokens: (batch * seq) as i64, more: step < steps })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let steps = self.course.steps;
        let losses = Array::new(vec![steps, 1], &self.losses);
        Ok(vec![losses, Array::new(vec![steps, self.tensors], &self.norms)])
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
            Metric::modelled("activation_bytes_per_sample", kept / self.course.batch as f64, "bytes"),
        ]
    }
}
