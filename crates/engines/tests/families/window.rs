//! Windows and rotations: the implementations against the reference.

use std::sync::Arc;

use benchbook_engines::flex::attention::window::{ComposedWindow, FusedWindow};
use benchbook_engines::flex::fused::{Options, Rotary, rotary_attention};
use benchbook_workloads::attention::WindowAttention;
use burn::tensor::{Device, Tensor};
use proptest::prelude::*;

use crate::common::{case, wrong};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn implementations_agree_with_the_reference(
        (batch, kv_heads, group) in (1_i64..3, 1_i64..3, 1_i64..4),
        (seq, half) in (1_i64..200, 1_i64..20),
        window in 1_i64..220,
    ) {
        let params = case(&WindowAttention, &[("batch", batch), ("heads", kv_heads * group), ("kv_heads", kv_heads),
            ("seq", seq), ("head_dim", 2 * half), ("window_size", window)]);
        prop_assert_eq!(wrong(&WindowAttention, &[&ComposedWindow, &FusedWindow], &params, 2e-5), None);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::flex();
    let of = |seq: usize| Tensor::<4>::ones([1, 2, seq, 8], &device);
    let rotary = Arc::new(Rotary::new(10, 8, 10_000.0).unwrap());
    let asked = |seq_q: usize, seq_kv: usize| {
        rotary_attention(of(seq_q), of(seq_kv), of(seq_kv), &rotary, Options::default()).map(drop)
    };
    assert!(asked(3, 10).is_ok());
    assert!(asked(3, 11).unwrap_err().to_string().contains("there are 10 of 8"));
    assert!(asked(4, 3).unwrap_err().to_string().contains("4 queries"));
}
