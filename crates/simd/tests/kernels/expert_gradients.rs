//! Gradients of layers of experts and of their routers: beside slopes of plain loops, on any number of threads, and calls that
//! they must refuse.

use benchbook_simd::{
    Dispatch, Experts, Isa, MixtureBackward, MixtureGradients, Routed, Router, Scoring, mixture_backward, route,
    route_backward,
};

use crate::common::{close, numbers, present};

/// A layer, and the gradient of its result.
struct Drawn {
    tokens: usize,
    chosen: usize,
    shared: usize,
    /// Experts, shared ones included, numbers of a token, and between the halves.
    size: [usize; 3],
    ids: Vec<i32>,
    kept: Vec<u8>,
    grad: Vec<f32>,
    /// Input, what choices count, gate, up and down.
    inputs: [Vec<f32>; 5],
}

impl Drawn {
    fn new([tokens, experts, chosen, shared, width, hidden]: [usize; 6], seed: u64) -> Self {
        let router = Router { experts, chosen, scoring: Scoring::Softmax, renormalised: false, bias: None };
        let (mut ids, mut counts) = (vec![0; tokens * chosen], vec![0.0; tokens * chosen]);
        route(&router, &numbers(tokens * experts, seed), &mut ids, &mut counts).unwrap();
        let kept = (0..ids.len()).map(|place| u8::from(place % 5 != 3)).collect();
        let size = [experts + shared, width, hidden];
        let [gate, up, down] = [1, 2, 3].map(|other| numbers(size.iter().product(), seed ^ other));
        let [input, grad] = [4, 5].map(|other| numbers(tokens * width, seed ^ other));
        Self { tokens, chosen, shared, size, ids, kept, grad, inputs: [input, counts, gate, up, down] }
    }

    fn call(&self, isa: Isa) -> MixtureBackward<'_> {
        let [input, weights, gate, up, down] = &self.inputs;
        let [experts, width, hidden] = self.size;
        let Self { tokens, chosen, shared, ids, kept, grad, .. } = self;
        let (tokens, chosen, shared) = (*tokens, *chosen, *shared);
        let routed = Routed { tokens, experts: experts - shared, chosen, shared, ids, weights, kept: Some(kept) };
        let weights = Experts { experts, width, hidden, gate, up, down };
        MixtureBackward { weights, routed, input, grad, isa }
    }

    fn gradients(&self, isa: Isa) -> [Vec<f32>; 5] {
        let mut found = self.inputs.each_ref().map(|numbers| vec![f32::NAN; numbers.len()]);
        let [input, counts, gate, up, down] = found.each_mut().map(|numbers| &mut numbers[..]);
        let to = MixtureGradients { input, counts, gate, up, down };
        mixture_backward(&self.call(isa), &mut Dispatch::default(), to).unwrap();
        found
    }

    /// The sum of all numbers of the result, each times its gradient, by plain loops.
    fn result(&self, [input, counts, gate, up, down]: &[Vec<f64>; 5]) -> f64 {
        let [experts, width, hidden] = self.size;
        let mut sum = 0.0;
        for token in 0..self.tokens {
            let places = (token * self.chosen..(token + 1) * self.chosen).filter(|place| self.kept[*place] != 0);
            let mine = places.map(|place| (self.ids[place] as usize, counts[place]));
            for (expert, count) in mine.chain((experts - self.shared..experts).map(|expert| (expert, 1.0))) {
                for h in 0..hidden {
                    let through = |factor: &[f64]| -> f64 {
                        (0..width).map(|d| input[token * width + d] * factor[(expert * width + d) * hidden + h]).sum()
                    };
                    let (gate, up) = (through(gate), through(up));
                    let between = count * gate / (1.0 + (-gate).exp()) * up;
                    let out =
                        |d: usize| down[(expert * hidden + h) * width + d] * f64::from(self.grad[token * width + d]);
                    sum += between * (0..width).map(out).sum::<f64>();
                }
            }
        }
        sum
    }
}

