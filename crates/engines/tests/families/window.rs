//! Windows and rotations: what the kernel refuses.

use std::sync::Arc;

use benchbook_engines::flex::fused::{Options, Rotary, rotary_attention};
use burn::tensor::{Device, Tensor};

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
