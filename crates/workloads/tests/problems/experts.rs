//! Mixtures of experts: ties and drops by hand, and what is counted.

use benchbook_core::{Array, Check, DType, Inputs, Problem, Reference};
use benchbook_workloads::experts::{
    CapacityExperts, CapacityExpertsParams, ExpertRouting, ExpertRoutingParams, MixtureOfExperts,
    MixtureOfExpertsGradients, MixtureOfExpertsParams,
};

/// A router of these logits `[tokens, experts]`, and its inputs.
fn router(scoring: &str, logits: &[&[f32]], bias: &[f32], chosen: usize) -> (ExpertRoutingParams, Inputs) {
    let (tokens, experts, scoring) = (logits.len(), logits[0].len(), scoring.to_owned());
    let params = ExpertRoutingParams { tokens, experts, chosen, scoring, ..ExpertRoutingParams::default() };
    let logits = Array::new(vec![tokens, experts], &logits.concat());
    (params, Inputs::from([("logits", logits), ("bias", Array::new(vec![bias.len()], bias))]))
}

fn off(reference: &Reference, which: usize, values: &[i32]) -> f64 {
    let answer = &reference.answers[which];
    answer.compare(&Array::new(answer.shape.clone(), values)).max_scaled_error
}

#[test]
fn of_equals_the_one_with_the_lowest_index_is_right_alone() {
    for scoring in ["softmax", "topk-softmax", "sigmoid"] {
        let (params, inputs) = router(scoring, &[&[0.5, 2.0, -0.0, 0.0, 2.0]], &[0.25; 5], 4);
        let reference = ExpertRouting::reference(&params, &inputs, 0);
        assert_eq!(reference.first_tie(), None, "{scoring}: no rounding can make them differ");
        assert_eq!(off(&reference, 0, &[1, 4, 0, 2]), 0.0, "{scoring}");
        for wrong in [[4, 1, 0, 2], [1, 4, 0, 3], [1, 4, 2, 0]] {
            assert_eq!(off(&reference, 0, &wrong), f64::INFINITY, "{scoring}: {wrong:?}");
        }
    }
}

#[test]
fn where_rounding_decides_either_way_is_right_and_its_weights_with_it() {
    // The logistic function of 0 is ½, and that of 1e-6 larger by 2.5e-7: less than `f32` tells after a bias is added.
    let (params, inputs) = router("sigmoid", &[&[0.0, 1e-6, -1.0, 3.0], &[0.0, 1.0, 2.0, 3.0]], &[0.0; 4], 2);
    let reference = ExpertRouting::reference(&params, &inputs, 0);
    assert_eq!(reference.answers[0].values, [3.0, 1.0, 3.0, 2.0]);
    assert_eq!(reference.first_tie(), Some(0));
    let follow = |ids: [i32; 4]| {
        let outputs = [Array::new(vec![2, 2], &ids)];
        ExpertRouting::follow(&params, &inputs, &outputs).unwrap()
    };
    let other = follow([3, 0, 3, 2]);
    assert_eq!(off(&other, 0, &[3, 0, 3, 2]), 0.0);
    assert_eq!((other.answers[1].values[1], other.answers[2].values.as_slice()), (0.5, &[1.0, 0.0, 1.0, 2.0][..]));
    for wrong in [[3, 2, 3, 2], [0, 3, 3, 2], [3, 3, 3, 2], [3, 9, 3, 2], [3, 0, 2, 3]] {
        assert_eq!(off(&follow(wrong), 0, &wrong), f64::INFINITY, "{wrong:?}");
    }
    // What scores by the logits themselves has no such choice.
    let (softmax, inputs) = router("softmax", &[&[0.0, 1e-6]], &[0.0; 2], 1);
    assert_eq!(ExpertRouting::reference(&softmax, &inputs, 0).answers[0].check, Check::Exact);
    assert_eq!(ExpertRouting::follow(&softmax, &inputs, &[Array::new(vec![1, 1], &[0_i32])]), None);
    assert_eq!(ExpertRouting::follow(&params, &inputs, &[]), None);
}

/// A layer with a capacity whose tokens all choose the first of two experts.
fn crowd(capacity: f64, priority: &str) -> (CapacityExpertsParams, Inputs) {
    let usual = CapacityExpertsParams { tokens: 4, experts: 2, chosen: 1, width: 1, hidden: 1, ..Default::default() };
    let params = CapacityExpertsParams { capacity, priority: priority.to_owned(), ..usual };
    let mut inputs = CapacityExperts::inputs(&params, 1);
    inputs.insert("logits", Array::new(vec![4, 2], &[5.0_f32, 0.0, 9.0, 0.0, 5.0, 0.0, 7.0, 0.0]));
    (params, inputs)
}

