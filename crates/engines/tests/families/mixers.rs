//! Mixers in linear time: every form of one agrees with its recurrence at lengths around those of a chunk.

use benchbook_core::Workload;
use benchbook_workloads::mixers::{HybridStack, Retention, SelectiveScan, Ssd};

use crate::common::case;
use crate::conformance::all_right;

/// Less than a chunk of 64 steps, one, one and a bit, two and a bit.
const LENGTHS: [i64; 5] = [2, 63, 64, 65, 129];

fn agree(workload: &dyn Workload, sizes: &[(&str, i64)]) {
    let cases = LENGTHS.map(|seq| case(workload, &[sizes, &[("seq", seq)]].concat()));
    all_right(workload, &cases);
}

#[test]
fn a_scan_by_steps_by_rounds_and_by_registers() {
    agree(&SelectiveScan, &[("channels", 19), ("state", 5)]);
}

#[test]
fn a_duality_by_steps_and_by_chunks() {
    agree(&Ssd, &[("heads", 4), ("head_dim", 9), ("groups", 2), ("state", 7)]);
}

#[test]
fn a_retention_by_steps_by_pairs_and_by_chunks() {
    agree(&Retention, &[("heads", 3), ("key_dim", 6), ("value_dim", 10)]);
}

#[test]
fn a_stack_composed_and_by_our_own_kernels() {
    agree(&HybridStack, &[("heads", 2), ("head_dim", 6), ("state", 5)]);
}
