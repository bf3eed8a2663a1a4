//! Matrix multiplication against its reference.

use benchbook_core::{DType, Implementation, Params, Setting, Support, Value, Workload};
use benchbook_kernels::matmul::{Burn, Matmul, Tiled};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn implementations_agree_with_the_reference(m in 1_i64..90, n in 1_i64..90, k in 1_i64..90) {
        let params = [("m", m), ("n", n), ("k", k)]
            .into_iter()
            .fold(Params::default(), |params, (name, value)| params.with(name, Value::Int(value)));
        let case = Matmul.case(params).unwrap();
        let inputs = Matmul.inputs(&case.params, 4);
        let reference = Matmul.reference(&case.params, &inputs, 4);
        let both = [&Burn as &dyn Implementation, &Tiled].into_iter().flat_map(|one| one.devices().into_iter().map(move |device| (one, device)));
        for (one, device) in both.filter(|(_, device)| benchbook_kernels::probe(device).is_none()) {
            for dtype in [DType::F32, DType::F64] {
                if one.supports(device, dtype, &case.params) != Support::Yes {
                    prop_assert_eq!((one.name(), dtype), ("tiled", DType::F64));
                    continue;
                }
                let setting = Setting { device: device.into(), dtype, threads: 1, copies: 1 };
                let mut subject = one.prepare(&setting, &case.params, &inputs).unwrap();
                subject.run(1);
                let error = reference.compare(&subject.output().unwrap()).max_scaled_error;
                prop_assert!(error <= Matmul.tolerance(&case.params, dtype), "{} on {device} {dtype}: {error}", one.name());
            }
        }
    }
}

#[test]
fn a_known_product() {
    // [1 2; 3 4] · [5 6; 7 8] = [19 22; 43 50], by hand.
    let params = Matmul.case(Params::default().with("m", Value::Int(2))).unwrap().params;
    let mut inputs = Matmul.inputs(&params, 0);
    inputs.0.get_mut("a").unwrap().data = vec![1.0, 2.0, 3.0, 4.0];
    inputs.0.get_mut("b").unwrap().data = vec![5.0, 6.0, 7.0, 8.0];
    assert_eq!(Matmul.reference(&params, &inputs, 0).values, [19.0, 22.0, 43.0, 50.0]);
    let work = Matmul.work(&params, DType::F32);
    assert_eq!((work.flops, work.bytes), (16.0, 48.0));
}

#[test]
fn sizes_out_of_range_are_refused() {
    for value in [0, -1, i64::MAX] {
        let message = Matmul.case(Params::default().with("k", Value::Int(value))).unwrap_err().to_string();
        assert!(message.contains('k') && message.contains(&value.to_string()), "{message}");
    }
}

#[test]
fn an_error_names_the_parameter_that_was_set() {
    for value in [Value::Text("wide".into()), Value::Int(0)] {
        let message = Matmul.case(Params::default().with("m", value)).unwrap_err().to_string();
        assert!(message.contains("parameter `m`"), "{message}");
    }
}
