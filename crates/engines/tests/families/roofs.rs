//! The roofs: every number is read, in the order that was asked for.

use benchbook_core::{Array, DType, Implementation, Inputs, Workload};
use benchbook_engines::flex::patterns::LINES;
use benchbook_engines::flex::roofs::SUMS;
use benchbook_workloads::roofs::{Read, ReadPattern};

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

#[test]
fn lines_that_are_read_in_turn_are_not_those_of_another_order() {
    for stride in [0, 64] {
        let params = case(&ReadPattern, &[("kib", 3 * 64), ("stride", stride)]);
        let posed = ReadPattern.pose(&params).unwrap();
        let inputs = posed.inputs(SEED);
        let (right, bound) = (posed.reference(&inputs, SEED), posed.tolerance(DType::F32));
        let off = |inputs: &Inputs| {
            let mut subject = LINES.prepare(&setting("flex", DType::F32), &params, inputs).unwrap();
            subject.run(1);
            right.compare(&subject.outputs().unwrap())[0].max_scaled_error
        };
        let mut in_turn = inputs.clone();
        in_turn.insert("order", Array::new(vec![3072], &(0..3072).collect::<Vec<i32>>()));
        assert!(off(&inputs) <= bound && off(&in_turn) > 10.0 * bound, "{stride}");
    }
}
