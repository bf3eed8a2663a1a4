//! The gradients of a mixture of experts.

use benchbook_core::{
    Answer, Array, Check, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work, sample_rows,
};
use rayon::prelude::*;

use super::layer::{FIXED, Layer};
use super::router::{Routing, Scoring, taken};
use super::{MixtureOfExperts, MixtureOfExpertsParams};
use crate::rows::{BUDGET, times};

/// [`MixtureOfExperts`] forward and backward: the gradients of all of its inputs, where that of its result is given. Who is chosen
/// does not change with the inputs, and has no gradient: logits have theirs by the weights of the experts that were chosen (Shazeer
/// et al., arXiv 1701.06538, section 2.1), and the bias of the scoring `sigmoid`, which has a say in the choice alone, has none
/// (DeepSeek-V3, arXiv 2412.19437, section 2.1.2).
///
/// Inputs: those of [`MixtureOfExperts`], and `grad` `[tokens, width]`. Outputs: `input_grad`, `logits_grad`, `w_gate_grad`,
/// `w_up_grad` and `w_down_grad`, in the shapes of the inputs; with the scoring `sigmoid`, by which rounding may choose, `experts`
/// too, as of [`MixtureOfExperts`].
pub struct MixtureOfExpertsGradients;

/// Where the output `experts` stands, behind all gradients.
const CHOICE: usize = 5;

/// Numbers of a gradient that are kept at most, but for 16 rows of each expert that is looked at.
const KEPT: usize = 1 << 20;

impl Problem for MixtureOfExpertsGradients {
    const NAME: &'static str = "mixture-of-experts-gradients";
    const ABOUT: &'static str = "a layer of experts forward and backward: the gradients of its inputs and weights";
    type Params = MixtureOfExpertsParams;

    fn presets() -> Vec<Preset> {
        let of = |[tokens, experts, chosen, width, hidden]: [i64; 5]| {
            let sizes =
                [("tokens", tokens), ("experts", experts), ("chosen", chosen), ("width", width), ("hidden", hidden)];
            sizes.into_iter().fold(Params::default(), |params, (name, size)| params.with(name, Value::Int(size)))
        };
        vec![
            Preset { name: "quick", cases: vec![of([64, 16, 4, 128, 64])] },
            Preset { name: "default", cases: vec![of([512, 64, 8, 1024, 512]), of([2048, 16, 2, 1024, 512])] },
        ]
    }

    fn ugly() -> Vec<MixtureOfExpertsParams> {
        let mut cases = MixtureOfExperts::ugly();
        let by_bias = cases.iter().filter(|params| Scoring::of(&params.scoring) == Scoring::Sigmoid);
        let others = by_bias.flat_map(|params| {
            let softmax = MixtureOfExpertsParams { scoring: "softmax".to_owned(), ..params.clone() };
            [softmax, MixtureOfExpertsParams { renormalised: false, ..params.clone() }]
        });
        let others: Vec<MixtureOfExpertsParams> = others.collect();
        cases.extend(others);
        cases
    }

    fn check(params: &MixtureOfExpertsParams) -> Result<(), (&'static str, String)> {
        MixtureOfExperts::check(params)
    }

    fn label(params: &MixtureOfExpertsParams) -> String {
        MixtureOfExperts::label(params)
    }

    fn inputs(params: &MixtureOfExpertsParams, seed: u64) -> Inputs {
        let mut inputs = MixtureOfExperts::inputs(params, seed);
        inputs.insert("grad", Array::normal(vec![params.tokens, params.width], seed, 7));
        inputs
    }

    /// By reverse mode, one token and expert after another. Where a case takes too many operations, some tokens are looked at, and
    /// some experts with all of their tokens; of the weights of these, as many rows are kept as memory allows.
    fn reference(params: &MixtureOfExpertsParams, inputs: &Inputs, seed: u64) -> Reference {
        solve(params, inputs, seed, None)
    }

    fn follow(params: &MixtureOfExpertsParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        let taken = taken(&params.layer().router, outputs.get(CHOICE))?;
        Some(solve(params, inputs, FIXED, Some(&taken)))
    }

