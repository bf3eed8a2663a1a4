//! Training on batches whose size varies, in memory that each step takes anew: what `benchbook-worker record-allocations` records.

use std::mem::take;

use benchbook_core::Problem;
use benchbook_simd as simd;
use benchbook_workloads::training::{Gpt2Training, Gpt2TrainingParams, VariableBatchesParams};

use super::casts::Scaling;
use super::gpt2::{Layout, Model};
use super::keeping::Keeping;
use super::steps::{Trained, moved};

/// Seed of weights and texts.
const SEED: u64 = 1;

/// A GPT-2 in training, each of whose batches has another size, those of the usual trace of `variable-batches`. Weights and moments stay;
/// gradients and whatever waits for the pass back are memory of a step.
pub struct Varied {
    params: Gpt2TrainingParams,
    batches: Vec<usize>,
    ids: Vec<i32>,
    weights: Vec<f32>,
    moments: [Vec<f32>; 2],
    done: usize,
}

impl Varied {
    /// A model before its first step.
    pub fn begin() -> Self {
        let batches = VariableBatchesParams::default().batches();
        let params = Gpt2TrainingParams {
            layers: 4,
            width: 128,
            vocabulary: 512,
            batch: batches.iter().copied().max().unwrap_or(1),
            steps: batches.len(),
            ..Gpt2TrainingParams::default()
        };
        let inputs = Gpt2Training::inputs(&params, SEED);
        let weights = Layout::of(&params).weights(&inputs);
        let moments = [(); 2].map(|()| vec![0.0; weights.len()]);
        Self { ids: inputs.get("ids").of::<i32>().to_vec(), params, batches, weights, moments, done: 0 }
    }

    /// Steps in all.
    pub fn steps(&self) -> usize {
        self.batches.len()
    }

    /// Makes the next step; its loss in nats.
    ///
    /// # Errors
    /// All steps have been made, or an instruction set is absent, in words.
    pub fn step(&mut self) -> Result<f64, String> {
        let Some(batch) = self.batches.get(self.done).copied() else {
            return Err("all steps have been made".to_owned());
        };
        let own = Gpt2TrainingParams { batch, ..self.params.clone() };
        let each = own.seq + 1;
        let mut model = Model::new(&own, take(&mut self.weights), Keeping::All, Scaling::None);
        let ids = &self.ids[self.done * self.params.batch * each..][..batch * each];
        let loss = model.loss(ids).map_err(|error| error.to_string())?;
        self.done += 1;
        let [first, second] = &mut self.moments;
        let Model { weights, grads, .. } = &mut model;
        simd::adamw(&moved(own.rate, self.done), [weights, first, second], grads).map_err(|error| error.to_string())?;
        self.weights = take(&mut model.weights);
        Ok(loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_batch_has_a_loss_and_each_training_is_the_same() {
        let losses = || -> Vec<f64> {
            let mut training = Varied::begin();
            let losses = (0..training.steps()).map(|_| training.step().unwrap()).collect();
            assert!(training.step().is_err(), "no step follows the last one");
            losses
        };
        let found = losses();
        // Of 512 tokens each is about as likely as another.
        assert!(found.iter().all(|loss| (loss - 512.0_f64.ln()).abs() < 3.0), "{found:?}");
        assert!(found.windows(2).all(|pair| pair[0] != pair[1]) && losses() == found, "{found:?}");
    }
}
