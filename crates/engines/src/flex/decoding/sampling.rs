//! Tokens drawn from a model's distribution, with guesses that a smaller model has drawn from its own.

use benchbook_core::{Array, Loop, Result, Step};
use benchbook_workloads::decoding::{AT_ONCE, PAIR, Uniform};

use super::greedy::{Who, write_prompt};
use super::text::{Model, Reader};

/// Seed of a loop's draws: the prompt is another in each.
const SEED: u64 = 0x5eed;

/// Probabilities of tokens by their logits.
fn softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|logit| f64::from(logit - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Draws a token by weights, which need not add up to one.
fn draw(weights: &[f64], uniform: &mut Uniform) -> usize {
    let mut left = uniform.number() * weights.iter().sum::<f64>();
    let last = weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0);
    for (token, weight) in weights[..last].iter().enumerate() {
        if left < *weight {
            return token;
        }
        left -= weight;
    }
    last
}

/// Keeps a guess from `draft` with the probability min(1, target / draft); else gives a token of what the target has more of
/// (Leviathan et al., arXiv 2211.17192, section 2.3).
fn replaced(guess: usize, target: &[f64], draft: &[f64], uniform: &mut Uniform) -> Option<usize> {
    if uniform.number() * draft[guess] < target[guess] {
        return None;
    }
    let more: Vec<f64> = target.iter().zip(draft).map(|(target, draft)| (target - draft).max(0.0)).collect();
    // Where rounding leaves nothing, they are the same distribution.
    let weights = if more.iter().any(|more| *more > 0.0) { &more[..] } else { target };
    Some(draw(weights, uniform))
}

/// Draws pairs of tokens after a prompt, one after another.
pub struct Sampling<M: Model, D: Model> {
    /// For errors.
    pub who: Who,
    /// The model, and what it has read.
    pub reader: Reader<M>,
    /// What guesses, where something does.
    pub draft: Option<Reader<D>>,
    /// The prompt.
    pub prompt: Vec<usize>,
    /// Pairs to draw.
    pub most: usize,
    /// The prompt, and what is drawn after it.
    pub ids: Vec<usize>,
    /// first · vocabulary + second of each pair so far.
    pub draws: Vec<i64>,
    /// Where draws come from.
    pub uniform: Uniform,
}

impl<M: Model, D: Model> Sampling<M, D> {
    /// A sampler that has drawn nothing.
    pub fn new(who: Who, reader: Reader<M>, draft: Option<Reader<D>>, prompt: Vec<usize>, most: usize) -> Self {
        let (ids, draws, uniform) = (Vec::new(), Vec::new(), Uniform::new(SEED));
        Self { who, reader, draft, prompt, most, ids, draws, uniform }
    }

    /// Adds a token or several to the text: how many guesses were kept, and how many there were.
    fn next(&mut self, most: usize) -> benchbook_simd::Result<[usize; 2]> {
        let (begin, vocabulary) = (self.ids.len(), self.reader.vocabulary());
        let mut drafts = Vec::new();
        if let Some(draft) = &mut self.draft {
            for _ in 0..most {
                let probabilities = softmax(draft.logits(&self.ids, 1)?);
                self.ids.push(draw(&probabilities, &mut self.uniform));
                drafts.push(probabilities);
            }
        }
        let logits = self.reader.logits(&self.ids, drafts.len() + 1)?;
        let targets: Vec<Vec<f64>> = logits.chunks_exact(vocabulary).map(softmax).collect();
        for (kept, (draft, target)) in drafts.iter().zip(&targets).enumerate() {
            if let Some(other) = replaced(self.ids[begin + kept], target, draft, &mut self.uniform) {
                self.ids.truncate(begin + kept);
                self.ids.push(other);
                return Ok([kept, drafts.len()]);
            }
        }
        self.ids.push(draw(&targets[drafts.len()], &mut self.uniform));
        Ok([drafts.len(); 2])
    }

