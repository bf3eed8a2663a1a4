//! Routers and layers of experts: against plain loops, in whatever company a token is, and calls that they must refuse.

use benchbook_simd::{Dispatch, ExpertWeights, Experts, Isa, Routed, Router, Scoring, auxiliary_loss, mixture, route};
use proptest::prelude::*;

use crate::common::{numbers, present};

/// Weights of experts by name, in the sizes of a case.
struct Drawn {
    experts: usize,
    width: usize,
    hidden: usize,
    gate: Vec<f32>,
    up: Vec<f32>,
    down: Vec<f32>,
}

impl Drawn {
    fn new([experts, width, hidden]: [usize; 3], seed: u64) -> Self {
        let [gate, up, down] = [1, 2, 3].map(|other| numbers(experts * width * hidden, seed ^ other));
        Self { experts, width, hidden, gate, up, down }
    }

    fn packed(&self, isa: Isa) -> ExpertWeights {
        let Self { experts, width, hidden, gate, up, down } = self;
        let weights = Experts { experts: *experts, width: *width, hidden: *hidden, gate, up, down };
        ExpertWeights::new(&weights, isa).unwrap()
    }

    /// What an expert makes of a row, by plain loops; or the scale of every rounding in it: the same of absolute values, with
    /// what is gated in the place of its gate.
    fn one(&self, expert: usize, row: &[f32], absolute: bool) -> Vec<f64> {
        let (width, hidden) = (self.width, self.hidden);
        let number = |number: &f32| f64::from(if absolute { number.abs() } else { *number });
        let product = |weights: &[f32], from: &[f64], columns: usize| -> Vec<f64> {
            let mut sums = vec![0.0; columns];
            for (left, right) in from.iter().zip(weights.chunks_exact(columns)) {
                sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * number(right));
            }
            sums
        };
        let gated = |(gate, up): (f64, f64)| if absolute { gate * up } else { gate / (1.0 + (-gate).exp()) * up };
        let size = width * hidden;
        let [gate, up, down] = [&self.gate, &self.up, &self.down].map(|all| &all[expert * size..][..size]);
        let row: Vec<f64> = row.iter().map(number).collect();
        let both = product(gate, &row, hidden).into_iter().zip(product(up, &row, hidden));
        product(down, &both.map(gated).collect::<Vec<f64>>(), width)
    }
}

/// `chosen` experts of each token, no two the same, and weights.
fn drawn_choices([tokens, experts, chosen]: [usize; 3], seed: u64) -> (Vec<i32>, Vec<f32>) {
    let logits = numbers(tokens * experts, seed ^ 7);
    let (mut ids, mut weights) = (vec![0; tokens * chosen], vec![0.0; tokens * chosen]);
    let router = Router { experts, chosen, scoring: Scoring::Softmax, renormalised: false, bias: None };
    route(&router, &logits, &mut ids, &mut weights).unwrap();
    (ids, weights)
}

