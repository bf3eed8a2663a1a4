//! What the rows of a table share here: devices and engine.

use benchbook_core::{DType, Inputs, Problem, Result, Row, Setting, Subject};

use crate::flex::engine::plain_engine;
use crate::flex::{CPU_DEVICES, burn_engine, fused_engine};

/// The dtypes of squares and sums of thousands: these need more bits than 16 have.
pub const WIDE: [DType; 2] = [DType::F64, DType::F32];

/// See [`Row::prepare`].
pub type Prepare<P> = fn(&'static str, &Setting, &<P as Problem>::Params, &Inputs) -> Result<Box<dyn Subject>>;

/// A row of burn's operations, on each of its devices.
pub const fn burn_row<P: Problem>(
    name: &'static str,
    about: &'static str,
    dtypes: &'static [DType],
    prepare: Prepare<P>,
) -> Row<P> {
    Row::new(name, about, &CPU_DEVICES, dtypes, burn_engine, prepare)
}

/// A row of one of our own kernels.
pub const fn fused_row<P: Problem>(
    name: &'static str,
    about: &'static str,
    dtypes: &'static [DType],
    prepare: Prepare<P>,
) -> Row<P> {
    Row::new(name, about, &["flex"], dtypes, |_| fused_engine(), prepare)
}

/// A row of plain loops.
pub const fn plain_row<P: Problem>(
    name: &'static str,
    about: &'static str,
    dtypes: &'static [DType],
    prepare: Prepare<P>,
) -> Row<P> {
    Row::new(name, about, &["flex"], dtypes, |_| plain_engine(), prepare)
}