/// The slopes of a function of numbers, by five points each (Abramowitz & Stegun, 25.3.6).
fn slopes<const N: usize>(inputs: &[Vec<f64>; N], result: impl Fn(&[Vec<f64>; N]) -> f64) -> [Vec<f64>; N] {
    let apart = 1e-4;
    let mut moved = inputs.clone();
    std::array::from_fn(|which| {
        let slope = |at: usize| {
            let middle = inputs[which][at];
            let mut beside = |by: f64| {
                moved[which][at] = middle + by * apart;
                result(&moved)
            };
            let slope = (8.0 * (beside(1.0) - beside(-1.0)) - beside(2.0) + beside(-2.0)) / (12.0 * apart);
            moved[which][at] = middle;
            slope
        };
        (0..inputs[which].len()).map(slope).collect()
    })
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|number| f64::from(*number)).collect()
}

#[test]
fn gradients_are_the_slopes_of_a_layer() {
    // One of everything; an expert that nobody goes to, and more numbers than a register has; shared experts alone.
    for size in [[1, 1, 1, 0, 1, 1], [7, 5, 2, 1, 5, 19], [3, 2, 0, 2, 4, 3], [2, 9, 1, 0, 17, 2]] {
        let drawn = Drawn::new(size, 7);
        let right = slopes(&drawn.inputs.each_ref().map(|numbers| wide(numbers)), |inputs| drawn.result(inputs));
        for isa in present() {
            for (which, (found, right)) in drawn.gradients(isa).iter().zip(&right).enumerate() {
                close(&format!("gradient {which} of {size:?} by {}", isa.name()), found, right, 2e-5);
            }
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_a_router() {
    let (tokens, experts) = (19, 7);
    let logits: Vec<f32> = numbers(tokens * experts, 3).iter().map(|x| 3.0 * x).collect();
    let bias = numbers(experts, 9);
    for (scoring, renormalised, chosen) in [
        (Scoring::Softmax, false, 3),
        (Scoring::Softmax, true, 2),
        (Scoring::TopkSoftmax, false, 4),
        (Scoring::Softmax, false, 7),
        (Scoring::TopkSoftmax, false, 1),
        (Scoring::Sigmoid, false, 3),
        (Scoring::Sigmoid, true, 2),
        (Scoring::Sigmoid, true, 1),
    ] {
        let by_bias = scoring == Scoring::Sigmoid;
        let router = Router { experts, chosen, scoring, renormalised, bias: by_bias.then_some(&bias[..]) };
        let (mut ids, mut weights) = (vec![0; tokens * chosen], vec![0.0; tokens * chosen]);
        route(&router, &logits, &mut ids, &mut weights).unwrap();
        let given = numbers(tokens * chosen, 5);
        let result = |logits: &[Vec<f64>; 1]| -> f64 {
            let of_token = |token: usize| -> f64 {
                let power = |expert: usize| {
                    let logit = logits[0][token * experts + expert];
                    if by_bias { 1.0 / (1.0 + (-logit).exp()) } else { logit.exp() }
                };
                let mine: Vec<usize> = (0..chosen).map(|place| token * chosen + place).collect();
                let among_all = scoring == Scoring::Softmax && !renormalised;
                let total: f64 = if by_bias && !renormalised {
                    1.0
                } else if among_all {
                    (0..experts).map(power).sum()
                } else {
                    mine.iter().map(|place| power(ids[*place] as usize)).sum()
                };
                mine.iter().map(|place| power(ids[*place] as usize) / total * f64::from(given[*place])).sum()
            };
            (0..tokens).map(of_token).sum()
        };
        let [right] = slopes(&[wide(&logits)], result);
        let mut found = vec![f32::NAN; logits.len()];
        route_backward(&router, &logits, &ids, &weights, &given, &mut found).unwrap();
        close(&format!("{scoring:?} {renormalised} {chosen}"), &found, &right, 1e-5);
    }
}

#[test]
fn gradients_do_not_depend_on_threads() {
    // All tokens go to one expert, which threads share; many experts, of which each is a task.
    for size in [[70, 1, 1, 0, 40, 33], [150, 12, 3, 0, 33, 20]] {
        let drawn = Drawn::new(size, 3);
        for isa in present() {
            let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            assert_eq!(alone.install(|| drawn.gradients(isa)), drawn.gradients(isa), "{size:?} {}", isa.name());
        }
    }
}

#[test]
fn gradients_of_no_tokens_are_nothing() {
    let drawn = Drawn::new([0, 3, 2, 1, 4, 5], 1);
    for isa in present() {
        let found = drawn.gradients(isa);
        assert_eq!(found.each_ref().map(Vec::len), [0, 0, 80, 80, 80], "{}", isa.name());
        assert!(found.iter().flatten().all(|number| *number == 0.0), "{}", isa.name());
    }
}

#[test]
fn what_is_infinite_stays_in_its_token_and_experts() {
    let (width, hidden, token) = (33, 20, 7);
    let mut drawn = Drawn::new([40, 7, 2, 0, width, hidden], 3);
    let usual: Vec<[Vec<f32>; 5]> = present().map(|isa| drawn.gradients(isa)).collect();
    let places = 2 * token..2 * token + 2;
    assert_eq!(drawn.kept[places.clone()], [1, 1]);
    let mine: Vec<usize> = drawn.ids[places].iter().map(|id| *id as usize).collect();
    drawn.inputs[0][token * width + 5] = f32::INFINITY;
    for (isa, usual) in present().zip(&usual) {
        let found = drawn.gradients(isa);
        // Of the input and of what choices count by token, and of the factors by expert.
        for (which, each) in [(0, width), (1, 2), (2, width * hidden), (3, width * hidden), (4, width * hidden)] {
            let rows = found[which].chunks_exact(each).zip(usual[which].chunks_exact(each));
            for (row, (found, usual)) in rows.enumerate() {
                let reached = if which < 2 { row == token } else { mine.contains(&row) };
                let finite = found.iter().all(|number| number.is_finite());
                assert_eq!(finite, !reached, "gradient {which} of {row} by {}", isa.name());
                assert!(reached || found == usual, "gradient {which} of {row} by {}", isa.name());
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_shape() {
    let drawn = Drawn::new([4, 3, 2, 0, 5, 6], 1);
    let call = drawn.call(Isa::Portable);
    let said = |call: &MixtureBackward, cut: usize| {
        let mut room = drawn.inputs.clone();
        let [input, counts, gate, up, down] = room.each_mut().map(|numbers| &mut numbers[..]);
        let to = MixtureGradients { input, counts: &mut counts[cut..], gate, up, down };
        mixture_backward(call, &mut Dispatch::default(), to).unwrap_err().to_string()
    };
    assert_eq!(said(&call, 1), "the gradient of the counts holds 7 numbers, its shape [4, 2] needs 8");
    let short = MixtureBackward { grad: &drawn.grad[1..], ..call };
    assert_eq!(said(&short, 0), "the gradient of the result holds 19 numbers, its shape [4, 5] needs 20");
    let other = MixtureBackward { routed: Routed { experts: 4, ..call.routed }, ..call };
    assert_eq!(said(&other, 0), "3 experts of 5 and 6 numbers, 4 are routed to");
    let strange = MixtureBackward { routed: Routed { ids: &[0, 1, 2, 3, 0, 1, 2, 0], ..call.routed }, ..call };
    assert_eq!(said(&strange, 0), "expert 3 was chosen, there are 3");
    let router = Router { experts: 3, chosen: 2, scoring: Scoring::Softmax, renormalised: false, bias: None };
    let refused = |router: &Router, weights: &[f32]| {
        route_backward(router, &[0.0; 3], &[0, 1], weights, &[1.0; 2], &mut [0.0; 3]).unwrap_err().to_string()
    };
    assert_eq!(refused(&router, &[0.5; 3]), "their weights holds 3 numbers, its shape [1, 2] needs 2");
    let by_bias = Router { scoring: Scoring::Sigmoid, bias: Some(&[0.0; 2]), ..router };
    assert_eq!(refused(&by_bias, &[0.5; 2]), "the bias holds 2 numbers, its shape [3] needs 3");
}
