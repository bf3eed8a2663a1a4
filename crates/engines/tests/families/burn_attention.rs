//! Which path burn's attention takes, seen in the last bits of its output.

use benchbook_core::{DType, HostArray, Implementation, Setting, Value, Workload};
use benchbook_engines::flex::attention::BurnAttention;
use benchbook_workloads::attention::Attention;
use burn::backend::flex::FlexTensor;
use burn::backend::flex::ops::attention::{attention_flash, attention_naive};
use burn::tensor::TensorData;
use burn::tensor::ops::AttentionModuleOptions;

use crate::common::case;

/// Seed of all inputs.
const SEED: u64 = 9;

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
            let inputs = Attention.inputs(&params, SEED);
            let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
            let mut subject = BurnAttention.prepare(&setting, &params, &inputs).unwrap();
            subject.run(1);
            let found = subject.output().unwrap().data;

            let tensor = |name: &str| {
                let HostArray { shape, data, .. } = inputs.get(name).clone();
                FlexTensor::from_data(TensorData::new(data, shape))
            };
            let of = |path: Path| {
                let options = AttentionModuleOptions { is_causal: causal, ..Default::default() };
                let out = path(tensor("query"), tensor("key"), tensor("value"), None, None, options);
                out.into_data().try_to_vec::<f32>().unwrap()
            };
            let taken = [of(attention_naive), of(attention_flash)].map(|path| path == found);
            assert_eq!(taken, [!flash, flash], "{params}");
            let figures = subject.figures();
            assert_eq!((figures[0].name.as_str(), figures[0].value), ("flash_path", f64::from(flash)), "{params}");
            let right = Attention.reference(&params, &inputs, SEED).compare(&subject.output().unwrap());
            assert!(right.max_scaled_error <= Attention.tolerance(&params, DType::F32), "{params}: {right:?}");
        }
    }
}
