//! Matrix multiplication against its reference.

use benchbook_core::{DType, Implementation, Params, Setting, Support, Value, Workload};
use benchbook_engines::flex::matmul::{Burn, Tiled};
use benchbook_workloads::matmul::Matmul;
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
        for (one, device) in both.filter(|(_, device)| benchbook_engines::probe(device).is_none()) {
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
