//! Programmable attention: the implementations against the reference, and a program of one's own.

use std::sync::Arc;

use benchbook_core::Value;
use benchbook_engines::flex::attention::program::{Closures, Composed};
use benchbook_engines::flex::fused::{Options, Place, Program, programmable_attention};
use benchbook_workloads::attention::ProgrammableAttention;
use burn::tensor::{Device, Distribution, Tensor};
use proptest::prelude::*;

use crate::common::{case, wrong};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn implementations_agree_with_the_reference(
        (batch, heads, seq, head_dim) in (1_i64..3, 1_i64..5, 1_i64..200, 1_i64..40),
        program in prop::sample::select(vec!["alibi", "softcap", "document"]),
    ) {
        let sizes = [("batch", batch), ("heads", heads), ("seq", seq), ("head_dim", head_dim)];
        let params = case(&ProgrammableAttention, &sizes).with("program", Value::Text(program.into()));
        prop_assert_eq!(wrong(&ProgrammableAttention, &[&Composed, &Closures], &params, 2e-5), None);
    }
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
