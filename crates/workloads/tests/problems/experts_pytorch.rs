//! Mixtures of experts: the references against PyTorch.

use benchbook_core::{Answer, Inputs, Parameters, Params, Problem, Reference, Value};
use benchbook_workloads::experts::{CapacityExperts, ExpertRouting, MixtureOfExperts, MixtureOfExpertsGradients};

use crate::numbers;
use crate::pytorch::agrees;

/// The parameters of a fixture that a problem has.
fn params<P: Problem>(json: &serde_json::Value) -> P::Params {
    let known = P::Params::specs();
    let given = json.as_object().unwrap().iter().filter(|(name, _)| known.iter().any(|spec| spec.name == **name));
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::Bool(flag) => Value::Bool(*flag),
        serde_json::Value::String(word) => Value::Text(word.clone()),
        number => number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap()), Value::Int),
    };
    let given = given.fold(Params::default(), |params, (name, json)| params.with(name, value(json)));
    P::Params::read(P::NAME, &given).unwrap()
}

/// Inputs of the shapes that the problem gives, with the numbers of the fixture.
fn inputs<P: Problem>(params: &P::Params, json: &serde_json::Value) -> Inputs {
    let mut inputs = P::inputs(params, 0);
    for name in inputs.real() {
        inputs.get_mut(&name).unwrap().write(0, &numbers(&json[&name], |number| number as f32));
    }
    inputs
}

/// Panics where an answer differs from the fixture.
#[track_caller]
fn agree(reference: &Reference, json: &serde_json::Value) {
    for Answer { name, values, .. } in &reference.answers {
        let expected = numbers(&json[&**name], |number| number);
        assert_eq!(values.len(), expected.len(), "{name}");
        for (got, want) in values.iter().zip(expected) {
            // Both are float64 sums of a few dozen products of order one; indices and counts are exact.
            assert!((got - want).abs() <= 1e-12 * want.abs().max(10.0), "{name}: {got} against {want}");
        }
    }
}

fn fixture() -> serde_json::Value {
    serde_json::from_str(include_str!("../../fixtures/experts.json")).unwrap()
}

#[test]
fn gradients_agree_with_pytorch() {
    agrees::<MixtureOfExpertsGradients>(&fixture()["gradients"]);
}

#[test]
fn the_references_agree_with_pytorch() {
    let fixture = fixture();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let known = &case["params"];
        let routing = params::<ExpertRouting>(known);
        let reference = ExpertRouting::reference(&routing, &inputs::<ExpertRouting>(&routing, case), 0);
        assert_eq!(reference.answers.len(), 4);
        agree(&reference, case);
        if known["capacity"].is_number() {
            let layer = params::<CapacityExperts>(known);
            let reference = CapacityExperts::reference(&layer, &inputs::<CapacityExperts>(&layer, case), 0);
            assert_eq!(reference.answers.len(), 3);
            agree(&reference, case);
            let kept = &reference.answers[2].values;
            assert!(kept.contains(&0.0) && kept.contains(&1.0), "some are dropped, and some are not");
        } else {
            let layer = params::<MixtureOfExperts>(known);
            let reference = MixtureOfExperts::reference(&layer, &inputs::<MixtureOfExperts>(&layer, case), 0);
            assert_eq!(reference.answers.len(), 2);
            agree(&reference, case);
        }
    }
}
