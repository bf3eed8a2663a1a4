//! A stack in `f64`, layer by layer.

use benchbook_core::{Answer, Array, Check, Inputs, Reference, sample_rows};
use rayon::prelude::*;

use super::HybridStackParams;
use super::layers::{LayerKind, SCAN_STATE, TAPS};
use crate::attention::reference::{average, dot};
use crate::blocks::rms_normed;
use crate::experts::{FIXED, best, of_expert, share, softmax};
use crate::mixers::rows::{rwkv4_step, rwkv6_step, rwkv7_step, scan_step, sigmoid, softplus, ssd_step};
use crate::rows::times;

/// Operations spent on a reference at most, but for 16 positions.
const BUDGET: f64 = (1_u64 << 32) as f64;

/// The least difference of two scores of a router that rounding in `f32` cannot turn round: ten times what an output may be off by.
const LEAST_GAP: f64 = 1e-4;

/// The first positions of as many sequences as there is time for, the first and the last at least.
pub fn reference(params: &HybridStackParams, inputs: &Inputs, seed: u64) -> Reference {
    within(BUDGET, params, inputs, seed, None)
}

/// The same, where experts whose scores are the same but for rounding were chosen otherwise.
pub fn follow(params: &HybridStackParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
    let taken = outputs.get(1).filter(|output| output.shape() == params.choices())?;
    Some(within(BUDGET, params, inputs, FIXED, Some(&taken.to_f64())))
}

fn within(budget: f64, params: &HybridStackParams, inputs: &Inputs, seed: u64, taken: Option<&[f64]>) -> Reference {
    let HybridStackParams { batch, seq, .. } = *params;
    let flops = |steps: usize| HybridStackParams { batch: 1, seq: steps, ..params.clone() }.flops();
    let sequences = sample_rows(batch, (budget / flops(seq)) as usize, seed);
    let (mut steps, most) = (seq, budget / sequences.len() as f64);
    while steps > 16 && flops(steps) > most {
        steps = (steps * 3 / 4).max(16);
    }
    let mut values = Vec::new();
    let [layers, positions_of_layer, _] = params.choices();
    // Of each layer of experts, what it has chosen for these positions, and by how much.
    let mut choices = vec![Choices::default(); layers];
    for sequence in &sequences {
        let (stream, chosen) = positions(params, inputs, *sequence, steps, taken);
        values.extend(stream);
        choices.iter_mut().zip(chosen).for_each(|(all, chosen)| all.extend(chosen));
    }
    let rows: Vec<usize> = sequences.iter().flat_map(|sequence| sequence * seq..sequence * seq + steps).collect();
    let of_layer = |layer: usize| rows.iter().map(move |row| layer * positions_of_layer + row);
    let rows_of_choices = (0..layers).flat_map(of_layer).collect();
    let mut reference = Reference::of(vec![batch, seq, params.width()], rows.clone(), values);
    if layers > 0 {
        let (experts, gaps): (Vec<_>, Vec<_>) = choices.into_iter().map(|all| (all.experts, all.gaps)).unzip();
        reference.answers.push(Answer {
            name: "experts".into(),
            shape: params.choices().into(),
            rows: rows_of_choices,
            values: experts.concat(),
            check: Check::Greedy { gaps: gaps.concat(), least: LEAST_GAP },
        });
    }
    reference
}

/// What a layer of experts has chosen, a position after the other.
#[derive(Clone, Default)]
struct Choices {
    /// `[positions, chosen]`
    experts: Vec<f64>,
    /// How near each position was to another choice.
    gaps: Vec<f64>,
}

impl Choices {
    fn extend(&mut self, others: Self) {
        self.experts.extend(others.experts);
        self.gaps.extend(others.gaps);
    }
}

