//! Gradients: the implementations against the reference.

use benchbook_core::{DType, Params, Value};
use benchbook_engines::flex::attention::gradients::{Autodiff, FusedGradients};
use benchbook_workloads::attention::AttentionGradients;
use proptest::prelude::*;

use crate::common::{case, error, wrong};

fn params(sizes: [i64; 6], causal: bool) -> Params {
    let names = ["batch", "heads", "kv_heads", "seq_q", "seq_kv", "head_dim"];
    let sizes: Vec<(&str, i64)> = names.into_iter().zip(sizes).collect();
    case(&AttentionGradients, &sizes).with("causal", Value::Bool(causal))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn implementations_agree_with_the_reference(
        (batch, kv_heads, group) in (1_i64..3, 1_i64..3, 1_i64..4),
        (seq_q, more) in (1_i64..70, 0_i64..70),
        head_dim in 1_i64..40,
        causal: bool,
    ) {
        let params = params([batch, kv_heads * group, kv_heads, seq_q, seq_q + more, head_dim], causal);
        prop_assert_eq!(wrong(&AttentionGradients, &[&Autodiff, &FusedGradients], &params, 2e-5), None);
    }
}

#[test]
fn a_large_case_is_right() {
    let params = params([1, 8, 4, 1024, 1024, 64], true);
    assert!(error(&AttentionGradients, &FusedGradients, "flex", DType::F32, &params) <= 2e-5);
}
