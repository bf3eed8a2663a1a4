//! The roofs: every number is read.

use benchbook_core::{DType, Implementation, Workload};
use benchbook_engines::flex::roofs::SUMS;
use benchbook_workloads::roofs::Read;

use crate::common::{SEED, case, setting};

#[test]
fn a_line_of_the_cache_that_is_left_out_shows() {
    let params = case(&Read, &[("kib", 5 * 64)]);
    let posed = Read.pose(&params).unwrap();
    let inputs = posed.inputs(SEED);
    let mut less = inputs.clone();
    less.get_mut("from").unwrap().write(1, &[0.0; 16]);
    let mut subject = SUMS.prepare(&setting("flex", DType::F32), &params, &less).unwrap();
    subject.run(1);
    let (right, bound) = (posed.reference(&inputs, SEED), posed.tolerance(DType::F32));
    assert!(right.compare(&subject.outputs().unwrap())[0].max_scaled_error > 10.0 * bound);
}