/// The first positions of a sequence after all layers, `[steps, d]`, and what each layer of experts has chosen for them. Where
/// experts are `taken` in all of these layers, for all positions, they go to them if nothing but rounding speaks against it.
fn positions(
    params: &HybridStackParams,
    inputs: &Inputs,
    sequence: usize,
    steps: usize,
    taken: Option<&[f64]>,
) -> (Vec<f64>, Vec<Choices>) {
    let width = params.width();
    let input = &inputs.numbers("input")[sequence * params.seq * width..][..steps * width];
    let mut stream: Vec<f64> = input.iter().map(|number| f64::from(*number)).collect();
    let mut choices = Vec::new();
    for (layer, kind) in params.kinds().into_iter().enumerate() {
        let weights = params.layer(inputs, layer);
        let of = Layer { params, weights: &weights, sequence, steps };
        let x = normed(&stream, of.weight("gain"));
        let given = match kind {
            LayerKind::Attention => of.attention(&x),
            LayerKind::Experts => {
                let first = (choices.len() * params.batch + sequence) * params.seq * params.chosen;
                let (given, chosen) = of.experts(&x, taken.map(|taken| &taken[first..][..steps * params.chosen]));
                choices.push(chosen);
                given
            }
            LayerKind::FeedForward => of.feed_forward(&x),
            LayerKind::Mamba2 => of.mamba2(&x),
            LayerKind::Retention => of.retention(&x),
            LayerKind::Mamba => of.mamba(&x),
            LayerKind::Rwkv4 => of.rwkv4(&x),
            LayerKind::Rwkv7 => of.rwkv7(&x),
            LayerKind::Rwkv6 => of.rwkv6(&x),
        };
        stream.iter_mut().zip(given).for_each(|(stream, given)| *stream += given);
    }
    (stream, choices)
}

/// RMS norm of rows as wide as the gain.
fn normed(x: &[f64], gain: &[f32]) -> Vec<f64> {
    x.chunks_exact(gain.len()).flat_map(|row| rms_normed(row, gain)).collect()
}

/// Numbers times z / (1 + e^−z).
fn gated(numbers: Vec<f64>, z: &[f64]) -> Vec<f64> {
    numbers.into_iter().zip(z).map(|(number, z)| number * z * sigmoid(*z)).collect()
}

/// Steps of heads `[steps, heads, width]`, each head by itself: of one, `one` gives `[steps, width]`.
fn by_heads([steps, heads, width]: [usize; 3], one: impl Fn(usize) -> Vec<f64> + Sync + Send) -> Vec<f64> {
    let all: Vec<Vec<f64>> = (0..heads).into_par_iter().map(one).collect();
    let row = |step: usize| all.iter().flat_map(move |head| head[step * width..][..width].iter().copied());
    (0..steps).flat_map(row).collect()
}

/// A layer, and the positions that it is computed for.
struct Layer<'a> {
    params: &'a HybridStackParams,
    weights: &'a Inputs,
    sequence: usize,
    steps: usize,
}

