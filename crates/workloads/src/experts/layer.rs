//! A layer of experts: its inputs, its reference and its work, whether it has a capacity or not.

use benchbook_core::{Answer, Array, Check, DType, Inputs, Metric, Reference, Work};

use super::router::{Router, Routing, taken};
use crate::rows::{by_rows, times};

/// Tokens that an expert takes at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Tokens of an expert at most.
    pub slots: usize,
    /// Who gets them.
    pub priority: Priority,
}

/// Which tokens of an expert come before others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Those that stand first.
    Position,
    /// Those with the largest logits for this expert, of equals those that stand first. A logit is the same number for everybody,
    /// which a probability is not: so who is dropped never hangs on rounding.
    Logit,
}

/// A layer of experts, each of which is silu(x · gate) ⊙ (x · up) · down.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Who decides.
    pub router: Router,
    /// Experts beside, which every token goes to with a weight of 1.
    pub shared: usize,
    /// Numbers of a token.
    pub width: usize,
    /// Numbers between the two halves of an expert.
    pub hidden: usize,
    /// What an expert takes at most; without it, nobody is dropped.
    pub capacity: Option<Capacity>,
}

/// Numbers of all weights at most.
const MOST_NUMBERS: f64 = 1e10;

/// The seed where there is none: that of the logits by which work is counted, which has to follow from the case alone, and of the
/// rows that are looked at beside outputs that have gone another way.
pub(crate) const FIXED: u64 = 0;