/// The result on the rows that `plan` makes of choices.
fn answer(
    plan: fn(&mut Dispatch, &Routed) -> benchbook_simd::Result<()>,
    weights: &ExpertWeights,
    routed: &Routed,
    input: &[f32],
) -> Vec<f32> {
    let (mut dispatch, mut out) = (Dispatch::default(), vec![f32::NAN; input.len()]);
    plan(&mut dispatch, routed).unwrap();
    mixture(weights, &dispatch, input, &mut out).unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn layers_are_those_of_plain_loops_sorted_or_dense(
        (tokens, experts, width, hidden) in prop_oneof![
            (0..40_usize, 1..9_usize, 1..70_usize, 1..70_usize),
            // More steps than a run has, more columns than a task, more rows than a block.
            (0..3_usize, 1..4_usize, 250..600_usize, 250..600_usize),
            (190..420_usize, 1..3_usize, 1..20_usize, 1..20_usize),
        ],
        (chosen, shared) in (0..5_usize, 0..3_usize),
        seed in any::<u64>(),
    ) {
        let chosen = chosen.min(experts);
        let drawn = Drawn::new([experts + shared, width, hidden], seed);
        let input = numbers(tokens * width, !seed);
        let (ids, weights) = drawn_choices([tokens, experts, chosen], seed);
        let kept: Vec<u8> = (0..ids.len()).map(|place| u8::from((seed >> (place % 60)) & 3 != 0)).collect();
        let routed = Routed { tokens, experts, chosen, shared, ids: &ids, weights: &weights, kept: Some(&kept) };
        let of = |absolute: bool| -> Vec<f64> {
            let one = |token: usize| {
                let mine = (token * chosen..(token + 1) * chosen).filter(|place| kept[*place] != 0);
                let mine = mine.map(|place| (ids[place] as usize, f64::from(weights[place])));
                let all = mine.chain((experts..experts + shared).map(|expert| (expert, 1.0)));
                all.fold(vec![0.0; width], |mut sums, (expert, weight)| {
                    let given = drawn.one(expert, &input[token * width..][..width], absolute);
                    sums.iter_mut().zip(given).for_each(|(sum, given)| *sum += weight * given);
                    sums
                })
            };
            (0..tokens).flat_map(one).collect()
        };
        let (wanted, scale) = (of(false), of(true));
        // Each sum rounds as often as it has terms (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); that of
        // the gate counts 1.1 times, the slope of silu at most, and 2^x is off by some units of the last place.
        let roundings = 2.1 * width as f64 + (hidden + chosen + shared) as f64 + 20.0;
        let least = 1.01 * roundings * 2.0_f64.powi(-24);
        for isa in present() {
            let packed = drawn.packed(isa);
            let sorted = answer(Dispatch::sorted, &packed, &routed, &input);
            for ((found, wanted), scale) in sorted.iter().zip(&wanted).zip(&scale) {
                let off = (f64::from(*found) - wanted).abs();
                prop_assert!(off <= least * scale, "{}: {found} for {wanted}", isa.name());
            }
            let dense = answer(Dispatch::dense, &packed, &routed, &input);
            prop_assert_eq!(&sorted, &dense, "{}", isa.name());
        }
    }
}

#[test]
fn a_token_has_the_same_bits_in_any_company() {
    let ([tokens, experts, chosen], [width, hidden]) = ([230, 6, 2], [300, 70]);
    let drawn = Drawn::new([experts, width, hidden], 5);
    let (input, (ids, weights)) = (numbers(tokens * width, 6), drawn_choices([tokens, experts, chosen], 5));
    for isa in present() {
        let packed = drawn.packed(isa);
        let of = |token: usize, count: usize| {
            let places = token * chosen..(token + count) * chosen;
            let (ids, weights) = (&ids[places.clone()], &weights[places]);
            let routed = Routed { tokens: count, experts, chosen, shared: 0, ids, weights, kept: None };
            answer(Dispatch::sorted, &packed, &routed, &input[token * width..(token + count) * width])
        };
        let all = of(0, tokens);
        for (token, row) in all.chunks_exact(width).enumerate().step_by(23) {
            assert_eq!(of(token, 1), row, "{} {token}", isa.name());
        }
        for _ in 0..3 {
            assert_eq!(of(0, tokens), all, "{}", isa.name());
        }
    }
}

#[test]
fn what_is_infinite_or_denormal_stays_in_its_token() {
    let ([tokens, experts, chosen], [width, hidden]) = ([40, 5, 2], [33, 20]);
    let drawn = Drawn::new([experts, width, hidden], 3);
    let (mut input, (ids, weights)) = (numbers(tokens * width, 4), drawn_choices([tokens, experts, chosen], 3));
    let routed = Routed { tokens, experts, chosen, shared: 0, ids: &ids, weights: &weights, kept: None };
    // Too small to be normal: gate and up are too, and their product is 0.
    input[..width].fill(1e-41);
    for isa in present() {
        let packed = drawn.packed(isa);
        let usual = answer(Dispatch::sorted, &packed, &routed, &input);
        assert!(usual[..width].iter().all(|number| *number == 0.0), "{}", isa.name());
        for strange in [f32::INFINITY, f32::NAN] {
            let mut changed = input.clone();
            changed[7 * width + 5] = strange;
            // Experts that compute all tokens do not count those that did not choose them, not even as zero times infinity.
            for plan in [Dispatch::sorted, Dispatch::dense] {
                let found = answer(plan, &packed, &routed, &changed);
                for (token, (found, usual)) in found.chunks_exact(width).zip(usual.chunks_exact(width)).enumerate() {
                    assert_eq!(found.iter().all(|number| number.is_finite()), token != 7, "{} {token}", isa.name());
                    assert!(token == 7 || found == usual, "{} {token}", isa.name());
                }
            }
        }
    }
}

