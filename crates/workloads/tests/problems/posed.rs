//! What every problem of the registry gives: parameters that can be columns, cases that pose, inputs, and answers.

use benchbook_core::{Answer, Array, Check, DType, Posed, Tolerance};

use crate::registry;

#[test]
fn every_parameter_can_be_a_column_and_has_its_default_in_its_range() {
    for spec in registry().param_specs() {
        assert!(spec.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", spec.name);
        assert!(!spec.doc.is_empty(), "{}", spec.name);
        let refusal = spec.within.and_then(|within| within.refusal(&spec.default));
        assert_eq!(refusal, None, "{}", spec.name);
    }
}

#[test]
fn every_preset_poses_and_the_smallest_case_has_an_answer() {
    for workload in registry().workloads() {
        let given = workload.presets().into_iter().flat_map(|preset| preset.cases);
        let posed = given.map(|given| workload.pose(&workload.case(given).unwrap().params).unwrap());
        let size = |posed: &dyn Posed| posed.work(DType::F32).flops + posed.work(DType::F32).bytes;
        let smallest = posed.min_by(|a, b| size(a.as_ref()).total_cmp(&size(b.as_ref())));
        tells_right_from_wrong(workload.name(), smallest.unwrap().as_ref());
    }
}

#[test]
fn every_ugly_case_is_a_case_and_has_an_answer() {
    for workload in registry().workloads() {
        let ugly = workload.ugly();
        assert!(!ugly.is_empty(), "{}", workload.name());
        for given in ugly {
            let case = workload.case(given.clone()).unwrap();
            assert_eq!(case.params, given, "{}: nothing is missing", case.name);
            let what = format!("{} {}", case.workload, case.name);
            tells_right_from_wrong(&what, workload.pose(&given).unwrap().as_ref());
        }
    }
}

#[test]
fn some_inputs_are_those_of_all_and_large_weights_are_left_out() {
    let problems = registry();
    for workload in problems.workloads() {
        let posed = workload.pose(&workload.ugly().swap_remove(0)).unwrap();
        for (name, array) in posed.inputs(3).iter() {
            let some = posed.some_inputs(3, &[name.to_owned()]);
            assert_eq!(some.get(name), array, "{} {name}", workload.name());
        }
    }
    let large = [
        ("generate", "prompt"),
        ("prefill", "prompt"),
        ("text-encoder", "ids"),
        ("audio-encoder", "mel"),
        ("matmul", "a"),
        ("sparse-matmul", "a"),
    ];
    for (name, input) in large {
        let workload = problems.find_workload(name).unwrap();
        let posed = workload.pose(&workload.ugly().swap_remove(0)).unwrap();
        let some = posed.some_inputs(3, &[input.to_owned()]);
        assert_eq!(some.iter().map(|(name, _)| name).collect::<Vec<_>>(), [input], "{name}");
    }
}

/// As many draws of each category as its probability says, but for rounding.
fn drawn(answer: &Answer, probabilities: &[f64]) -> Array {
    let draws: usize = answer.shape.iter().product();
    let mut until = 0.0;
    let ends: Vec<f64> = probabilities
        .iter()
        .map(|probability| {
            until += probability * draws as f64;
            until
        })
        .collect();
    let of = |draw: usize| ends.iter().position(|end| draw as f64 + 0.5 < *end).unwrap_or(ends.len() - 1) as i64;
    Array::new(answer.shape.clone(), &(0..draws).map(of).collect::<Vec<i64>>())
}

/// Inputs repeat and are finite; the answer holds rows of its shape, accepts itself, and refuses what is off by one.
#[track_caller]
fn tells_right_from_wrong(what: &str, posed: &dyn Posed) {
    let inputs = posed.inputs(3);
    assert!(inputs == posed.inputs(3) && inputs != posed.inputs(4), "{what}");
    for (name, array) in inputs.iter() {
        assert!(array.to_f64().iter().all(|number| number.is_finite()), "{what}: {name}");
    }
    for dtype in DType::FLOATS {
        assert!(posed.work(dtype).bytes > 0.0 && posed.tolerance(dtype) < 0.1, "{what} in {dtype}");
    }
    let reference = posed.reference(&inputs, 3);
    assert!(!reference.answers.is_empty(), "{what}");
    for dtype in DType::FLOATS {
        for Tolerance { output, relative, absolute } in posed.tolerances(dtype) {
            let named = reference.answers.iter().filter(|answer| answer.name == output).count();
            assert_eq!(named, 1, "{what}: an output that is called `{output}`");
            let right = |error: f64| error.is_finite() && error >= 0.0;
            assert!(right(relative) && right(absolute) && relative < 0.1, "{what} in {dtype}: `{output}`");
        }
    }
    for answer in &reference.answers {
        if let Check::Draws { control, .. } = &answer.check {
            let (right, wrong) = (drawn(answer, &answer.values), drawn(answer, control));
            assert_eq!(answer.compare(&right).max_scaled_error, 0.0, "{what}: {}", answer.name);
            assert_eq!(answer.compare(&wrong).max_scaled_error, f64::INFINITY, "{what}: {}", answer.name);
            continue;
        }
        let width = answer.shape.last().copied().unwrap_or(1);
        assert!(answer.values.iter().all(|value| value.is_finite()), "{what}: {}", answer.name);
        assert_eq!(answer.values.len(), answer.rows.len() * width, "{what}: {}", answer.name);
        let mut right = vec![0.0; answer.shape.iter().product()];
        for (row, values) in answer.rows.iter().zip(answer.values.chunks_exact(width)) {
            right[row * width..][..width].copy_from_slice(values);
        }
        let wrong: Vec<f64> = right.iter().map(|value| value + 1.0).collect();
        let off = |values: &[f64]| answer.compare(&Array::new(answer.shape.clone(), values)).max_scaled_error;
        assert_eq!(off(&right), 0.0, "{what}: {}", answer.name);
        assert!(off(&wrong) > posed.tolerance(DType::F32), "{what}: {}", answer.name);
    }
}
