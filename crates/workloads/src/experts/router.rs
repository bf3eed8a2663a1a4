//! What a router decides, in `f64`: the experts of each token, and how much each of them counts.

use std::collections::BTreeSet;

use benchbook_core::{Answer, Array, Check, Inputs, Metric};

/// How a router turns the logits of a token into weights of experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scoring {
    /// The softmax of all logits, of which the largest are taken.
    Softmax,
    /// The softmax of the largest logits alone (Jiang et al., "Mixtral of Experts", arXiv 2401.04088, section 2.1).
    TopkSoftmax,
    /// The logistic function of each logit. A bias of each expert has a say in the choice, and none in the weight (DeepSeek-V3,
    /// arXiv 2412.19437, section 2.1.2).
    Sigmoid,
}

impl Scoring {
    /// Their names as a parameter.
    pub const WORDS: [&str; 3] = ["softmax", "topk-softmax", "sigmoid"];

    /// The scoring of this name; the first where it is none.
    pub fn of(word: &str) -> Self {
        match word {
            "topk-softmax" => Self::TopkSoftmax,
            "sigmoid" => Self::Sigmoid,
            _ => Self::Softmax,
        }
    }
}

/// How logits are drawn: normal; lower by 2 from the first expert to the last; every token to the same experts; rounded to halves,
/// so that many are equal.
pub const BALANCES: [&str; 4] = ["even", "skewed", "crowded", "tied"];

/// Logits of a case at most: each is drawn where its work is counted.
const MOST_LOGITS: usize = 1 << 26;

/// By how much the logits of the experts that all tokens go to are larger.
const CROWDED: f32 = 8.0;

/// The least difference of two scores, which are below 2, that rounding in `f32` cannot turn round.
const LEAST_GAP: f64 = 2e-6;

/// What is added to a sum of weights before they are divided by it: of weights that are all 0 none becomes infinite.
const LEAST_SUM: f64 = 1e-20;

/// A router of `chosen` of `experts` experts.
#[derive(Debug, Clone, PartialEq)]
pub struct Router {
    /// Tokens of a call.
    pub tokens: usize,
    /// Experts among which it chooses.
    pub experts: usize,
    /// Experts of a token.
    pub chosen: usize,
    /// How weights follow from logits.
    pub scoring: Scoring,
    /// Whether the weights of a token are divided by their sum.
    pub renormalised: bool,
    /// One of [`BALANCES`].
    pub balance: String,
}

/// Who goes where: each list has an entry for each token and place, `[tokens, chosen]`.
pub struct Routing {
    /// Experts, those of a token from the best to the last.
    pub experts: Vec<usize>,
    /// What they count.
    pub weights: Vec<f64>,
    /// Of each token, how near the choice was to another one; infinite where no rounding can change it.
    gaps: Vec<f64>,
}

