//! The problems: references against PyTorch, counts by hand, labels, and what is refused.

mod attention;
mod gradients;
mod labels;
mod matmul;
mod refused;
mod work;

use benchbook_core::{Params, Value, Workload};

/// The parameters of a case with these sizes.
fn case(workload: &dyn Workload, sizes: &[(&str, i64)]) -> Params {
    let params = sizes.iter().fold(Params::default(), |all, (name, size)| all.with(name, Value::Int(*size)));
    workload.case(params).unwrap().params
}