    /// Eight products for each row of an expert: two forward, three to the inputs and three to the weights; what the second half
    /// gives is not needed. Weights that a token goes to are read, and the gradients of all are written.
    fn work(params: &MixtureOfExpertsParams, dtype: DType) -> Work {
        let (layer, forward) = (params.layer(), MixtureOfExperts::work(params, dtype));
        let all = (params.experts + params.shared) as f64 * layer.numbers_of_expert();
        // The gradient of the result stands in its place.
        let more = all + (params.tokens * (params.width + params.experts)) as f64;
        Work { flops: forward.flops * 8.0 / 3.0, bytes: forward.bytes + more * dtype.bytes() as f64 }
    }

    fn tolerance(params: &MixtureOfExpertsParams, dtype: DType) -> f64 {
        MixtureOfExperts::tolerance(params, dtype)
    }

    fn metrics(params: &MixtureOfExpertsParams, inputs: &Inputs) -> Vec<Metric> {
        MixtureOfExperts::metrics(params, inputs)
    }
}

/// The answers, where experts are `taken` as of [`Router::route`](super::Router::route).
fn solve(params: &MixtureOfExpertsParams, inputs: &Inputs, seed: u64, taken: Option<&[f64]>) -> Reference {
    let layer = params.layer();
    let routing = layer.router.route(inputs, taken);
    let kept = layer.kept(inputs, &routing);
    let of = Back { layer: &layer, inputs, routing, kept };
    let [input, logits] = of.tokens(seed);
    let [gate, up, down] = of.experts(seed);
    let mut answers = vec![input, logits, gate, up, down];
    if layer.router.scoring == Scoring::Sigmoid && layer.router.chosen > 0 {
        answers.push(layer.router.answer(&of.routing));
    }
    Reference { answers }
}

/// A layer on its way back.
struct Back<'a> {
    layer: &'a Layer,
    inputs: &'a Inputs,
    routing: Routing,
    /// All of the choices.
    kept: Vec<bool>,
}

/// What a token and one of its experts have between the halves.
struct Between {
    /// What goes through the second half, times what the expert counts.
    counted: Vec<f64>,
    /// The gradients of what the gate and up give.
    gate: Vec<f64>,
    up: Vec<f64>,
    /// That of what the expert counts.
    weight: f64,
}

