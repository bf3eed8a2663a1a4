//! What references of training are made of, in `f64`: tensors, products forward and back, the loss, and steps of AdamW.

use std::collections::BTreeMap;

use benchbook_core::{Answer, Check, DType, Inputs, Reference};
use rayon::prelude::*;

use super::adamw::updated;
use crate::attention::reference::add;

/// A number for each place of each tensor: weights, or their gradients.
#[derive(Clone)]
pub struct Tensors(BTreeMap<&'static str, Vec<f64>>);

impl Tensors {
    /// The weights of a case, whose tensors have these names.
    pub fn of(inputs: &Inputs, names: &[&'static str]) -> Self {
        let of = |name: &&'static str| -> (&'static str, Vec<f64>) {
            (*name, inputs.numbers(name).iter().map(|x| f64::from(*x)).collect())
        };
        Self(names.iter().map(of).collect())
    }

    /// As many zeros.
    pub fn zeros(&self) -> Self {
        Self(self.0.iter().map(|(name, numbers)| (*name, vec![0.0; numbers.len()])).collect())
    }

    /// The numbers of a tensor.
    ///
    /// # Panics
    /// There is none of this name.
    pub fn get(&self, name: &str) -> &[f64] {
        &self.0[name]
    }

    /// The same, to write.
    ///
    /// # Panics
    /// As there.
    pub fn get_mut(&mut self, name: &str) -> &mut [f64] {
        self.0.get_mut(name).unwrap_or_else(|| panic!("the model has no tensor `{name}`"))
    }

    /// The part of a tensor that belongs to a place, where each has so many numbers.
    pub(super) fn part(&self, name: &str, place: usize, count: usize) -> &[f64] {
        &self.get(name)[place * count..][..count]
    }

    /// Adds to that part.
    pub(super) fn add(&mut self, name: &str, place: usize, more: &[f64]) {
        add(&mut self.get_mut(name)[place * more.len()..][..more.len()], more);
    }
}

/// Rows of `from` numbers times weights `[from, to]`.
pub(super) fn product(x: &[f64], weights: &[f64], [from, to]: [usize; 2]) -> Vec<f64> {
    let one = |row: &[f64]| {
        let mut sums = vec![0.0; to];
        for (x, weights) in row.iter().zip(weights.chunks_exact(to)) {
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * weight);
        }
        sums
    };
    x.par_chunks_exact(from).flat_map_iter(one).collect()
}

/// Rows of `to` numbers times the transpose of weights `[from, to]`.
pub(super) fn to_input(grad: &[f64], weights: &[f64], [_, to]: [usize; 2]) -> Vec<f64> {
    let dot = |row: &[f64], weights: &[f64]| -> f64 { row.iter().zip(weights).map(|(x, weight)| x * weight).sum() };
    let one = |row: &'_ [f64]| -> Vec<f64> { weights.chunks_exact(to).map(|weights| dot(row, weights)).collect() };
    grad.par_chunks_exact(to).flat_map_iter(one).collect()
}

/// The transpose of rows of `from` numbers times rows of `to` numbers: `[from, to]`.
pub(super) fn to_weights(x: &[f64], grad: &[f64], [from, to]: [usize; 2]) -> Vec<f64> {
    let one = |place: usize| {
        let mut sums = vec![0.0; to];
        for (x, grad) in x.chunks_exact(from).zip(grad.chunks_exact(to)) {
            sums.iter_mut().zip(grad).for_each(|(sum, grad)| *sum += x[place] * grad);
        }
        sums
    };
    (0..from).into_par_iter().flat_map_iter(one).collect()
}

/// The cross-entropy of a row of logits, which become its gradient, over `count`.
fn entropy(row: &mut [f64], id: usize, count: f64) -> f64 {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|logit| (logit - most).exp()).sum();
    let loss = most + sum.ln() - row[id];
    row.iter_mut().for_each(|logit| *logit = (*logit - most).exp() / sum / count);
    row[id] -= 1.0 / count;
    loss
}

