//! Which path burn's attention takes, seen in the last bits of its output.

use benchbook_core::{DType, Implementation, Value, Workload};
use benchbook_engines::flex::attention::BURN_ATTENTION;
use benchbook_workloads::attention::Attention;
use burn::backend::flex::FlexTensor;
use burn::backend::flex::ops::attention::{attention_flash, attention_naive};
use burn::tensor::TensorData;
use burn::tensor::ops::AttentionModuleOptions;

use crate::common::{SEED, case, setting};

/// One of burn-flex's two paths, called by its own name.
type Path = fn(
    FlexTensor,
    FlexTensor,
    FlexTensor,
    Option<FlexTensor>,
    Option<FlexTensor>,
    AttentionModuleOptions,
) -> FlexTensor;

/// The two add in different orders, so equal bits of thousands of numbers tell which of them ran.
#[test]
fn the_path_that_is_recorded_is_the_one_that_burn_took() {
    for (seq_q, seq_kv, flash) in [
        (512, 512, false),
        (512, 513, true),
        (64, 4096, false),
        (64, 4097, true),
        (3, 1 << 18, true),
        (1, 1 << 18, false),
        (1, (1 << 18) + 1, true),
    ] {
        for causal in [false, true] {
            let sizes = [("heads", 2), ("kv_heads", 1), ("seq_q", seq_q), ("seq_kv", seq_kv), ("head_dim", 16)];
            let params = case(&Attention, &sizes).with("causal", Value::Bool(causal));
            let posed = Attention.pose(&params).unwrap();
            let inputs = posed.inputs(SEED);
            let mut subject = BURN_ATTENTION.prepare(&setting("flex", DType::F32), &params, &inputs).unwrap();
            subject.run(1);
            let found = subject.outputs().unwrap();

            let tensor = |name: &str| {
                let array = inputs.get(name);
                FlexTensor::from_data(TensorData::new(array.of::<f32>().to_vec(), array.shape().to_vec()))
            };
            let of = |path: Path| {
                let options = AttentionModuleOptions { is_causal: causal, ..Default::default() };
                let out = path(tensor("query"), tensor("key"), tensor("value"), None, None, options);
                out.into_data().try_to_vec::<f32>().unwrap()
            };
            let taken = [of(attention_naive), of(attention_flash)].map(|path| path == found[0].of::<f32>());
            assert_eq!(taken, [!flash, flash], "{params}");
            let metrics = subject.metrics();
            assert_eq!((metrics[0].name.as_str(), metrics[0].value), ("flash_path", f64::from(flash)), "{params}");
            let right = posed.reference(&inputs, SEED).compare(&found);
            assert!(right[0].max_scaled_error <= posed.tolerance(DType::F32), "{params}: {right:?}");
        }
    }
}
