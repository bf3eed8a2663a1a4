//! Attention: the implementations against the reference.

use benchbook_core::{DType, Implementation, Params, Support, Value};
use benchbook_engines::flex::attention::{BurnAttention, Fused, Naive};
use benchbook_workloads::attention::Attention;
use proptest::prelude::*;

use crate::common::{error, wrong};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn implementations_agree_with_the_reference(
        (batch, kv_heads, group) in (1_i64..3, 1_i64..4, 1_i64..4),
        (seq_q, more) in (1_i64..70, 0_i64..70),
        head_dim in 1_i64..40,
        causal: bool,
        masked: bool,
    ) {
        let sizes = [("batch", batch), ("heads", kv_heads * group), ("kv_heads", kv_heads),
            ("seq_q", seq_q), ("seq_kv", seq_q + more), ("head_dim", head_dim)];
        let mut params = Params::default().with("causal", Value::Bool(causal)).with("masked", Value::Bool(masked));
        for (name, value) in sizes {
            params = params.with(name, Value::Int(value));
        }
        prop_assert_eq!(wrong(&Attention, &[&Naive, &BurnAttention, &Fused], &params, 1e-5), None);
    }
}

#[test]
fn lower_precision_stays_within_a_percent() {
    for implementation in [&Naive as &dyn Implementation, &BurnAttention, &Fused] {
        for dtype in [DType::F16, DType::Bf16] {
            if let Support::No(why) = implementation.supports("flex", dtype, &Params::default()) {
                assert!(implementation.name() == "fused" && dtype == DType::F16, "{why}");
                continue;
            }
            let error =
                error(&Attention, implementation, "flex", dtype, &Params::default().with("seq_q", Value::Int(64)));
            assert!(error > 1e-6 && error <= 1e-2, "{} in {dtype}: {error}", implementation.name());
        }
    }
}
