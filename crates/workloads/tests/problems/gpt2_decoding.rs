//! GPT-2 with caches that forget or round, and pairs of its tokens: references against numpy.

use benchbook_core::{Array, Check, Inputs, Problem};
use benchbook_workloads::decoding::{
    LossyDecoding, LossyDecodingParams, SpeculativeSampling, SpeculativeSamplingParams,
};

use crate::numbers;

const LAYERS: usize = 2;
const HEADS: usize = 2;
const WIDTH: usize = 6;
const VOCABULARY: usize = 9;
const PROMPT: usize = 5;
const TOKENS: usize = 12;

fn fixture() -> serde_json::Value {
    serde_json::from_str(include_str!("../../fixtures/gpt2_decoding.json")).unwrap()
}

fn lossy(sinks: usize, window_size: usize, bits: usize) -> LossyDecodingParams {
    LossyDecodingParams {
        layers: LAYERS,
        heads: HEADS,
        width: WIDTH,
        vocabulary: VOCABULARY,
        prompt: PROMPT,
        tokens: TOKENS,
        sinks,
        window_size,
        bits,
    }
}

/// Inputs of the shapes that the problem gives, with the numbers of the fixture.
fn inputs(json: &serde_json::Value) -> Inputs {
    let mut inputs = LossyDecoding::inputs(&lossy(0, 1, 32), 0);
    for (name, array) in json["inputs"].as_object().unwrap() {
        let given: Vec<f32> = numbers(array, |number| number as f32);
        assert_eq!(given.len(), inputs.get(name).len(), "{name}");
        inputs.get_mut(name).unwrap().write(0, &given);
    }
    let prompt: Vec<i32> = numbers(&json["prompt"], |id| id as i32);
    inputs.insert("prompt", Array::new(vec![PROMPT], &prompt));
    inputs
}

#[test]
fn what_is_forgotten_or_rounded_changes_tokens_as_in_numpy() {
    let json = fixture();
    let (inputs, cases) = (inputs(&json), json["lossy"].as_array().unwrap());
    assert_eq!(cases.len(), 6);
    for case in cases {
        let size = |name: &str| case[name].as_u64().unwrap() as usize;
        let params = lossy(size("sinks"), size("window_size"), size("bits"));
        let answer = LossyDecoding::reference(&params, &inputs, 0).answers.remove(0);
        assert_eq!(answer.values, numbers(&case["tokens"], |id| id), "{params:?}");
        let Check::Greedy { gaps, least } = &answer.check else { panic!("{:?}", answer.check) };
        assert!(gaps.iter().all(|gap| gap > least), "no tie is in the way: {params:?}");
    }
}

#[test]
fn pairs_of_the_model_and_of_its_first_layer_have_the_probabilities_of_numpy() {
    let json = fixture();
    let params = SpeculativeSamplingParams {
        layers: LAYERS,
        heads: HEADS,
        width: WIDTH,
        vocabulary: VOCABULARY,
        prompt: PROMPT,
        draft_layers: 1,
        ..SpeculativeSamplingParams::default()
    };
    let answer = SpeculativeSampling::reference(&params, &inputs(&json), 0).answers.remove(0);
    let Check::Draws { control, .. } = &answer.check else { panic!("{:?}", answer.check) };
    for (found, name) in [(&answer.values, "target"), (control, "draft")] {
        let right = numbers(&json["pairs"][name], |probability| probability);
        assert_eq!(found.len(), right.len(), "{name}");
        for (found, right) in found.iter().zip(right) {
            assert!((found - right).abs() < 1e-12, "{name}: {found}, {right}");
        }
    }
}