impl Layer<'_> {
    fn weight(&self, name: &str) -> &[f32] {
        self.weights.numbers(name)
    }

    /// Rows times a factor.
    fn times(&self, x: &[f64], name: &str) -> Vec<f64> {
        let shape = self.weights.get(name).shape();
        let rows = x.par_chunks_exact(shape[0]);
        rows.flat_map_iter(|row| times(row.iter().copied(), self.weight(name), shape[1])).collect()
    }

    /// The state that a head begins at.
    fn start(&self, head: usize) -> Vec<f64> {
        let start = self.weights.get("start");
        let (heads, numbers) = (start.shape()[1], start.shape()[2..].iter().product::<usize>());
        let first = (self.sequence * heads + head) * numbers;
        start.of::<f32>()[first..first + numbers].iter().map(|number| f64::from(*number)).collect()
    }

    fn attention(&self, x: &[f64]) -> Vec<f64> {
        let (width, head_dim) = (self.params.width(), self.params.head_dim);
        let [query, key, value] = ["w_query", "w_key", "w_value"].map(|name| self.times(x, name));
        let mixed = by_heads([self.steps, self.params.heads, head_dim], |head| {
            let at = |step: usize| step * width + head * head_dim;
            let row = |step: usize| {
                let score = |other: usize| dot(&query[at(step)..][..head_dim], &key[at(other)..]);
                let scores: Vec<f64> = (0..=step).map(|other| score(other) / (head_dim as f64).sqrt()).collect();
                average(&scores, head_dim, |other| &value[at(other)..])
            };
            (0..self.steps).flat_map(row).collect()
        });
        self.times(&mixed, "w_out")
    }

    /// By the softmax of all scores, of which the largest are divided by their sum.
    fn experts(&self, x: &[f64], taken: Option<&[f64]>) -> (Vec<f64>, Choices) {
        let HybridStackParams { experts, chosen, .. } = *self.params;
        let (width, hidden) = (self.params.width(), self.params.between());
        let scores = self.times(x, "w_router");
        let factors = ["w_gate", "w_up", "w_down"].map(|name| self.weight(name));
        let one = |step: usize| {
            let scores = &scores[step * experts..][..experts];
            let taken = taken.map(|taken| &taken[step * chosen..][..chosen]);
            let (ids, gap) = best(scores, chosen, |_, _| false, LEAST_GAP, taken);
            let all = softmax(scores.iter().copied());
            let mut weights: Vec<f64> = ids.iter().map(|id| all[*id]).collect();
            share(&mut weights);
            let mut sums = vec![0.0; width];
            for (id, weight) in ids.iter().zip(weights) {
                let given = of_expert(*id, &x[step * width..][..width], factors, hidden);
                sums.iter_mut().zip(given).for_each(|(sum, given)| *sum += weight * given);
            }
            (sums, Choices { experts: ids.into_iter().map(|id| id as f64).collect(), gaps: vec![gap] })
        };
        let all: Vec<(Vec<f64>, Choices)> = (0..self.steps).into_par_iter().map(one).collect();
        let (mut given, mut choices) = (Vec::with_capacity(x.len()), Choices::default());
        for (sums, chosen) in all {
            given.extend(sums);
            choices.extend(chosen);
        }
        (given, choices)
    }

    fn feed_forward(&self, x: &[f64]) -> Vec<f64> {
        let between = gated(self.times(x, "w_up"), &self.times(x, "w_gate"));
        self.times(&between, "w_down")
    }

    /// x times a factor, through a causal convolution and silu.
    fn convolved(&self, x: &[f64], [factor, conv, bias]: [&str; 3]) -> Vec<f64> {
        let (x, conv, bias) = (self.times(x, factor), self.weight(conv), self.weight(bias));
        let channels = bias.len();
        let one = |index: usize| {
            let (step, channel) = (index / channels, index % channels);
            // Taps that lie before the first step see nothing.
            let tap = |tap: usize| {
                f64::from(conv[tap * channels + channel]) * x[(step + tap + 1 - TAPS) * channels + channel]
            };
            let sum = f64::from(bias[channel]) + ((TAPS - 1).saturating_sub(step)..TAPS).map(tap).sum::<f64>();
            sum * sigmoid(sum)
        };
        (0..x.len()).into_par_iter().map(one).collect()
    }

    fn mamba2(&self, input: &[f64]) -> Vec<f64> {
        let (heads, head_dim, state) = (2 * self.params.heads, self.params.head_dim, self.params.state);
        let (z, delta) = (self.times(input, "w_z"), self.times(input, "w_delta"));
        let x = self.convolved(input, ["w_x", "conv_x", "bias_x"]);
        let b = self.convolved(input, ["w_b", "conv_b", "bias_b"]);
        let c = self.convolved(input, ["w_c", "conv_c", "bias_c"]);
        let [bias, a_log, skip] = ["delta_bias", "a_log", "skip"].map(|name| self.weight(name));
        let mixed = by_heads([self.steps, heads, head_dim], |head| {
            let mut h = self.start(head);
            let step = |step: usize| {
                let delta = softplus(delta[step * heads + head] + f64::from(bias[head]));
                let left = (-delta * f64::from(a_log[head]).exp()).exp();
                let x = &x[(step * heads + head) * head_dim..][..head_dim];
                let shared = [&b, &c].map(|all| &all[step * state..][..state]);
                let mut given = ssd_step(&mut h, [left, delta], x, shared);
                given.iter_mut().zip(x).for_each(|(given, x)| *given += f64::from(skip[head]) * x);
                given
            };
            (0..self.steps).flat_map(step).collect()
        });
        self.times(&normed(&gated(mixed, &z), self.weight("gain_inner")), "w_out")
    }

    /// As a duality of queries, keys and values: what a step leaves is the same for all steps.
    fn retention(&self, x: &[f64]) -> Vec<f64> {
        let (heads, keys, values) = (self.params.heads, self.params.head_dim, 2 * self.params.head_dim);
        let [query, key, value, gate] = ["w_query", "w_key", "w_value", "w_gate"].map(|name| self.times(x, name));
        let left = self.params.retention().left();
        let mixed = by_heads([self.steps, heads, values], |head| {
            let start = self.start(head);
            // There are rows of keys, and here of values.
            let mut state: Vec<f64> =
                (0..keys * values).map(|index| start[index % keys * values + index / keys]).collect();
            let step = |step: usize| {
                let at = step * heads + head;
                let [key, query] = [&key, &query].map(|all| &all[at * keys..][..keys]);
                let value = &value[at * values..][..values];
                ssd_step(&mut state, [left[head], 1.0 / (keys as f64).sqrt()], value, [key, query])
            };
            (0..self.steps).flat_map(step).collect()
        });
        self.times(&gated(normed(&mixed, &vec![1.0; values]), &gate), "w_out")
    }

    fn mamba(&self, input: &[f64]) -> Vec<f64> {
        let channels = self.params.inner();
        let z = self.times(input, "w_z");
        let x = self.convolved(input, ["w_x", "conv_x", "bias_x"]);
        let delta = self.times(&self.times(&x, "w_low"), "w_delta");
        let [b, c] = ["w_b", "w_c"].map(|name| self.times(&x, name));
        let [bias, a_log, skip] = ["delta_bias", "a_log", "skip"].map(|name| self.weight(name));
        let mixed = by_heads([self.steps, channels, 1], |channel| {
            let rates = a_log[channel * SCAN_STATE..][..SCAN_STATE].iter().map(|rate| -f64::from(*rate).exp());
            let (rates, mut h): (Vec<f64>, Vec<f64>) = (rates.collect(), self.start(channel));
            let step = |step: usize| {
                let at = step * channels + channel;
                let delta = softplus(delta[at] + f64::from(bias[channel]));
                let shared = [&b, &c].map(|all| &all[step * SCAN_STATE..][..SCAN_STATE]);
                f64::from(skip[channel]) * x[at] + scan_step(&mut h, &rates, [delta, delta * x[at]], shared)
            };
            (0..self.steps).map(step).collect()
        });
        self.times(&gated(mixed, &z), "w_out")
    }

    fn rwkv4(&self, x: &[f64]) -> Vec<f64> {
        let channels = self.params.width();
        let [r, k, v] = ["w_r", "w_k", "w_v"].map(|name| self.times(x, name));
        let [decay, bonus] = ["decay", "bonus"].map(|name| self.weight(name));
        let mixed = by_heads([self.steps, channels, 1], |channel| {
            let (of_channel, mut state) = ([decay, bonus].map(|all| f64::from(all[channel])), self.start(channel));
            let step = |step: usize| {
                let at = step * channels + channel;
                sigmoid(r[at]) * rwkv4_step(&mut state, [k[at], v[at]], of_channel)
            };
            (0..self.steps).map(step).collect()
        });
        self.times(&mixed, "w_out")
    }

    /// Rows times a factor, with a number added to each column.
    fn shifted(&self, x: &[f64], [factor, added]: [&str; 2]) -> Vec<f64> {
        let added = self.weight(added).iter().cycle();
        self.times(x, factor).into_iter().zip(added).map(|(number, added)| number + f64::from(*added)).collect()
    }

    fn rwkv7(&self, x: &[f64]) -> Vec<f64> {
        let (heads, head_dim) = (self.params.heads, self.params.head_dim);
        let [r, k, v, gate] = ["w_r", "w_k", "w_v", "w_gate"].map(|name| self.times(x, name));
        let [w, a] = [["w_decay", "decay"], ["w_rate", "rate"]].map(|names| self.shifted(x, names));
        let removal = self.weight("removal").iter().cycle();
        let kappa: Vec<f64> = k.iter().zip(removal).map(|(k, removal)| k * f64::from(*removal)).collect();
        let mixed = by_heads([self.steps, heads, head_dim], |head| {
            let mut state = self.start(head);
            let step = |step: usize| {
                let at = (step * heads + head) * head_dim;
                rwkv7_step(&mut state, [&r, &w, &k, &v, &kappa, &a].map(|all| &all[at..][..head_dim]))
            };
            (0..self.steps).flat_map(step).collect()
        });
        self.times(&gated(normed(&mixed, &vec![1.0; head_dim]), &gate), "w_out")
    }

    fn rwkv6(&self, x: &[f64]) -> Vec<f64> {
        let (heads, head_dim) = (self.params.heads, self.params.head_dim);
        let [r, k, v, gate] = ["w_r", "w_k", "w_v", "w_gate"].map(|name| self.times(x, name));
        let w = self.shifted(x, ["w_decay", "decay"]);
        let bonus = self.weight("bonus");
        let mixed = by_heads([self.steps, heads, head_dim], |head| {
            let mut state = self.start(head);
            let step = |step: usize| {
                let at = (step * heads + head) * head_dim;
                let numbers = [&r, &k, &v, &w].map(|all| &all[at..][..head_dim]);
                rwkv6_step(&mut state, numbers, &bonus[head * head_dim..][..head_dim])
            };
            (0..self.steps).flat_map(step).collect()
        });
        self.times(&gated(normed(&mixed, &vec![1.0; head_dim]), &gate), "w_out")
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Problem;

    use super::*;
    use crate::mixers::HybridStack;

    #[test]
    fn a_stack_is_checked_from_its_first_positions_on() {
        let pattern = "AMS".to_owned();
        let sizes = HybridStackParams::default();
        let params = HybridStackParams { batch: 3, seq: 90, pattern, heads: 1, head_dim: 6, state: 3, ..sizes };
        let inputs = HybridStack::inputs(&params, 1);
        let of = |budget: f64| within(budget, &params, &inputs, 1, None).answers.remove(0);
        let (whole, part) = (of(f64::INFINITY), of(params.flops() / 4.0));
        assert_eq!(whole.rows, (0..270).collect::<Vec<usize>>());
        let steps = part.rows.len() / 2;
        assert!((17..60).contains(&steps), "{steps} steps");
        assert_eq!(part.rows, (0..steps).chain(180..180 + steps).collect::<Vec<usize>>());
        let (first, last) = part.values.split_at(steps * 6);
        assert_eq!((first, last), (&whole.values[..steps * 6], &whole.values[180 * 6..][..steps * 6]));
        assert_eq!(of(1.0).rows.len(), 32);
    }

    /// A stack whose last layer has experts of which two score nearly the same for every position, and its inputs.
    fn torn() -> (HybridStackParams, Inputs) {
        let sizes = HybridStackParams::default();
        let pattern = "EAE".to_owned();
        let params = HybridStackParams { batch: 2, seq: 12, pattern, heads: 1, head_dim: 6, experts: 4, ..sizes };
        let mut inputs = HybridStack::inputs(&params, 1);
        let router = inputs.get_mut("w_router_2").unwrap().of_mut::<f32>();
        router.chunks_exact_mut(4).for_each(|row| row[3] = row[1] * (1.0 + 1e-6));
        (params, inputs)
    }

    /// Outputs as the reference has them, with the experts that `change` makes of those of each row.
    fn outputs(right: &Reference, change: impl Fn(f64) -> f64) -> [Array; 2] {
        let [output, experts] = &right.answers[..] else { panic!("{} answers", right.answers.len()) };
        let numbers = |values: &[f64]| values.iter().map(|number| *number as f32).collect::<Vec<f32>>();
        let ids: Vec<i32> = experts.values.iter().map(|id| change(*id) as i32).collect();
        [Array::new(output.shape.clone(), &numbers(&output.values)), Array::new(experts.shape.clone(), &ids)]
    }

    #[test]
    fn experts_are_chosen_otherwise_where_rounding_alone_tells_them_apart() {
        let (params, inputs) = torn();
        let right = reference(&params, &inputs, 1);
        assert_eq!(right.answers[1].shape, [2, 24, 2]);
        assert!(right.first_tie().is_some_and(|tie| tie >= 24), "{:?}", right.first_tie());
        let passes = |right: &Reference, outputs: &[Array]| right.compare(outputs).iter().all(|one| one.passes(1e-5));
        let swapped = |id: f64| {
            if id == 1.0 {
                3.0
            } else if id == 3.0 {
                1.0
            } else {
                id
            }
        };
        let (same, other) = (outputs(&right, |id| id), outputs(&right, swapped));
        assert!(passes(&right, &same));
        // In the first layer the two are far apart: nobody may take the one for the other there.
        assert!(!passes(&follow(&params, &inputs, &other).unwrap(), &other));
        let mut last = outputs(&right, |id| id);
        last[1].of_mut::<i32>()[48..].copy_from_slice(&other[1].of::<i32>()[48..]);
        let followed = follow(&params, &inputs, &last).unwrap();
        let ids: Vec<f64> = last[1].to_f64();
        assert!(ids != right.answers[1].values && followed.answers[1].values == ids, "{ids:?}");
        // Two experts that score the same make different things of a position.
        assert!(followed.answers[0].values != right.answers[0].values);
        assert_eq!(follow(&params, &inputs, &last[..1]), None);
    }

    #[test]
    fn of_all_experts_a_position_takes_the_sum_by_their_softmax() {
        let pattern = "E".to_owned();
        let sizes =
            HybridStackParams { batch: 1, seq: 2, pattern, heads: 1, head_dim: 4, ..HybridStackParams::default() };
        let params = HybridStackParams { experts: 3, chosen: 3, ..sizes };
        let mut inputs = HybridStack::inputs(&params, 1);
        let input: Vec<f64> = inputs.numbers("input").iter().map(|number| f64::from(*number)).collect();
        // Where all experts are the same, whatever the router says, it is a feed-forward network.
        for name in ["w_gate_0", "w_up_0", "w_down_0"] {
            let factors = inputs.get_mut(name).unwrap().of_mut::<f32>();
            let one = factors.len() / 3;
            factors.copy_within(..one, one);
            factors.copy_within(..one, 2 * one);
        }
        let given = reference(&params, &inputs, 1).answers.remove(0).values;
        let x = normed(&input, inputs.numbers("gain_0"));
        let mut first = HybridStack::inputs(&HybridStackParams { pattern: "F".to_owned(), ..params.clone() }, 1);
        for name in ["w_gate_0", "w_up_0", "w_down_0"] {
            let factor = first.get_mut(name).unwrap().of_mut::<f32>();
            factor.copy_from_slice(&inputs.numbers(name)[..factor.len()]);
        }
        let plain = HybridStackParams { pattern: "F".to_owned(), ..params };
        let weights = plain.layer(&first, 0);
        let of = Layer { params: &plain, weights: &weights, sequence: 0, steps: 2 };
        for ((given, input), right) in given.iter().zip(&input).zip(of.feed_forward(&x)) {
            assert!((given - input - right).abs() < 1e-12, "{given} {input} {right}");
        }
    }
}
