//! A router: the best experts of each token and what they count.

use super::dispatch::check_ids;
use crate::error::{Error, Result, expect_len};
use crate::team::parallel_for;

/// How logits become weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scoring {
    /// The softmax of all logits.
    Softmax,
    /// The softmax of the logits that were chosen.
    TopkSoftmax,
    /// The logistic function of each logit; a bias is added to it for the choice alone.
    Sigmoid,
}

/// What a router is, beside its logits.
#[derive(Debug, Clone, Copy)]
pub struct Router<'a> {
    /// Experts among which it chooses.
    pub experts: usize,
    /// Experts of a token.
    pub chosen: usize,
    /// How logits become weights.
    pub scoring: Scoring,
    /// Whether the weights of a token are divided by their sum.
    pub renormalised: bool,
    /// `[experts]`: what a choice by [`Scoring::Sigmoid`] adds to each score.
    pub bias: Option<&'a [f32]>,
}

/// Tokens of a task: one alone takes less time than to be handed out.
const TOGETHER: usize = 16;

/// What is added to a sum of weights before they are divided by it: of weights that are all 0 none becomes infinite.
const LEAST_SUM: f32 = 1e-20;

impl Router<'_> {
    /// Refuses what is no router of these logits, and gives their tokens.
    fn tokens(&self, logits: &[f32]) -> Result<usize> {
        let Self { experts, chosen, bias, .. } = *self;
        if experts == 0 || chosen > experts || experts > i32::MAX as usize {
            return Err(Error::Shape(format!("{chosen} of {experts} experts cannot be chosen")));
        }
        if !logits.len().is_multiple_of(experts) {
            return Err(Error::Shape(format!("{} logits are no whole number of rows of {experts}", logits.len())));
        }
        bias.map_or(Ok(()), |bias| expect_len("the bias", &[experts], bias.len()))?;
        Ok(logits.len() / experts)
    }

    /// By what experts are chosen.
    fn score(&self, logits: &[f32], expert: usize) -> f32 {
        match self.scoring {
            Scoring::Softmax | Scoring::TopkSoftmax => logits[expert],
            Scoring::Sigmoid => logistic(logits[expert]) + self.bias.map_or(0.0, |bias| bias[expert]),
        }
    }

    /// Experts and weights of one token.
    fn one(&self, logits: &[f32], experts: &mut [i32], weights: &mut [f32]) {
        choose(logits.len(), |expert| self.score(logits, expert), experts, weights);
        let most = largest(logits);
        let part = |expert: &i32| (logits[*expert as usize] - most).exp();
        let total: f32 = match self.scoring {
            Scoring::Softmax => logits.iter().map(|logit| (logit - most).exp()).sum(),
            Scoring::TopkSoftmax => experts.iter().map(part).sum(),
            Scoring::Sigmoid => 1.0,
        };
        for (weight, expert) in weights.iter_mut().zip(&*experts) {
            *weight = match self.scoring {
                Scoring::Softmax | Scoring::TopkSoftmax => part(expert) / total,
                Scoring::Sigmoid => logistic(logits[*expert as usize]),
            };
        }
        if self.renormalised {
            let sum = weights.iter().sum::<f32>() + LEAST_SUM;
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
    }

    /// The gradients of the logits of one token, where those of the weights of its experts are given.
    fn one_back(&self, logits: &[f32], ids: &[i32], [weights, counts]: [&[f32]; 2], to: &mut [f32]) {
        let all: f32 = weights.iter().zip(counts).map(|(weight, count)| weight * count).sum();
        if self.scoring == Scoring::Sigmoid {
            // A weight alone takes from nobody, one that is divided by the sum from all that were chosen.
            let lost = if self.renormalised { all } else { 0.0 };
            to.fill(0.0);
            for ((id, weight), count) in ids.iter().zip(weights).zip(counts) {
                to[*id as usize] = weight * logistic(-logits[*id as usize]) * (count - lost);
            }
            return;
        }
        // What one gains, all others in the softmax lose: everybody, or those that were chosen.
        if self.scoring == Scoring::Softmax && !self.renormalised {
            // The first one has the largest logit, and its weight is known.
            let (best, weight) = (logits[ids[0] as usize], weights[0]);
            to.iter_mut().zip(logits).for_each(|(to, logit)| *to = -(weight * (logit - best).exp() * all));
        } else {
            to.fill(0.0);
            ids.iter().zip(weights).for_each(|(id, weight)| to[*id as usize] -= weight * all);
        }
        for ((id, weight), count) in ids.iter().zip(weights).zip(counts) {
            to[*id as usize] += weight * count;
        }
    }
}

