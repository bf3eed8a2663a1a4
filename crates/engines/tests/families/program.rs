//! Programmable attention: a program of one's own.

use std::sync::Arc;

use benchbook_engines::flex::fused::{Options, Place, ScoreMod, programmable_attention};
use burn::tensor::{Device, Distribution, Tensor};

#[test]
fn a_closure_of_ones_own_changes_scores() {
    let device = Device::flex();
    let random = || Tensor::<4>::random([1, 2, 33, 8], Distribution::Normal(0.0, 1.0), &device);
    let (query, key, value) = (random(), random(), random());
    let itself: Arc<dyn ScoreMod> =
        Arc::new(|score: f32, at: Place| if at.query == at.key { score } else { f32::NEG_INFINITY });
    let out = programmable_attention(query, key, value.clone(), &itself, Options::default()).unwrap();
    assert_eq!(out.to_data(), value.to_data(), "whoever sees only itself gets its own value");
}