impl Router {
    /// Refuses what cannot be chosen.
    ///
    /// # Errors
    /// The name of a parameter, with what would be right.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let Self { tokens, experts, chosen, .. } = *self;
        check_chosen(chosen, experts)?;
        if tokens * experts > MOST_LOGITS {
            return Err(("tokens", format!("tokens × experts is {}, give {MOST_LOGITS} at most", tokens * experts)));
        }
        if self.renormalised && self.scoring == Scoring::TopkSoftmax {
            return Err(("renormalised", "weights of topk-softmax add up to 1 already, give false".to_owned()));
        }
        Ok(())
    }

    /// A readable label, another one for each other router.
    pub fn label(&self) -> String {
        let Self { tokens, experts, chosen, scoring, renormalised, balance } = self;
        let mut label = format!("t{tokens} {chosen} of {experts}");
        let scoring = Scoring::WORDS[*scoring as usize];
        let renormalised = if *renormalised { "renormalised" } else { "" };
        for word in [scoring, renormalised, balance.as_str()] {
            if !["", Scoring::WORDS[0], BALANCES[0]].contains(&word) {
                label = format!("{label} {word}");
            }
        }
        label
    }

    /// The `logits` `[tokens, experts]`, and with [`Scoring::Sigmoid`] the `bias` `[experts]`.
    pub fn inputs(&self, seed: u64) -> Inputs {
        let Self { tokens, experts, chosen, .. } = *self;
        let mut logits = Array::normal(vec![tokens, experts], seed, 1);
        for row in logits.of_mut::<f32>().chunks_exact_mut(experts) {
            for (expert, logit) in row.iter_mut().enumerate() {
                match self.balance.as_str() {
                    "skewed" => *logit -= 2.0 * expert as f32 / experts as f32,
                    "crowded" if expert < chosen => *logit += CROWDED,
                    "tied" => *logit = (2.0 * *logit).round() / 2.0,
                    _ => {}
                }
            }
        }
        let mut inputs = Inputs::from([("logits", logits)]);
        if self.scoring == Scoring::Sigmoid {
            let mut bias = Array::normal(vec![experts], seed, 2);
            bias.of_mut::<f32>().iter_mut().for_each(|number| *number = (*number * 4.0).round() / 32.0);
            inputs.insert("bias", bias);
        }
        inputs
    }

    /// What is decided where these are the inputs. Where experts are `taken` `[tokens, chosen]`, a token goes to them if nothing
    /// but rounding speaks against it.
    pub fn route(&self, inputs: &Inputs, taken: Option<&[f64]>) -> Routing {
        let size = self.tokens * self.chosen;
        let (mut experts, mut weights) = (Vec::with_capacity(size), Vec::with_capacity(size));
        let mut gaps = Vec::with_capacity(self.tokens);
        for (token, logits) in inputs.numbers("logits").chunks_exact(self.experts).enumerate() {
            let taken = taken.map(|taken| &taken[token * self.chosen..][..self.chosen]);
            let (chosen, gap) = self.choose(logits, self.bias(inputs), taken);
            weights.extend(self.weights(logits, &chosen));
            experts.extend(chosen);
            gaps.push(gap);
        }
        Routing { experts, weights, gaps }
    }

    fn bias<'a>(&self, inputs: &'a Inputs) -> Option<&'a [f32]> {
        (self.scoring == Scoring::Sigmoid).then(|| inputs.numbers("bias"))
    }

    /// Experts of a token, from the best to the last, of equals the one with the lower index first; and the gap.
    fn choose(&self, logits: &[f32], bias: Option<&[f32]>, taken: Option<&[f64]>) -> (Vec<usize>, f64) {
        // What is added makes zeros of both signs equal.
        let of = |expert: usize| match bias {
            None => f64::from(logits[expert]) + 0.0,
            Some(bias) => logistic(logits[expert].into()) + f64::from(bias[expert]),
        };
        let scores: Vec<f64> = (0..logits.len()).map(of).collect();
        // Scores of the same numbers are the same in every precision.
        let same = |a: usize, b: usize| logits[a] == logits[b] && bias.is_none_or(|bias| bias[a] == bias[b]);
        let certain = |a: usize, b: usize| bias.is_none() || same(a, b);
        best(&scores, self.chosen, certain, LEAST_GAP, taken)
    }

    /// What the experts of a token count.
    fn weights(&self, logits: &[f32], experts: &[usize]) -> Vec<f64> {
        let of = |expert: &usize| f64::from(logits[*expert]);
        let mut weights: Vec<f64> = match self.scoring {
            Scoring::Softmax => {
                let all = self.probabilities(logits);
                experts.iter().map(|expert| all[*expert]).collect()
            }
            Scoring::TopkSoftmax => softmax(experts.iter().map(of)),
            Scoring::Sigmoid => experts.iter().map(|expert| logistic(of(expert))).collect(),
        };
        if self.renormalised {
            share(&mut weights);
        }
        weights
    }

    /// What a router thinks of all experts, in shares of 1.
    fn probabilities(&self, logits: &[f32]) -> Vec<f64> {
        let numbers = logits.iter().map(|logit| f64::from(*logit));
        if self.scoring != Scoring::Sigmoid {
            return softmax(numbers);
        }
        let mut scores = numbers.map(logistic).collect::<Vec<f64>>();
        share(&mut scores);
        scores
    }

    /// The gradient of a token's logits, where those of the weights of its experts are given: a choice has none.
    pub(super) fn gradient(&self, logits: &[f32], experts: &[usize], weights: &[f64], given: &[f64]) -> Vec<f64> {
        let all: f64 = weights.iter().zip(given).map(|(weight, given)| weight * given).sum();
        let mut gradient = vec![0.0; self.experts];
        if self.scoring == Scoring::Sigmoid {
            // A weight alone takes from nobody, one that is divided by the sum from all that were chosen.
            let lost = if self.renormalised { all } else { 0.0 };
            for ((expert, weight), given) in experts.iter().zip(weights).zip(given) {
                gradient[*expert] = weight * logistic(-f64::from(logits[*expert])) * (given - lost);
            }
            return gradient;
        }
        // What one gains, all others in the softmax lose: those that were chosen, or everybody.
        if self.scoring == Scoring::Softmax && !self.renormalised {
            gradient.iter_mut().zip(self.probabilities(logits)).for_each(|(to, share)| *to -= share * all);
        } else {
            experts.iter().zip(weights).for_each(|(expert, weight)| gradient[*expert] -= weight * all);
        }
        for ((expert, weight), given) in experts.iter().zip(weights).zip(given) {
            gradient[*expert] += weight * given;
        }
        gradient
    }

    /// Tokens of each expert.
    pub fn load(&self, routing: &Routing) -> Vec<f64> {
        let mut load = vec![0.0; self.experts];
        routing.experts.iter().for_each(|expert| load[*expert] += 1.0);
        load
    }

    /// Experts × Σ (the share of all choices that an expert has × the mean of its probability): 1 where both are even (Fedus et
    /// al., Switch Transformers, arXiv 2101.03961, equations 4 to 6, for any number of choices).
    pub fn auxiliary_loss(&self, inputs: &Inputs, routing: &Routing) -> f64 {
        let load = self.load(routing);
        let all = (self.tokens * self.tokens * self.chosen) as f64;
        let of =
            |logits: &[f32]| -> f64 { self.probabilities(logits).iter().zip(&load).map(|(p, load)| p * load).sum() };
        inputs.numbers("logits").chunks_exact(self.experts).map(of).sum::<f64>() * self.experts as f64 / all
    }

    /// The answer `experts`: exact, but where scores differ by rounding alone.
    pub fn answer(&self, routing: &Routing) -> Answer {
        let check = match self.scoring {
            Scoring::Sigmoid => Check::Greedy { gaps: routing.gaps.clone(), least: LEAST_GAP },
            Scoring::Softmax | Scoring::TopkSoftmax => Check::Exact,
        };
        let values = routing.experts.iter().map(|expert| *expert as f64).collect();
        Answer { check, ..self.near("experts", values) }
    }

    /// An answer `[tokens, chosen]` whose numbers are near enough.
    pub fn near(&self, name: &'static str, values: Vec<f64>) -> Answer {
        let (shape, rows) = (vec![self.tokens, self.chosen], (0..self.tokens).collect());
        Answer { name: name.into(), shape, rows, values, check: Check::Near }
    }

    /// Load, balance, and which experts go together.
    pub fn metrics(&self, inputs: &Inputs, routing: &Routing) -> Vec<Metric> {
        if self.chosen == 0 {
            return Vec::new();
        }
        let (load, mean) = (self.load(routing), (self.tokens * self.chosen) as f64 / self.experts as f64);
        let most = load.iter().copied().fold(0.0, f64::max);
        let touched = load.iter().filter(|load| **load > 0.0).count();
        let set = |experts: &[usize]| experts.iter().copied().collect::<BTreeSet<usize>>();
        let sets: BTreeSet<BTreeSet<usize>> = routing.experts.chunks_exact(self.chosen).map(set).collect();
        let rows = inputs.numbers("logits").chunks_exact(self.experts);
        let entropy: f64 = rows.map(|logits| entropy(&self.probabilities(logits))).sum();
        vec![
            Metric::modelled("load_peak", most / mean, "ratio"),
            Metric::modelled("experts_touched", touched as f64, "count"),
            Metric::modelled("expert_sets", sets.len() as f64, "count"),
            Metric::modelled("routing_entropy", entropy / self.tokens as f64, "nats"),
            Metric::modelled("auxiliary_loss", self.auxiliary_loss(inputs, routing), "ratio"),
        ]
    }
}