/// Experts and weights of one token.
fn routed(scoring: Scoring, renormalised: bool, logits: &[f32], chosen: usize) -> (Vec<i32>, Vec<f32>) {
    let router = Router { experts: logits.len(), chosen, scoring, renormalised, bias: None };
    let (mut ids, mut weights) = (vec![-1; chosen], vec![f32::NAN; chosen]);
    route(&router, logits, &mut ids, &mut weights).unwrap();
    (ids, weights)
}

#[test]
fn of_equals_the_lowest_index_comes_first() {
    let equal = [1.0, 2.0, -0.0, 2.0, 0.0, 2.0];
    for scoring in [Scoring::Softmax, Scoring::TopkSoftmax, Scoring::Sigmoid] {
        assert_eq!(routed(scoring, false, &equal, 6).0, [1, 3, 5, 0, 2, 4], "{scoring:?}");
        assert_eq!(routed(scoring, false, &equal, 2).0, [1, 3], "{scoring:?}");
        assert_eq!(routed(scoring, true, &equal, 2).1, [0.5, 0.5], "{scoring:?}");
        // What is no number comes last, and what is infinite first.
        let strange = [f32::NAN, f32::NEG_INFINITY, 3.0, f32::NAN, f32::INFINITY];
        assert_eq!(routed(scoring, false, &strange, 5).0, [4, 2, 1, 0, 3], "{scoring:?}");
    }
    assert_eq!(routed(Scoring::TopkSoftmax, false, &equal, 3).1, [1.0 / 3.0; 3]);
    let (_, weights) = routed(Scoring::Sigmoid, true, &[-1e3, -1e4], 2);
    assert_eq!(weights, [0.0, 0.0], "of weights that are all 0 none is infinite");
}

#[test]
fn weights_of_infinite_logits_are_those_of_pytorch() {
    let nothing = [f32::NEG_INFINITY, 1.0, 1.0];
    assert_eq!(routed(Scoring::Softmax, false, &nothing, 3), (vec![1, 2, 0], vec![0.5, 0.5, 0.0]));
    assert_eq!(routed(Scoring::TopkSoftmax, false, &nothing, 2).1, [0.5, 0.5]);
    let both = [f32::NEG_INFINITY, f32::INFINITY];
    assert_eq!(routed(Scoring::Sigmoid, false, &both, 2), (vec![1, 0], vec![1.0, 0.0]));
    // ∞ − ∞, whichever it is.
    for infinite in [[f32::INFINITY, 0.0], [f32::NEG_INFINITY; 2]] {
        for scoring in [Scoring::Softmax, Scoring::TopkSoftmax] {
            let weights = routed(scoring, false, &infinite, 2).1;
            assert!(weights.iter().all(|weight| weight.is_nan()), "{scoring:?} of {infinite:?}: {weights:?}");
        }
    }
}

#[test]
fn a_bias_has_a_say_in_the_choice_and_none_in_the_weight() {
    let bias = [0.0, 0.9, 0.0];
    let router = Router { experts: 3, chosen: 1, scoring: Scoring::Sigmoid, renormalised: false, bias: Some(&bias) };
    let (mut ids, mut weights) = ([-1], [f32::NAN]);
    route(&router, &[0.0, -1.0, 1.0], &mut ids, &mut weights).unwrap();
    assert_eq!(ids, [1]);
    assert!((weights[0] - 1.0 / (1.0 + 1.0_f32.exp())).abs() < 1e-6, "{weights:?}");
}

#[test]
fn the_auxiliary_loss_is_one_where_everything_is_even() {
    let router = Router { experts: 4, chosen: 2, scoring: Scoring::Softmax, renormalised: false, bias: None };
    let mut load = [9; 4];
    let loss = auxiliary_loss(&router, &[0.0; 8], &[0, 1, 2, 3], &mut load).unwrap();
    assert_eq!((loss, load), (1.0, [1; 4]));
    // All choices fall on two experts, which have 0.8 of the probability: 4 · 2 · ½ · 0.4.
    let logits = [4.0_f32.ln(), 4.0_f32.ln(), 0.0, 0.0].repeat(2);
    let loss = auxiliary_loss(&router, &logits, &[0, 1, 1, 0], &mut load).unwrap();
    assert!((loss - 1.6).abs() < 1e-6 && load == [2, 2, 0, 0], "{loss} {load:?}");
}

