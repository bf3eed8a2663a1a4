//! References beside what PyTorch has made of small cases: parameters, inputs and outputs by their names.

use benchbook_core::{DType, Parameters, Params, Problem, Value};

use crate::numbers;

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Bool(flag) => Value::Bool(*flag),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        number => Value::Int(number.as_i64().unwrap()),
    }
}

/// Panics where the reference differs from a case of its problem in the fixture.
#[track_caller]
pub fn agrees<P: Problem>(fixture: &serde_json::Value) {
    let cases = fixture["cases"][P::NAME].as_array().unwrap();
    assert!(cases.len() >= 2, "{}", P::NAME);
    for case in cases {
        let given = case["params"].as_object().unwrap().iter();
        let params = given.fold(Params::default(), |params, (name, json)| params.with(name, value(json)));
        let params = P::Params::read(P::NAME, &params).unwrap();
        let mut inputs = P::inputs(&params, 0);
        let named = case["inputs"].as_object().unwrap();
        assert_eq!(inputs.iter().count(), named.len(), "{}", P::NAME);
        for (name, json) in named {
            let input = inputs.get_mut(name).unwrap();
            if input.dtype() == DType::I32 {
                input.of_mut::<i32>().copy_from_slice(&numbers(json, |id| id as i32));
            } else {
                input.write(0, &numbers(json, |number| number as f32));
            }
        }
        let answers = P::reference(&params, &inputs, 0).answers;
        assert_eq!(answers.len(), case["outputs"].as_object().unwrap().len(), "{}", P::NAME);
        for answer in answers {
            let expected = numbers(&case["outputs"][&*answer.name], |number| number);
            assert_eq!(answer.values.len(), expected.len(), "{} {}", P::NAME, answer.name);
            for (got, want) in answer.values.iter().zip(expected) {
                // Both are float64 sums of a few dozen terms of order one.
                assert!((got - want).abs() < 1e-12 * want.abs().max(1.0), "{} {}: {got}, {want}", P::NAME, answer.name);
            }
        }
    }
}