/// Logits of rows by the table `name` `[vocabulary, width]`, which tokens come in by: the mean loss of what was wanted of each row, in
/// nats, and the gradient of the rows; that of the table is set.
pub(super) fn head(
    name: &'static str,
    (weights, grads): (&Tensors, &mut Tensors),
    rows: &[f64],
    wanted: &[usize],
    vocabulary: usize,
) -> (f64, Vec<f64>) {
    let table = weights.get(name);
    let (count, size) = (wanted.len() as f64, [vocabulary, table.len() / vocabulary]);
    let mut logits = to_input(rows, table, size);
    let losses: Vec<f64> =
        logits.par_chunks_exact_mut(vocabulary).zip(wanted).map(|(row, id)| entropy(row, *id, count)).collect();
    grads.get_mut(name).copy_from_slice(&to_weights(&logits, rows, size));
    (losses.iter().sum::<f64>() / count, product(&logits, table, size))
}

/// Multiply-adds that a reference spends on steps at most; the first step is always computed.
pub(super) const BUDGET: f64 = 1e10;

/// Steps of training, as a case has them.
#[derive(Clone, Copy)]
pub(super) struct Course {
    pub steps: usize,
    pub rate: f64,
    /// Ids of a step.
    pub ids: usize,
    /// Multiply-adds of a step.
    pub products: f64,
}

/// Losses `[steps, 1]` and norms of gradients `[steps, tensors]` of as many steps as the budget allows, the first among them. A batch of
/// `ids` has its loss and gradients by `of`.
pub(super) fn steps_of(
    Course { steps, rate, ids: each, products }: Course,
    names: &[&'static str],
    inputs: &Inputs,
    mut of: impl FnMut(&Tensors, &[i32]) -> (f64, Tensors),
) -> Reference {
    let made = ((BUDGET / products) as usize).clamp(1, steps);
    let mut weights = Tensors::of(inputs, names);
    let mut moments = [weights.zeros(), weights.zeros()];
    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for (step, ids) in inputs.get("ids").of::<i32>().chunks_exact(each).take(made).enumerate() {
        let (loss, grads) = of(&weights, ids);
        losses.push(loss);
        for name in names {
            norms.push(grads.get(name).iter().map(|grad| grad * grad).sum::<f64>().sqrt());
            let [first, second] = &mut moments;
            let moments = first.get_mut(name).iter_mut().zip(second.get_mut(name));
            let both = weights.get_mut(name).iter_mut().zip(grads.get(name));
            for ((weight, grad), (first, second)) in both.zip(moments) {
                [*weight, *first, *second] = updated(step + 1, rate, [*weight, *grad, *first, *second]);
            }
        }
    }
    let answer = |name: &'static str, width: usize, values: Vec<f64>| Answer {
        name: name.into(),
        shape: vec![steps, width],
        rows: (0..made).collect(),
        values,
        check: Check::Near,
    };
    Reference { answers: vec![answer("losses", 1, losses), answer("norms", names.len(), norms)] }
}

/// A chain of layers forward and back, and steps that follow each other. Where factors are floats of eight bits, products are in `f32` all
/// the same, and what is right has these factors too ([`EightBits`](super::EightBits)).
pub(super) fn tolerance(dtype: DType) -> f64 {
    let computed = if dtype == DType::F8e4m3 { DType::F32 } else { dtype };
    4.0 * crate::tolerance(computed)
}

/// Holds the gradients of a loss, of which of seven tokens follows, to its slopes.
#[cfg(test)]
pub(super) fn are_slopes(weights: &Tensors, of: impl Fn(&Tensors) -> (f64, Tensors)) {
    let (loss, grads) = of(weights);
    // Each of the seven is about as likely as another.
    assert!((loss - 7.0_f64.ln()).abs() < 1.0, "{loss}");
    for (name, numbers) in &weights.0 {
        for place in (0..numbers.len()).step_by(numbers.len().div_ceil(11)) {
            let moved = |by: f64| {
                let mut weights = weights.clone();
                weights.get_mut(name)[place] += by;
                of(&weights).0
            };
            // By five points (Abramowitz & Stegun, 25.3.6): fifth derivatives times 10⁻¹⁶ / 30, and a loss of two, rounded to 2⁻⁵²,
            // over the step.
            let both = |by: f64| moved(by) - moved(-by);
            let slope = (8.0 * both(1e-4) - both(2e-4)) / 12e-4;
            let found = grads.get(name)[place];
            assert!((slope - found).abs() < 1e-8, "{name} {place}: {found} for {slope}");
        }
    }
}
