//! Programmable attention: the implementations against the reference, and what a program must not do.

use std::sync::Arc;

use benchbook_core::{Params, Value, Workload};
use benchbook_kernels::attention::program::{Closures, Composed, ProgrammableAttention};
use benchbook_kernels::fused::{Options, Place, Program, programmable_attention};
use burn::tensor::{Device, Distribution, Tensor};
use proptest::prelude::*;

fn case(program: &str, sizes: [(&str, i64); 4]) -> Params {
    crate::common::case(&ProgrammableAttention, &sizes).with("program", Value::Text(program.into()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn implementations_agree_with_the_reference(
        (batch, heads, seq, head_dim) in (1_i64..3, 1_i64..5, 1_i64..200, 1_i64..40),
        program in prop::sample::select(vec!["alibi", "softcap", "document"]),
    ) {
        let params = case(program, [("batch", batch), ("heads", heads), ("seq", seq), ("head_dim", head_dim)]);
        prop_assert_eq!(crate::common::wrong(&ProgrammableAttention, &[&Composed, &Closures], &params, 2e-5), None);
    }
}

#[test]
fn the_share_that_is_seen_follows_from_the_program() {
    let share = |program: &str| {
        let params = case(program, [("batch", 1), ("heads", 2), ("seq", 8), ("head_dim", 4)]);
        let inputs = ProgrammableAttention.inputs(&params, 1);
        64.0 * ProgrammableAttention.figures(&params, &inputs)[0].value
    };
    // Eight queries; four documents of two, which see one and two keys.
    assert_eq!((share("softcap"), share("alibi"), share("document")), (64.0, 36.0, 12.0));
}

#[test]
fn a_closure_of_ones_own_changes_scores() {
    let device = Device::flex();
    let random = || Tensor::<4>::random([1, 2, 33, 8], Distribution::Normal(0.0, 1.0), &device);
    let (query, key, value) = (random(), random(), random());
    let itself: Arc<dyn Program> =
        Arc::new(|score: f32, at: Place| if at.query == at.key { score } else { f32::NEG_INFINITY });
    let out = programmable_attention(query, key, value.clone(), &itself, Options::default()).unwrap();
    assert_eq!(out.to_data(), value.to_data(), "whoever sees only itself gets its own value");
}

#[test]
fn impossible_cases_are_refused() {
    let of = |name: &str, value: Value| ProgrammableAttention.case(Params::default().with(name, value));
    let message = of("program", Value::Text("alibbi".into())).unwrap_err().to_string();
    assert!(message.contains("alibbi") && message.contains("alibi, softcap, document"), "{message}");
    assert!(of("seq", Value::Int(0)).unwrap_err().to_string().contains("not a size"));
}