impl Layer {
    /// Refuses what no layer can be.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        self.router.check()?;
        let numbers = (self.router.experts + self.shared) as f64 * self.numbers_of_expert();
        if numbers > MOST_NUMBERS {
            return Err(("experts", format!("the weights of all experts are {numbers:.1e} numbers, over 10^10")));
        }
        Ok(())
    }

    pub(super) fn label(&self) -> String {
        let Self { shared, width, hidden, .. } = *self;
        let shared = if shared == 0 { String::new() } else { format!(" +{shared}") };
        format!("{}{shared} d{width} f{hidden}", self.router.label())
    }

    pub(super) fn inputs(&self, seed: u64) -> Inputs {
        let Self { shared, width, hidden, .. } = *self;
        let experts = self.router.experts + shared;
        let drawn = |shape: [usize; 3], stream: u64| {
            let mut array = Array::normal(shape.to_vec(), seed, stream);
            let factor = 1.0 / (shape[1] as f32).sqrt();
            array.of_mut::<f32>().iter_mut().for_each(|number| *number *= factor);
            array
        };
        let mut inputs = self.router.inputs(seed);
        inputs.insert("input", Array::normal(vec![self.router.tokens, width], seed, 3));
        inputs.insert("w_gate", drawn([experts, width, hidden], 4));
        inputs.insert("w_up", drawn([experts, width, hidden], 5));
        inputs.insert("w_down", drawn([experts, hidden, width], 6));
        inputs
    }

    /// By plain loops; a row is one token.
    pub(super) fn reference(&self, inputs: &Inputs, seed: u64) -> Reference {
        self.answers(inputs, seed, None)
    }

    /// The same, where experts that score the same but for rounding were chosen otherwise.
    pub(super) fn follow(&self, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        let taken = taken(&self.router, outputs.get(1))?;
        Some(self.answers(inputs, FIXED, Some(&taken)))
    }

    fn answers(&self, inputs: &Inputs, seed: u64, taken: Option<&[f64]>) -> Reference {
        let router = &self.router;
        let routing = router.route(inputs, taken);
        let kept = self.kept(inputs, &routing);
        let cost = self.numbers_of_expert() as usize * (router.chosen + self.shared).max(1);
        let one = |token: usize| self.token(inputs, token, &self.of_token(&routing, &kept, token));
        let mut reference = by_rows(vec![router.tokens, self.width], cost, seed, one);
        if router.chosen > 0 {
            reference.answers.push(router.answer(&routing));
            let flags = kept.iter().map(|kept| f64::from(u8::from(*kept))).collect();
            let kept = Answer { check: Check::Exact, ..router.near("kept", flags) };
            reference.answers.extend(self.capacity.map(|_| kept));
        }
        reference
    }

    /// Which choices have a slot: `[tokens, chosen]`.
    pub(super) fn kept(&self, inputs: &Inputs, routing: &Routing) -> Vec<bool> {
        let Some(Capacity { slots, priority }) = self.capacity else { return vec![true; routing.experts.len()] };
        let (logits, router) = (inputs.numbers("logits"), &self.router);
        let mut kept = vec![false; routing.experts.len()];
        for expert in 0..router.experts {
            let mine = routing.experts.iter().enumerate().filter(|(_, chosen)| **chosen == expert);
            let mut mine: Vec<usize> = mine.map(|(place, _)| place).collect();
            let logit = |place: usize| logits[place / router.chosen * router.experts + expert] + 0.0;
            if priority == Priority::Logit {
                mine.sort_by(|a, b| logit(*b).total_cmp(&logit(*a)));
            }
            mine.into_iter().take(slots).for_each(|place| kept[place] = true);
        }
        kept
    }

    /// Experts of a token, and what each counts.
    pub(super) fn of_token(&self, routing: &Routing, kept: &[bool], token: usize) -> Vec<(usize, f64)> {
        let Router { experts, chosen, .. } = self.router;
        let places = (token * chosen..(token + 1) * chosen).filter(|place| kept[*place]);
        let shared = (experts..experts + self.shared).map(|expert| (expert, 1.0));
        places.map(|place| (routing.experts[place], routing.weights[place])).chain(shared).collect()
    }

    fn token(&self, inputs: &Inputs, token: usize, experts: &[(usize, f64)]) -> Vec<f64> {
        let Self { width, hidden, .. } = *self;
        let [input, gate, up, down] = ["input", "w_gate", "w_up", "w_down"].map(|name| inputs.numbers(name));
        let row: Vec<f64> = input[token * width..][..width].iter().map(|x| f64::from(*x)).collect();
        let mut sums = vec![0.0; width];
        for (expert, weight) in experts {
            let given = of_expert(*expert, &row, [gate, up, down], hidden);
            sums.iter_mut().zip(given).for_each(|(sum, given)| *sum += weight * given);
        }
        sums
    }

    /// Of its three factors.
    pub(super) fn numbers_of_expert(&self) -> f64 {
        3.0 * self.width as f64 * self.hidden as f64
    }

    /// Three products for each row of an expert; of the weights, those of the experts that some token goes to. Both are counted
    /// where the logits are those of one seed, as are all of a case.
    pub(super) fn work(&self, dtype: DType) -> Work {
        let Router { tokens, experts, chosen, .. } = self.router;
        let inputs = self.router.inputs(FIXED);
        let routing = self.router.route(&inputs, None);
        let kept = self.kept(&inputs, &routing);
        let mut touched = vec![false; experts];
        routing.experts.iter().zip(&kept).filter(|(_, kept)| **kept).for_each(|(expert, _)| touched[*expert] = true);
        let touched = touched.into_iter().filter(|touched| *touched).count() + self.shared;
        let rows = kept.into_iter().filter(|kept| *kept).count() + self.shared * tokens;
        let numbers = touched as f64 * self.numbers_of_expert() + (tokens * (2 * self.width + experts)) as f64;
        let indices = 4.0 * (tokens * chosen) as f64;
        Work { flops: 2.0 * rows as f64 * self.numbers_of_expert(), bytes: numbers * dtype.bytes() as f64 + indices }
    }

    pub(super) fn metrics(&self, inputs: &Inputs) -> Vec<Metric> {
        let routing = self.router.route(inputs, None);
        let mut metrics = self.router.metrics(inputs, &routing);
        if let Some(Capacity { slots, .. }) = self.capacity {
            let kept = self.kept(inputs, &routing);
            let dropped = kept.iter().filter(|kept| !**kept).count() as f64;
            metrics.push(Metric::modelled("capacity_slots", slots as f64, "count"));
            metrics.push(Metric::modelled("dropped_share", dropped / kept.len().max(1) as f64, "share"));
        }
        metrics
    }
}

/// What an expert makes of a row, silu(row · gate) ⊙ (row · up) · down; its factors lie among those of all experts.
pub(crate) fn of_expert(expert: usize, row: &[f64], [gate, up, down]: [&[f32]; 3], hidden: usize) -> Vec<f64> {
    let mine = expert * row.len() * hidden..(expert + 1) * row.len() * hidden;
    let [gate, up] = [gate, up].map(|all| times(row.iter().copied(), &all[mine.clone()], hidden));
    let between = gate.into_iter().zip(up).map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up);
    times(between, &down[mine], row.len())
}
