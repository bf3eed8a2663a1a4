//! Training: what is fused gives the same bits as what is not, and what is rounded says by how much.

use benchbook_core::{Array, DType, Implementation, Inputs, Parameters, Params, Problem, Row, Support, Workload};
use benchbook_engines::flex::training::text::{self, TextTraining, TextTrainingParams};
use benchbook_engines::flex::training::{adamw, chain, chain_back, together};
use benchbook_workloads::training::{
    AdamW, AdamWParams, LoraStep, LoraStepParams, NormChain, NormChainGradients, NormChainGradientsParams,
    NormChainParams,
};

use crate::common::{SEED, setting};
use crate::conformance::all_right;

/// The outputs of a row of a table on these inputs.
fn outputs<P: Problem>(row: &Row<P>, params: &P::Params, inputs: &Inputs) -> Vec<Array> {
    let mut subject = row.prepare(&setting("flex", DType::F32), &params.params(), inputs).unwrap();
    subject.run(1);
    subject.sync().unwrap();
    subject.outputs().unwrap()
}

#[test]
fn one_pass_of_adamw_gives_the_bits_of_many() {
    // More than a task of either.
    let params = AdamWParams { rows: 70, width: 1031, steps: 3, before: 5 };
    let inputs = AdamW::inputs(&params, SEED);
    let [fused, passes, coded, filed] = [0, 1, 2, 3].map(|row| outputs(&adamw::ROWS[row], &params, &inputs));
    assert_eq!(fused, passes);
    // More than a stretch of a file.
    assert_eq!(fused, filed);
    // Before the first step and after each, a number of three bits behind the point is off by 2⁻⁴ of itself at most, of which nine tenths
    // stay with each step.
    let exact = AdamW::reference(&params, &inputs, SEED);
    let of_first = |outputs: &[Array]| {
        let wanted = &exact.answers[1];
        let found = outputs[1].to_f64();
        let off: f64 = wanted.values.iter().zip(&found).map(|(a, b)| (a - b).powi(2)).sum();
        (off / wanted.values.iter().map(|a| a * a).sum::<f64>()).sqrt()
    };
    assert!(of_first(&fused) < 1e-6);
    let lost = of_first(&coded);
    assert!((0.005..0.0625 * (1.0 + 0.9 + 0.81 + 0.729)).contains(&lost), "{lost}");
}

#[test]
fn a_language_is_learned_and_the_same_bit_for_bit_where_activations_are_computed_again() {
    let sizes = TextTrainingParams::default();
    let params = TextTrainingParams { layers: 1, heads: 2, width: 32, batch: 4, seq: 16, steps: 400, ..sizes };
    let inputs = TextTraining::inputs(&params, SEED);
    let [kept, checkpointed] = [0, 1].map(|row| outputs(&text::ROWS[row], &params, &inputs));
    assert_eq!(kept, checkpointed);
    let losses = kept[0].of::<f32>();
    let last = losses[384..].iter().sum::<f32>() / 16.0;
    // At first a byte is as likely as any other, ln 256 = 5.5; who knows how often letters come at all has ln 64 = 4.2, and who knows the
    // language 1.2.
    assert!(losses[0] > 4.5 && (1.1..4.0).contains(&last), "from {} to {last}", losses[0]);
    let others = TextTraining::inputs(&params, SEED + 1);
    assert!(["ids", "qkv"].iter().all(|name| inputs.get(name) != others.get(name)), "a seed has an order of its own");
}

#[test]
fn a_text_that_was_not_brought_is_a_reason_and_no_case_that_cannot_be() {
    assert!(TextTraining.case(Params::default().with("text", "white".into())).is_err());
    let params = TextTraining.case(Params::default().with("text", "brown".into())).unwrap().params;
    let refused = |row: Row<TextTraining>| match row.supports("flex", row.dtypes[0], &params) {
        Support::Yes => None,
        Support::No(reason) => Some(reason),
    };
    let told: Vec<Option<String>> = text::ROWS.into_iter().chain(together::ROWS).map(refused).collect();
    let posed = TextTraining.pose(&params).unwrap();
    let inputs = posed.inputs(SEED);
    assert_eq!(inputs.get("ids").shape(), [64, 8, 65]);
    let right = posed.reference(&inputs, SEED);
    if told[0].is_some() {
        let why = |told: &String| told.starts_with("not here: ") && told.contains("cargo xtask data brown");
        assert!(told.iter().all(|told| told.as_ref().is_some_and(why)), "{told:?}");
        assert!(right.answers.iter().flat_map(|answer| &answer.values).all(|value| value.is_nan()), "nobody is right");
    } else {
        assert!(told.iter().all(Option::is_none), "{told:?}");
        assert!(right.answers.iter().flat_map(|answer| &answer.values).all(|value| value.is_finite()));
    }
}

#[test]
fn a_conservative_fusion_gives_the_bits_of_the_chain_and_an_aggressive_one_others() {
    let params = NormChainParams { rows: 60, width: 2048 };
    let inputs = NormChain::inputs(&params, SEED);
    let [conservative, aggressive, unfused] = chain::ROWS.map(|row| outputs(&row, &params, &inputs));
    assert_eq!(conservative, unfused);
    assert_eq!(aggressive[0], unfused[0]);
    assert_ne!(aggressive[1], unfused[1], "of 122,880 numbers, not one is rounded otherwise");
}

#[test]
fn a_conservative_way_back_gives_the_bits_of_the_passes_and_an_aggressive_one_another_gain() {
    let params = NormChainGradientsParams { rows: 60, width: 2048 };
    let inputs = NormChainGradients::inputs(&params, SEED);
    let [conservative, aggressive, unfused] = chain_back::ROWS.map(|row| outputs(&row, &params, &inputs));
    assert_eq!(conservative, unfused);
    assert_eq!(aggressive[..2], unfused[..2]);
    assert_ne!(aggressive[2], unfused[2], "of 2,048 sums by several tasks, not one is rounded otherwise");
}

#[test]
fn weights_beside_an_adapter_are_decoded_in_several_blocks() {
    let params = LoraStepParams { rows: 5, inner: 300, outer: 66, rank: 3, scale: 0.5 };
    all_right(&LoraStep, &[params.params()]);
}
