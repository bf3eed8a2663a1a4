//! Whether gradients are healthy: what a step of training tells of each layer.

use std::collections::VecDeque;

use crate::flex::training::told::{Telling, Told};

/// Steps of which a mean is taken.
const RECENT: usize = 16;

/// Steps of a layer before which nothing is called too large.
const LEAST: usize = 4;

/// How many times the mean norm of the steps before is that of a layer that explodes.
const EXPLODES: f64 = 10.0;

/// Share of the norm of the largest layer below which that of another vanishes.
const VANISHES: f64 = 1e-3;

/// What is told before the norms of the layers, and its units.
const TOLD: [(&str, &str); 6] = [
    ("loss", "nats"),
    ("recent_loss", "nats"),
    ("gradient_norm", "1"),
    ("layers_not_finite", "count"),
    ("layers_exploding", "count"),
    ("layers_vanishing", "count"),
];

/// Name and unit of each number that a step tells, of so many layers.
pub fn values(layers: usize) -> Vec<(String, String)> {
    let of_layer = (0..layers).map(|layer| (format!("gradient_norm_layer_{layer}"), "1".to_owned()));
    TOLD.iter().map(|(name, unit)| ((*name).to_owned(), (*unit).to_owned())).chain(of_layer).collect()
}

/// The last numbers of many.
#[derive(Debug, Clone, Default)]
struct Recent(VecDeque<f64>);

impl Recent {
    fn keep(&mut self, number: f64) {
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back(number);
    }

    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }
}

/// Tells the loss, the mean of the last losses, and of each layer the norm of its gradient; and how many layers have one that is no
/// number, that is ten times what it was in the steps before (*explodes*), or a thousandth of that of another (*vanishes*).
pub struct Health {
    losses: Recent,
    layers: Vec<Recent>,
}

impl Health {
    /// That of a model of so many layers.
    pub fn new(layers: usize) -> Self {
        Self { losses: Recent::default(), layers: vec![Recent::default(); layers] }
    }
}

impl Telling for Health {
    fn looks_at(&self, layers: usize) -> Vec<usize> {
        (0..layers).collect()
    }

    fn begin(&mut self) {
        self.losses.0.clear();
        self.layers.iter_mut().for_each(|recent| recent.0.clear());
    }

    fn tell(&mut self, step: &Told<'_>, values: &mut [f64]) {
        let largest = step.layers.iter().copied().filter(|norm| norm.is_finite()).fold(0.0, f64::max);
        let [mut not_finite, mut exploding, mut vanishing] = [0.0; 3];
        for (norm, recent) in step.layers.iter().zip(&mut self.layers) {
            if !norm.is_finite() {
                not_finite += 1.0;
                continue;
            }
            if recent.0.len() >= LEAST && *norm > EXPLODES * recent.mean() {
                exploding += 1.0;
            }
            if *norm < VANISHES * largest {
                vanishing += 1.0;
            }
            recent.keep(*norm);
        }
        self.losses.keep(step.loss);
        let told = [step.loss, self.losses.mean(), step.gradient_norm, not_finite, exploding, vanishing];
        let told = told.into_iter().chain(step.layers.iter().copied());
        values.iter_mut().zip(told).for_each(|(to, value)| *to = value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_explode_beside_what_they_were_and_vanish_beside_the_others() {
        let mut health = Health::new(3);
        assert_eq!(values(3).len(), 9);
        let mut told = |loss: f64, layers: [f64; 3]| {
            let mut values = [0.0; 9];
            health.tell(&Told { loss, gradient_norm: 7.0, layers: &layers }, &mut values);
            values
        };
        assert_eq!(told(4.0, [1.0, 2.0, 3.0]), [4.0, 4.0, 7.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
        // Nothing is known of what is usual yet; a thousandth of 20 is more than 0.01.
        assert_eq!(told(2.0, [0.01, 20.0, 3.0])[1..6], [3.0, 7.0, 0.0, 0.0, 1.0]);
        told(3.0, [1.0, 2.0, 3.0]);
        told(3.0, [1.0, 2.0, 3.0]);
        // The means are 0.75, 6.5 and 3.
        assert_eq!(told(3.0, [7.6, 64.0, f64::NAN])[3..6], [1.0, 1.0, 0.0]);
        assert_eq!(told(3.0, [7.6, 64.0, 30.1])[3..6], [0.0, 1.0, 0.0], "what was no number is not remembered");
    }

    #[test]
    fn the_recent_loss_is_that_of_sixteen_steps_and_a_loop_begins_anew() {
        let mut health = Health::new(1);
        let mut last = [0.0; 7];
        for step in 0..40 {
            health.tell(&Told { loss: f64::from(step), gradient_norm: 1.0, layers: &[1.0] }, &mut last);
        }
        // The mean of 24 to 39.
        assert_eq!(last[..2], [39.0, 31.5]);
        health.begin();
        health.tell(&Told { loss: 5.0, gradient_norm: 1.0, layers: &[99.0] }, &mut last);
        assert_eq!(last[..5], [5.0, 5.0, 1.0, 0.0, 0.0]);
    }
}
