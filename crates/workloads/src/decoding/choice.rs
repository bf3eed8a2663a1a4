//! Greedy decoding by a reference: which token comes next, and where another is as good.

use std::cell::Cell;

use benchbook_core::{Answer, Array, Check, Reference, TIMES};

/// A model in `f64`, a position at a time.
pub trait Advance {
    /// Takes the next token, and gives what the last norm makes of it, `[width]`.
    fn advance(&mut self, token: usize) -> Vec<f64>;

    /// Logits of every token after what [`Advance::advance`] gave.
    fn logits(&self, hidden: &[f64]) -> Vec<f64>;
}

/// The share of the largest logit by which the best logit is above another at least that rounding in `f32` cannot move there.
pub const LEAST_GAP: f64 = 1e-4;

/// A token that the model would take, and what it is beside others.
struct Choice {
    best: usize,
    /// By how much the best logit is above the second.
    gap: f64,
    /// The token after which the model goes on, and by how much the logit of what was taken is below the best.
    taken: (usize, f64),
}

/// What a model takes, a token after another.
#[derive(Default)]
pub struct Choices {
    choices: Vec<Choice>,
    /// The largest logit, whatever its sign.
    largest: f64,
}

impl Choices {
    /// Of a model that has seen nothing, so many tokens after the prompt. Where others are `taken`, it goes on after these; a
    /// number that is no id is never right, and the best goes on.
    pub fn of(mut model: impl Advance, prompt: &[i32], tokens: usize, taken: Option<&[f64]>) -> Self {
        let mut hidden = Vec::new();
        for id in prompt {
            hidden = model.advance(*id as usize);
        }
        let mut all = Self::default();
        for step in 0..tokens {
            let logits = model.logits(&hidden);
            let choice = choice(&logits, taken.map(|taken| taken[step]));
            all.largest = logits.iter().fold(all.largest, |largest, logit| largest.max(logit.abs()));
            if step + 1 < tokens {
                hidden = model.advance(choice.taken.0);
            }
            all.choices.push(choice);
        }
        all
    }

    /// These, and those of another text after them.
    pub fn and(mut self, other: Self) -> Self {
        self.choices.extend(other.choices);
        Self { choices: self.choices, largest: self.largest.max(other.largest) }
    }

    /// The right tokens: what was taken, where its logit is below the best by less than `least` of the largest logit.
    pub fn reference(self, least: f64) -> Reference {
        let least = least * self.largest;
        let right = |Choice { best, gap, taken: (token, below) }: Choice| {
            if below < least { (token as f64, gap) } else { (best as f64, below) }
        };
        let (values, gaps): (Vec<f64>, Vec<f64>) = self.choices.into_iter().map(right).unzip();
        let (shape, rows) = (vec![values.len(), 1], (0..values.len()).collect());
        Reference {
            answers: vec![Answer { name: "tokens".into(), shape, rows, values, check: Check::Greedy { gaps, least } }],
        }
    }
}

/// The tokens that the model makes; or, where others are `taken`, those that it makes after them. One of these is right where
/// its logit is below the best by no more than rounding in `f32` tells.
pub fn decoded(model: impl Advance, prompt: &[i32], tokens: usize, taken: Option<&[f64]>) -> Reference {
    Choices::of(model, prompt, tokens, taken).reference(LEAST_GAP)
}

/// The share of the largest logit beyond which a logit below the best tells another model, whatever was rounded.
const MOST_GAP: f64 = 0.1;

/// The tokens that are right after those that were `taken` by who rounds as the second of two models does: each of these whose logit is
/// below the best by no more than the rounding moves any logit on the way, [`TIMES`].
pub fn beside_rounding<M: Advance>([exact, rounding]: [M; 2], prompt: &[i32], taken: &[f64]) -> Reference {
    let moved = Cell::new(0.0);
    let both = Both { exact, rounding, hidden: Vec::new(), moved: &moved };
    let choices = Choices::of(both, prompt, taken.len(), Some(taken));
    let least = TIMES * moved.get() / choices.largest;
    choices.reference(if least.is_finite() { least.clamp(LEAST_GAP, MOST_GAP) } else { LEAST_GAP })
}

/// Two models side by side, of which the first decides.
struct Both<'a, M> {
    exact: M,
    rounding: M,
    /// What the second makes of the newest token.
    hidden: Vec<f64>,
    /// By how much their logits were apart at most.
    moved: &'a Cell<f64>,
}

impl<M: Advance> Advance for Both<'_, M> {
    fn advance(&mut self, token: usize) -> Vec<f64> {
        self.hidden = self.rounding.advance(token);
        self.exact.advance(token)
    }

    fn logits(&self, hidden: &[f64]) -> Vec<f64> {
        let logits = self.exact.logits(hidden);
        let apart = logits.iter().zip(self.rounding.logits(&self.hidden)).map(|(one, other)| (one - other).abs());
        self.moved.set(apart.fold(self.moved.get(), f64::max));
        logits
    }
}

/// What is right beside these outputs, which may have gone another way at a tie; nothing where they are no tokens of this many.
pub fn followed(
    tokens: usize,
    outputs: &[Array],
    decoded: impl FnOnce(Option<&[f64]>) -> Reference,
) -> Option<Reference> {
    let [output] = outputs else { return None };
    (output.shape() == [tokens, 1]).then(|| decoded(Some(&output.to_f64())))
}

/// The best token, the first where several are; it is taken unless another is.
fn choice(logits: &[f64], taken: Option<f64>) -> Choice {
    let best = (1..logits.len()).fold(0, |best, token| if logits[token] > logits[best] { token } else { best });
    let others = logits.iter().enumerate().filter(|(token, _)| *token != best).map(|(_, logit)| *logit);
    let second = others.fold(f64::NEG_INFINITY, f64::max);
    let is_id = |number: f64| number.fract() == 0.0 && (0.0..logits.len() as f64).contains(&number);
    let taken = match taken {
        None => (best, 0.0),
        Some(id) if is_id(id) => (id as usize, logits[best] - logits[id as usize]),
        Some(_) => (best, f64::INFINITY),
    };
    Choice { best, gap: logits[best] - second, taken }
}