impl Back<'_> {
    fn token(&self, name: &'static str, token: usize) -> impl Iterator<Item = f64> {
        let width = self.layer.width;
        self.inputs.numbers(name)[token * width..][..width].iter().map(|number| f64::from(*number))
    }

    /// A factor of an expert, of so many numbers in all.
    fn factor(&self, name: &str, expert: usize) -> &[f32] {
        let each = self.layer.width * self.layer.hidden;
        &self.inputs.numbers(name)[expert * each..][..each]
    }

    fn between(&self, token: usize, expert: usize, weight: f64) -> Between {
        let (width, hidden) = (self.layer.width, self.layer.hidden);
        let [gate, up] =
            ["w_gate", "w_up"].map(|name| times(self.token("input", token), self.factor(name, expert), hidden));
        let down = self.factor("w_down", expert).chunks_exact(width);
        let of_grad = |row: &[f32]| -> f64 { self.token("grad", token).zip(row).map(|(x, w)| x * f64::from(*w)).sum() };
        let given: Vec<f64> = down.map(of_grad).collect();
        let mut found = Between { counted: Vec::new(), gate: Vec::new(), up: Vec::new(), weight: 0.0 };
        for ((gate, up), given) in gate.into_iter().zip(up).zip(given) {
            let share = 1.0 / (1.0 + (-gate).exp());
            let (opened, back) = (gate * share, weight * given);
            found.weight += given * opened * up;
            found.counted.push(weight * opened * up);
            found.gate.push(back * up * share * (1.0 + gate * (1.0 - share)));
            found.up.push(back * opened);
        }
        found
    }

    /// Experts of a token, and what each counts.
    fn of_token(&self, token: usize) -> Vec<(usize, f64)> {
        self.layer.of_token(&self.routing, &self.kept, token)
    }

    /// The gradients of the input and of the logits, of some tokens.
    fn tokens(&self, seed: u64) -> [Answer; 2] {
        let (router, width, hidden) = (&self.layer.router, self.layer.width, self.layer.hidden);
        let cost = 6 * width * hidden * (router.chosen + self.layer.shared).max(1);
        let rows = sample_rows(router.tokens, (BUDGET / cost).max(16), seed);
        let one = |token: &usize| {
            let (mut input, mut weights) = (vec![0.0; width], Vec::new());
            for (expert, weight) in self.of_token(*token) {
                let between = self.between(*token, expert, weight);
                for (name, slopes) in [("w_gate", &between.gate), ("w_up", &between.up)] {
                    let factor = self.factor(name, expert).chunks_exact(hidden);
                    for (to, row) in input.iter_mut().zip(factor) {
                        *to += row.iter().zip(slopes).map(|(w, slope)| f64::from(*w) * slope).sum::<f64>();
                    }
                }
                weights.push(between.weight);
            }
            let mine = token * router.chosen..(token + 1) * router.chosen;
            let logits = &self.inputs.numbers("logits")[token * router.experts..][..router.experts];
            let chosen = [&self.routing.weights[mine.clone()], &weights[..router.chosen]];
            (input, router.gradient(logits, &self.routing.experts[mine], chosen[0], chosen[1]))
        };
        let found: Vec<(Vec<f64>, Vec<f64>)> = rows.par_iter().map(one).collect();
        let (input, logits): (Vec<Vec<f64>>, Vec<Vec<f64>>) = found.into_iter().unzip();
        [
            answer("input_grad", vec![router.tokens, width], rows.clone(), input.concat()),
            answer("logits_grad", vec![router.tokens, router.experts], rows, logits.concat()),
        ]
    }

    /// The gradients of the weights, of some rows of some experts.
    fn experts(&self, seed: u64) -> [Answer; 3] {
        let (layer, width, hidden) = (self.layer, self.layer.width, self.layer.hidden);
        let all = layer.router.experts + layer.shared;
        let rows_of_all = layer.router.tokens * (layer.router.chosen + layer.shared);
        let cost = 6 * width * hidden * rows_of_all.div_ceil(all).max(1);
        let experts = sample_rows(all, (BUDGET / cost).max(1), seed);
        // Of a factor with so many rows, those of an expert that are kept, and their places among all.
        let of = |length: usize, each: usize| -> [Vec<usize>; 2] {
            let rows = sample_rows(length, (KEPT / (each * experts.len())).max(16), seed);
            let places = experts.iter().flat_map(|expert| rows.iter().map(move |row| expert * length + row)).collect();
            [rows, places]
        };
        let ([across, first], [between, second]) = (of(width, hidden), of(hidden, width));
        let tokens: Vec<Vec<(usize, f64)>> = (0..layer.router.tokens).map(|token| self.of_token(token)).collect();
        let mut sums: [Vec<f64>; 3] = Default::default();
        for expert in &experts {
            let weight =
                |token: usize| tokens[token].iter().find(|(mine, _)| mine == expert).map(|(_, weight)| *weight);
            let mine: Vec<(usize, f64)> = (0..tokens.len()).filter_map(|token| Some((token, weight(token)?))).collect();
            let parts: Vec<(usize, Between)> =
                mine.par_iter().map(|(token, weight)| (*token, self.between(*token, *expert, *weight))).collect();
            let of_input = |row: usize, slopes: fn(&Between) -> &[f64]| {
                let mut sum = vec![0.0; hidden];
                for (token, part) in &parts {
                    let x = f64::from(self.inputs.numbers("input")[token * width + row]);
                    sum.iter_mut().zip(slopes(part)).for_each(|(sum, slope)| *sum += x * slope);
                }
                sum
            };
            let of_grad = |row: usize| {
                let mut sum = vec![0.0; width];
                for (token, part) in &parts {
                    let through = part.counted[row];
                    sum.iter_mut().zip(self.token("grad", *token)).for_each(|(sum, grad)| *sum += through * grad);
                }
                sum
            };
            sums[0].par_extend(across.par_iter().flat_map_iter(|row| of_input(*row, |part| &part.gate[..])));
            sums[1].par_extend(across.par_iter().flat_map_iter(|row| of_input(*row, |part| &part.up[..])));
            sums[2].par_extend(between.par_iter().flat_map_iter(|row| of_grad(*row)));
        }
        let [gate, up, down] = sums;
        [
            answer("w_gate_grad", vec![all, width, hidden], first.clone(), gate),
            answer("w_up_grad", vec![all, width, hidden], first, up),
            answer("w_down_grad", vec![all, hidden, width], second, down),
        ]
    }
}

fn answer(name: &'static str, shape: Vec<usize>, rows: Vec<usize>, values: Vec<f64>) -> Answer {
    Answer { name: name.into(), shape, rows, values, check: Check::Near }
}
