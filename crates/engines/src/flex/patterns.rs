//! Lines of a buffer in an order that a list gives, by all threads: one kernel for every pattern, so that only the pattern differs.

use benchbook_core::{Array, DType, Row};
use benchbook_workloads::roofs::{LINE, ReadPattern, VISITED};
use rayon::prelude::*;

use crate::flex::calls::{Calls, Named};
use crate::flex::row::plain_row;

/// No line waits for the one before it: the list says where each lies.
pub const LINES: Row<ReadPattern> = plain_row::<ReadPattern>(
    "lines",
    "a plain loop in f32 by all threads: each line where the list says, two at a time",
    &[DType::F32],
    |name, setting, _, inputs| {
        let (from, order) = (inputs.get("from").clone(), inputs.get("order").clone());
        let shape = vec![order.len() / VISITED];
        let call = |(from, order): &(Named, Array), [out]: [&mut [f32]; 1]| {
            let lines = from.1.of::<f32>().as_chunks::<LINE>().0;
            let orders = order.of::<i32>().par_chunks_exact(VISITED);
            out.par_iter_mut().zip(orders).for_each(|(sum, order)| *sum = summed(lines, order));
            Ok(())
        };
        Ok(Box::new(Calls::of_slices(name, setting, (Named("from", from), order), [shape], call)))
    },
);

/// The numbers of these lines, added up in lanes.
fn summed(lines: &[[f32; LINE]], order: &[i32]) -> f32 {
    let mut lanes = [[0.0_f32; LINE]; 2];
    for pair in order.as_chunks::<2>().0 {
        for (lanes, line) in lanes.iter_mut().zip(pair) {
            lanes.iter_mut().zip(&lines[*line as usize]).for_each(|(lane, number)| *lane += number);
        }
    }
    lanes.iter().flatten().sum()
}