/// The best `experts.len()` experts of each token, `[tokens, chosen]`, the best first and of equals the one with the lower index,
/// and their `weights`. A logit that is no number comes after all that are. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, more experts to choose than there are.
pub fn route(router: &Router, logits: &[f32], experts: &mut [i32], weights: &mut [f32]) -> Result<()> {
    let (tokens, chosen) = (router.tokens(logits)?, router.chosen);
    expect_len("the experts chosen", &[tokens, chosen], experts.len())?;
    expect_len("their weights", &[tokens, chosen], weights.len())?;
    if chosen == 0 {
        return Ok(());
    }
    let chosen_of = experts.chunks_mut(TOGETHER * chosen).zip(weights.chunks_mut(TOGETHER * chosen));
    parallel_for(logits.chunks(TOGETHER * router.experts).zip(chosen_of), |(logits, (experts, weights))| {
        let each = experts.chunks_exact_mut(chosen).zip(weights.chunks_exact_mut(chosen));
        for (logits, (experts, weights)) in logits.chunks_exact(router.experts).zip(each) {
            router.one(logits, experts, weights);
        }
    });
    Ok(())
}

/// The gradients of logits `[tokens, experts]` into `to`, where `counts` `[tokens, chosen]` are those of the weights of the experts
/// `ids` that [`route`] has chosen. A choice has none, and so has its bias. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, experts that there are not.
pub fn route_backward(
    router: &Router,
    logits: &[f32],
    ids: &[i32],
    weights: &[f32],
    counts: &[f32],
    to: &mut [f32],
) -> Result<()> {
    let (tokens, experts, chosen) = (router.tokens(logits)?, router.experts, router.chosen);
    expect_len("the experts chosen", &[tokens, chosen], ids.len())?;
    expect_len("their weights", &[tokens, chosen], weights.len())?;
    expect_len("the gradients of these", &[tokens, chosen], counts.len())?;
    expect_len("the gradients of the logits", &[tokens, experts], to.len())?;
    check_ids(ids, experts)?;
    if chosen == 0 {
        to.fill(0.0);
        return Ok(());
    }
    let all = logits.chunks(TOGETHER * experts).zip(to.chunks_mut(TOGETHER * experts));
    let of_chosen = ids.chunks(TOGETHER * chosen).zip(weights.chunks(TOGETHER * chosen));
    let of_chosen = of_chosen.zip(counts.chunks(TOGETHER * chosen));
    parallel_for(all.zip(of_chosen), |((logits, to), ((ids, weights), counts))| {
        let all = logits.chunks_exact(experts).zip(to.chunks_exact_mut(experts));
        let of_chosen = ids.chunks_exact(chosen).zip(weights.chunks_exact(chosen)).zip(counts.chunks_exact(chosen));
        for ((logits, to), ((ids, weights), counts)) in all.zip(of_chosen) {
            router.one_back(logits, ids, [weights, counts], to);
        }
    });
    Ok(())
}

/// The experts with the largest scores in `experts`, and these scores in `scores`, both from the best to the last.
fn choose(count: usize, score: impl Fn(usize) -> f32, experts: &mut [i32], scores: &mut [f32]) {
    let mut held = 0;
    for expert in 0..count {
        let mine = score(expert);
        // Whoever is as good came before.
        let worse = |other: &f32| mine > *other || (other.is_nan() && !mine.is_nan());
        let place = scores[..held].iter().position(worse).unwrap_or(held);
        if place == scores.len() {
            continue;
        }
        held = (held + 1).min(scores.len());
        scores.copy_within(place..held - 1, place + 1);
        experts.copy_within(place..held - 1, place + 1);
        (scores[place], experts[place]) = (mine, expert as i32);
    }
}

/// The tokens of each expert in `load` `[experts]`, and what they make of the auxiliary loss: experts × Σ load / (tokens × chosen)
/// × the mean of an expert's probability (Fedus et al., arXiv 2101.03961, equations 4 to 6); 0 of no choices.
///
/// # Errors
/// Slices of the wrong length, experts that there are not.
pub fn auxiliary_loss(router: &Router, logits: &[f32], experts: &[i32], load: &mut [i32]) -> Result<f32> {
    let tokens = router.tokens(logits)?;
    expect_len("the experts chosen", &[tokens, router.chosen], experts.len())?;
    expect_len("the load", &[router.experts], load.len())?;
    load.fill(0);
    check_ids(experts, router.experts)?;
    experts.iter().for_each(|expert| load[*expert as usize] += 1);
    if experts.is_empty() {
        return Ok(0.0);
    }
    let of_token = |logits: &[f32]| {
        let most = largest(logits);
        let (mut loss, mut total) = (0.0_f64, f64::from(LEAST_SUM));
        for (logit, load) in logits.iter().zip(&*load) {
            let part = match router.scoring {
                Scoring::Softmax | Scoring::TopkSoftmax => (logit - most).exp(),
                Scoring::Sigmoid => logistic(*logit),
            };
            loss += f64::from(part) * f64::from(*load);
            total += f64::from(part);
        }
        loss / total
    };
    let sum: f64 = logits.chunks_exact(router.experts).map(of_token).sum();
    Ok((sum * router.experts as f64 / (tokens * experts.len()) as f64) as f32)
}

fn largest(logits: &[f32]) -> f32 {
    logits.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