    /// The next pair: how many guesses were kept, and how many there were.
    fn pair(&mut self) -> benchbook_simd::Result<[usize; 2]> {
        let (given, mut counts) = (self.prompt.len(), [0, 0]);
        self.ids.truncate(given);
        while self.ids.len() < given + PAIR {
            let next = self.next(given + PAIR - self.ids.len())?;
            counts = [counts[0] + next[0], counts[1] + next[1]];
        }
        // After guesses that were all kept there is a third.
        let [first, second] = [self.ids[given], self.ids[given + 1]];
        self.draws.push((first * self.reader.vocabulary() + second) as i64);
        Ok(counts)
    }
}

impl<M: Model, D: Model> Loop for Sampling<M, D> {
    fn begin(&mut self) {
        self.draws.clear();
        self.uniform = Uniform::new(SEED);
    }

    fn step(&mut self, values: &mut [f64]) -> Result<Step> {
        if self.draws.is_empty() {
            self.ids.clear();
            self.ids.extend_from_slice(&self.prompt);
            self.who.said(self.reader.keep(0))?;
            let kept = self.draft.as_mut().map_or(Ok(()), |draft| draft.keep(0));
            self.who.said(kept)?;
        }
        let (now, mut counts) = (AT_ONCE.min(self.most - self.draws.len()), [0, 0]);
        for _ in 0..now {
            let pair = self.pair();
            let pair = self.who.said(pair)?;
            counts = [counts[0] + pair[0], counts[1] + pair[1]];
        }
        for (value, count) in values.iter_mut().zip(counts) {
            *value = count as f64;
        }
        Ok(Step { tokens: (now * PAIR) as i64, more: self.draws.len() < self.most })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![Array::new(vec![self.draws.len()], &self.draws)])
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, _first: usize, values: &[f32]) -> Result<bool> {
        Ok(write_prompt(&mut self.prompt, input, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// χ² of a hundred thousand draws beside probabilities.
    fn chi_square(probabilities: &[f64], mut draw: impl FnMut(&mut Uniform) -> usize) -> f64 {
        let (mut uniform, mut counts, draws) = (Uniform::new(1), vec![0.0; probabilities.len()], 100_000.0);
        (0..100_000).for_each(|_| counts[draw(&mut uniform)] += 1.0);
        let off = |(count, probability): (&f64, &f64)| (count - draws * probability).powi(2) / (draws * probability);
        counts.iter().zip(probabilities).map(off).sum()
    }

    #[test]
    fn what_is_kept_or_replaced_has_the_distribution_of_the_target() {
        let (target, draft) = ([0.5, 0.2, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]);
        let right = chi_square(&target, |uniform| {
            let guess = draw(&draft, uniform);
            replaced(guess, &target, &draft, uniform).unwrap_or(guess)
        });
        let kept = chi_square(&target, |uniform| draw(&draft, uniform));
        let anew = chi_square(&target, |uniform| {
            let guess = draw(&draft, uniform);
            // A known fault: what is refused is drawn from the target itself, not from what it has more of.
            replaced(guess, &target, &draft, uniform).map_or(guess, |_| draw(&target, uniform))
        });
        // χ² of three degrees of freedom exceeds 30.7 once in a million.
        assert!(right < 30.7 && kept > 30.7 && anew > 30.7, "{right} {kept} {anew}");
    }

    #[test]
    fn nothing_impossible_is_drawn() {
        let mut uniform = Uniform::new(2);
        for _ in 0..1000 {
            assert_eq!(draw(&[0.0, 0.0, 3.0, 0.0], &mut uniform), 2);
            assert_eq!(replaced(1, &[0.0, 1.0], &[0.5, 0.5], &mut uniform), None);
            assert_eq!(replaced(0, &[0.0, 1.0], &[0.5, 0.5], &mut uniform), Some(1));
        }
    }
}