/// The experts with the largest scores, from the best to the last, of equals the one with the lower index first; and how near the
/// choice was to another one, infinite where the order of all that are near each other is `certain`. Where experts are `taken`, they
/// are the choice if nothing but rounding, by less than `least`, speaks against it.
pub(crate) fn best(
    scores: &[f64],
    chosen: usize,
    certain: impl Fn(usize, usize) -> bool,
    least: f64,
    taken: Option<&[f64]>,
) -> (Vec<usize>, f64) {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    if let Some(taken) = taken {
        let right = allowed(scores, certain, least, order.clone(), taken);
        return right.map_or_else(|| (order[..chosen].to_vec(), f64::INFINITY), |right| (right, 0.0));
    }
    let near = order.windows(2).take(chosen).filter(|pair| !certain(pair[0], pair[1]));
    let gap = near.map(|pair| scores[pair[0]] - scores[pair[1]]).fold(f64::INFINITY, f64::min);
    order.truncate(chosen);
    (order, gap)
}

/// The experts that were taken, if each is the best of those that were left, or as good as it but for rounding.
fn allowed(
    scores: &[f64],
    certain: impl Fn(usize, usize) -> bool,
    least: f64,
    mut left: Vec<usize>,
    taken: &[f64],
) -> Option<Vec<usize>> {
    let mut one = |taken: &f64| {
        let place = left.iter().position(|expert| *expert as f64 == *taken)?;
        let expert = left[place];
        let right =
            scores[left[0]] - scores[expert] < least && !left[..place].iter().any(|other| certain(*other, expert));
        right.then(|| left.remove(place))
    };
    taken.iter().map(&mut one).collect()
}