#[test]
fn who_is_dropped_is_a_part_of_the_problem() {
    let kept = |capacity: f64, priority: &str| {
        let (params, inputs) = crowd(capacity, priority);
        let reference = CapacityExperts::reference(&params, &inputs, 1);
        let kept = reference.answers[2].values.clone();
        let mut pairs = reference.answers[0].values.iter().zip(&kept);
        let empty = pairs.all(|(value, kept)| (*value == 0.0) == (*kept == 0.0));
        assert!(empty, "what is dropped adds nothing");
        kept
    };
    // Four choices among two experts: two each where all is even.
    assert_eq!(kept(1.0, "position"), [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(kept(1.0, "logit"), [0.0, 1.0, 0.0, 1.0]);
    assert_eq!(kept(1.1, "logit"), [1.0, 1.0, 0.0, 1.0], "three slots, and of equals the one that stands first");
    assert_eq!(kept(0.0, "position"), [0.0; 4]);
    let metric = |capacity: f64, name: &str| {
        let (params, inputs) = crowd(capacity, "logit");
        let metrics = CapacityExperts::metrics(&params, &inputs);
        metrics.iter().find(|metric| metric.name == name).unwrap().value
    };
    assert_eq!((metric(1.1, "dropped_share"), metric(1.1, "capacity_slots")), (0.25, 3.0));
    // All of the load on one of two experts, always the same one.
    assert_eq!((metric(1.0, "load_peak"), metric(1.0, "experts_touched"), metric(1.0, "expert_sets")), (2.0, 1.0, 1.0));
}

#[test]
fn work_counts_the_experts_that_are_touched() {
    let work = |tokens: usize, experts: usize, chosen: usize, shared: usize, balance: &str| {
        let (width, hidden, balance) = (8, 4, balance.to_owned());
        let usual = MixtureOfExpertsParams { width, hidden, balance, ..Default::default() };
        let params = MixtureOfExpertsParams { tokens, experts, chosen, shared, ..usual };
        let work = MixtureOfExperts::work(&params, DType::F32);
        // Of an expert 3 · 8 · 4 weights; of a token its input, its result, its logits and its choices.
        let of_tokens = tokens * (16 + experts + chosen);
        (work.flops / (6.0 * 32.0), (work.bytes / 4.0 - of_tokens as f64) / 96.0)
    };
    assert_eq!(work(1, 64, 8, 0, "even"), (8.0, 8.0));
    assert_eq!(work(1, 64, 8, 2, "even"), (10.0, 10.0));
    assert_eq!(work(500, 16, 4, 0, "even"), (2000.0, 16.0));
    assert_eq!(work(500, 16, 4, 1, "crowded"), (2500.0, 5.0), "all tokens go to the same four");
    assert_eq!(work(500, 16, 0, 0, "even"), (0.0, 0.0));
    let (params, _) = crowd(0.0, "position");
    assert_eq!(CapacityExperts::work(&params, DType::F32).flops, 0.0, "nobody gets a slot");
}

#[test]
fn a_balanced_router_has_the_auxiliary_loss_of_one() {
    let even: [&[f32]; 2] = [&[1.0, 1.0, 0.0, 0.0], &[0.0, 0.0, 1.0, 1.0]];
    let (params, inputs) = router("softmax", &even, &[0.0; 4], 2);
    let reference = ExpertRouting::reference(&params, &inputs, 0);
    assert_eq!(reference.answers[2].values, [1.0; 4]);
    assert!((reference.answers[3].values[0] - 1.0).abs() < 1e-14, "{:?}", reference.answers[3]);
    let metrics = ExpertRouting::metrics(&params, &inputs);
    let of = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().value;
    assert_eq!((of("load_peak"), of("experts_touched"), of("expert_sets")), (1.0, 4.0, 2.0));
    assert!(of("routing_entropy") < 4.0_f64.ln() && of("routing_entropy") > 2.0_f64.ln());
}

/// Σ result · grad by the forward reference, and who was chosen.
fn loss(params: &MixtureOfExpertsParams, inputs: &Inputs) -> (f64, Vec<f64>) {
    let answers = MixtureOfExperts::reference(params, inputs, 0).answers;
    let counted = answers[0].values.iter().zip(inputs.numbers("grad"));
    (counted.map(|(out, grad)| out * f64::from(*grad)).sum(), answers[1].values.clone())
}

#[test]
fn gradients_by_the_logistic_function_agree_with_finite_differences() {
    for renormalised in [false, true] {
        let (tokens, experts, chosen, shared, width, hidden) = (4, 5, 2, 1, 3, 4);
        let (scoring, balance) = ("sigmoid".to_owned(), "even".to_owned());
        let params =
            MixtureOfExpertsParams { tokens, experts, chosen, shared, width, hidden, scoring, renormalised, balance };
        let inputs = MixtureOfExpertsGradients::inputs(&params, 5);
        let answers = MixtureOfExpertsGradients::reference(&params, &inputs, 5).answers;
        let (_, usual) = loss(&params, &inputs);
        assert_eq!((answers.len(), &*answers[5].name, &answers[5].values), (6, "experts", &usual));
        let mut chosen_otherwise = 0;
        for (name, answer) in ["input", "logits", "w_gate", "w_up", "w_down"].into_iter().zip(&answers) {
            assert_eq!((&*answer.name, answer.values.len()), (&*format!("{name}_grad"), inputs.get(name).len()));
            for (index, right) in answer.values.iter().enumerate() {
                let moved = |step: f32| {
                    let mut inputs = inputs.clone();
                    let number = &mut inputs.get_mut(name).unwrap().of_mut::<f32>()[index];
                    *number += step;
                    // As stored: the step itself is rounded.
                    (f64::from(*number), loss(&params, &inputs))
                };
                let ((high, (above, one)), (low, (below, other))) = (moved(1e-3), moved(-1e-3));
                if one != usual || other != usual {
                    chosen_otherwise += 1;
                    continue;
                }
                let slope = (above - below) / (high - low);
                // The third derivative, of order ten here, times the square of the step.
                assert!((slope - right).abs() < 1e-4, "{name} {index}: {slope} for {right}");
            }
        }
        assert!(chosen_otherwise < 5, "{chosen_otherwise} of 20 logits decide, and have no slope");
    }
}
