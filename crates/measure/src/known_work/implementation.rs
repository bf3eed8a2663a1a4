//! The two implementations of every known work: as asked, and with the extra share.

use benchbook_core::{DType, Inputs, Problem, Result, Row, Setting, Subject};

/// The device of work that needs no library of tensors.
const DEVICE: &str = "cpu";

/// Sets up the work of a case.
type Prepare<P> = fn(&'static str, &Setting, &<P as Problem>::Params, &Inputs) -> Result<Box<dyn Subject>>;

/// The work asked for.
pub const fn plain<P: Problem>(prepare: Prepare<P>) -> Row<P> {
    Row::new("plain", "the work asked for", &[DEVICE], &[DType::F32], engine, prepare)
}

/// The same, and the extra share on top.
pub const fn extra<P: Problem>(prepare: Prepare<P>) -> Row<P> {
    Row::new("extra", "the work asked for, and the extra share on top", &[DEVICE], &[DType::F32], engine, prepare)
}

fn engine(_device: &str) -> (String, String) {
    ("benchbook".into(), env!("CARGO_PKG_VERSION").into())
}