/// Experts that an implementation has given, where they have the right form.
pub fn taken(router: &Router, output: Option<&Array>) -> Option<Vec<f64>> {
    let output = output.filter(|output| output.shape() == [router.tokens, router.chosen])?;
    (router.scoring == Scoring::Sigmoid).then(|| output.to_f64())
}

/// 1 / (1 + e^−x).
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// e to the power of each number, as a share of all of them.
pub(crate) fn softmax(logits: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let most = logits.clone().fold(f64::NEG_INFINITY, f64::max);
    let mut parts: Vec<f64> = logits.map(|logit| (logit - most).exp()).collect();
    share(&mut parts);
    parts
}

/// Refuses more experts of a token than there are.
pub(crate) fn check_chosen(chosen: usize, experts: usize) -> Result<(), (&'static str, String)> {
    if chosen > experts {
        return Err(("chosen", format!("{chosen} of {experts} experts cannot be chosen, give {experts} at most")));
    }
    Ok(())
}

/// Divides numbers by their sum.
pub(crate) fn share(numbers: &mut [f64]) {
    let sum = numbers.iter().sum::<f64>() + LEAST_SUM;
    numbers.iter_mut().for_each(|number| *number /= sum);
}

fn entropy(probabilities: &[f64]) -> f64 {
    probabilities.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum()
}