#[test]
fn what_cannot_be_is_refused_with_its_shape() {
    let router = Router { experts: 3, chosen: 2, scoring: Scoring::Softmax, renormalised: false, bias: None };
    let asked = |router: Router, logits: &[f32], chosen: usize| {
        let (mut ids, mut weights) = (vec![0; chosen], vec![0.0; chosen]);
        route(&router, logits, &mut ids, &mut weights).map_err(|error| error.to_string())
    };
    assert_eq!(asked(router, &[0.0; 6], 4), Ok(()));
    assert_eq!(asked(router, &[], 0), Ok(()));
    assert_eq!(asked(Router { chosen: 0, ..router }, &[0.0; 6], 0), Ok(()));
    for (answer, part) in [
        (asked(router, &[0.0; 7], 4), "7 logits are no whole number of rows of 3"),
        (asked(router, &[0.0; 6], 3), "the experts chosen holds 3 numbers, its shape [2, 2] needs 4"),
        (asked(Router { chosen: 4, ..router }, &[0.0; 6], 8), "4 of 3 experts"),
        (asked(Router { bias: Some(&[1.0]), ..router }, &[0.0; 6], 4), "the bias holds 1 numbers"),
    ] {
        assert!(answer.clone().is_err_and(|said| said.contains(part)), "{part}: {answer:?}");
    }
    let drawn = Drawn::new([2, 3, 5], 1);
    let short = Experts { experts: 2, width: 3, hidden: 5, gate: &drawn.gate, up: &drawn.up[1..], down: &drawn.down };
    let said = ExpertWeights::new(&short, Isa::Portable).unwrap_err().to_string();
    assert_eq!(said, "the up weights holds 29 numbers, its shape [2, 3, 5] needs 30");
    assert!(ExpertWeights::new(&Experts { hidden: 0, ..short }, Isa::Portable).is_err());
    let (packed, mut dispatch) = (drawn.packed(Isa::Portable), Dispatch::default());
    let none = Routed { tokens: 1, experts: 1, chosen: 0, shared: 0, ids: &[], weights: &[], kept: None };
    dispatch.sorted(&none).unwrap();
    let said = mixture(&packed, &dispatch, &[0.0; 3], &mut [0.0; 3]).unwrap_err().to_string();
    assert_eq!(said, "rows are those of 1 experts, there are weights of 2");
    dispatch.sorted(&Routed { experts: 2, ..none }).unwrap();
    let said = mixture(&packed, &dispatch, &[0.0; 4], &mut [0.0; 3]).unwrap_err().to_string();
    assert!(said.contains("the input holds 4 numbers, its shape [1, 3] needs 3"), "{said}");
    let mut out = [f32::NAN; 3];
    mixture(&packed, &dispatch, &[1.0; 3], &mut out).unwrap();
    assert_eq!(out, [0.0; 3], "of no experts the sum is 0");
}

#[test]
fn infinities_answer_as_arithmetic_does() {
    // One number each: silu(gate · x) · (up · x) · down.
    let packed = |isa: Isa, [gate, up, down]: [f32; 3]| {
        let weights = Experts { experts: 1, width: 1, hidden: 1, gate: &[gate], up: &[up], down: &[down] };
        ExpertWeights::new(&weights, isa).unwrap()
    };
    let routed = Routed { tokens: 1, experts: 1, chosen: 1, shared: 0, ids: &[0], weights: &[1.0], kept: None };
    for isa in present() {
        let of = |weights: [f32; 3], x: f32| answer(Dispatch::sorted, &packed(isa, weights), &routed, &[x])[0];
        assert_eq!(of([1.0, 1.0, 1.0], f32::INFINITY), f32::INFINITY, "{}", isa.name());
        assert_eq!(of([-1e3, 1.0, 1.0], 1.0).abs(), 0.0, "the gate is shut");
        assert_eq!(of([1e3, 2.0, 1.0], 1.0), 2e3, "the gate is open");
        assert!(of([1.0, 1.0, 1.0], f32::NEG_INFINITY).is_nan(), "−∞ / ∞, as PyTorch");
        assert!(of([1.0, 1.0, 1.0], f32::NAN).is_nan());
    }
}
