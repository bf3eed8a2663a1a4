//! What is rounded, what another rounding excuses, and that a wrong way to round is found all the same.

use benchbook_core::{Answer, Check, DType, Problem};

use super::*;
use crate::training::llama::{LLAMA_TENSORS, LlamaTraining, LlamaTrainingParams, loss_by};
use crate::training::slopes::tolerance;

const WAYS: [EightBits; 2] = [EightBits::Dynamic, EightBits::Delayed];

fn ugly(case: usize) -> LlamaTrainingParams {
    LlamaTraining::ugly().swap_remove(case)
}

/// Steps of a case whose factors are rounded in this way, as outputs.
fn outputs(params: &LlamaTrainingParams, inputs: &Inputs, rounded: Rounded) -> Vec<Array> {
    let of = |weights: &Tensors, ids: &[i32], factors: &mut Factors| loss_by(params, weights, ids, factors);
    let given = steps_by(rounded, params.course(), &LLAMA_TENSORS, inputs, &of);
    let output = |answer: &Answer| {
        let values: Vec<f32> = answer.values.iter().map(|value| *value as f32).collect();
        Array::new(answer.shape.clone(), &values)
    };
    given.answers.iter().map(output).collect()
}

fn passes(right: &Reference, outputs: &[Array]) -> bool {
    right.compare(outputs).iter().all(|one| one.passes(tolerance(DType::F8e4m3)))
}

#[test]
fn numbers_are_those_of_the_formats() {
    let [forward, _, back] = RULES;
    // Of two as near the even one, steps of 2⁻⁹ below the smallest normal number, and nothing beyond the largest.
    let of = [(3.3, 3.25), (3.375, 3.5), (-3.625, -3.5), (0.5_f64.powi(10), 0.0), (0.003, 0.001_953_125 * 2.0)];
    for (number, wanted) in of.into_iter().chain([(463.0, 448.0), (0.0, 0.0), (1e9, 448.0)]) {
        assert_eq!(forward.nearest(number), wanted, "{number}");
    }
    assert_eq!([1.125, 1.2, 70_000.0, -1e9].map(|x| back.nearest(x)), [1.0, 1.25, 57_344.0, -57_344.0]);
    assert_eq!([forward.scale(224.0), back.scale(7.0), forward.scale(0.0)], [2.0, 8192.0, 1.0]);
}

#[test]
fn delayed_scaling_looks_at_what_was_and_gradients_come_back_to_factors_as_they_were() {
    let place = ("w", 0);
    let input =
        |rounded: &mut Rounded, numbers: &[f64]| rounded.round(place, INPUT, &[numbers, &[448.0]])[0].rounded.clone();
    let [mut dynamic, mut delayed] = WAYS.map(|scaling| Rounded::new(scaling, RULES, None));
    for rounded in [&mut dynamic, &mut delayed] {
        assert_eq!(input(rounded, &[224.0, 3.3]), [224.0, 3.25], "the scale is 2, and 6.6 lies between 6.5 and 7");
    }
    assert_eq!(input(&mut dynamic, &[896.0, 3.3]), [896.0, 3.25]);
    assert_eq!(input(&mut delayed, &[896.0, 3.3]), [224.0, 3.25], "what is larger than what was is too large");
    assert_eq!(input(&mut delayed, &[1.0, 500.0]), [1.0, 512.0], "but by then it has been");
    for _ in 0..HISTORY {
        input(&mut delayed, &[1.0]);
    }
    assert_eq!(input(&mut delayed, &[3.0]), [1.0], "nothing larger than 1 is remembered");
    let [input, weights, gradient] = delayed.round(place, GRADIENT, &[&[57_344.0, 1.125][..]]);
    let found = [input, weights, gradient].map(|site| &site.rounded[..]);
    assert_eq!(found, [&[1.0][..], &[448.0], &[57_344.0, 1.0]]);
}

#[test]
fn what_lies_near_the_middle_goes_to_either_side_in_one_of_two_ways() {
    // Of 3.375 and a little more, both neighbours are about as near.
    let numbers = [448.0, 3.375 + 1e-7];
    for seed in 0..4 {
        let mut of = [1.0, -1.0].map(|way| {
            let mut rounded = Rounded::new(EightBits::Dynamic, RULES, Some(Moves::new(seed, way)));
            (4.0 * rounded.round(("w", 0), INPUT, &[&numbers[..], &[1.0]])[0].rounded[1]).round()
        });
        of.sort_by(f64::total_cmp);
        assert_eq!(of, [13.0, 14.0], "{seed}");
    }
}

#[test]
fn a_wrong_way_to_round_is_found_on_few_numbers() {
    let params = ugly(4);
    // The scale of the neighbour, gradients in the format of the pass forward, and no end above.
    let [mut neighbour, mut finer, mut endless] = [RULES; 3];
    neighbour[WEIGHTS].scaled_by = INPUT;
    finer[GRADIENT] = rule(GRADIENT, E4M3);
    endless.iter_mut().for_each(|rule| rule.most = f64::INFINITY);
    for (scaling, other) in [(WAYS[0], WAYS[1]), (WAYS[1], WAYS[0])] {
        for seed in 0..4 {
            let inputs = LlamaTraining::inputs(&params, seed);
            let right = LlamaTraining::in_eight_bits(&params, &inputs, scaling);
            let found = |scaling: EightBits, rules: [Rule; 3], moves: Option<Moves>| {
                passes(&right, &outputs(&params, &inputs, Rounded::new(scaling, rules, moves)))
            };
            let what = format!("{scaling:?}, inputs of {seed}");
            assert!(found(scaling, RULES, None), "{what}");
            assert!(found(scaling, RULES, Some(Moves::new(99, 0.25))), "{what}: moved a little");
            assert!(!found(scaling, neighbour, None), "{what}: the scale of the neighbour");
            assert!(!found(scaling, finer, None), "{what}: gradients in e4m3");
            assert!(!found(other, RULES, None), "{what}: scales of {other:?}");
            // By a scale of its own, nothing is too large.
            assert_eq!(found(scaling, endless, None), scaling == EightBits::Dynamic, "{what}: no end above");
        }
    }
}

#[test]
fn of_many_numbers_some_go_the_other_way_and_what_comes_of_it_is_excused() {
    let params = ugly(2);
    for scaling in WAYS {
        let inputs = LlamaTraining::inputs(&params, 9);
        let right = LlamaTraining::in_eight_bits(&params, &inputs, scaling);
        assert!(right.answers.iter().all(Answer::excuses_little));
        let Check::Rounded { spread } = &right.answers[1].check else { panic!("{:?}", right.answers[1].check) };
        let largest = right.answers[1].values.iter().fold(0.0_f64, |largest, value| largest.max(*value));
        // By the last step, thousands of numbers have been rounded.
        assert!(spread.len() == 3 && spread[2] > tolerance(DType::F8e4m3) * largest, "{spread:?} of {largest}");
        for seed in 50..54 {
            let moves = Some(Moves::new(seed, 0.25));
            let found = outputs(&params, &inputs, Rounded::new(scaling, RULES, moves));
            assert!(passes(&right, &found), "{scaling:?}, moved as of {seed}: {:?}", right.compare(&found));
        }
    }
}
