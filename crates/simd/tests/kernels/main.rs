//! Every kernel against plain loops in `f64`, and calls that it must refuse.

mod common;
mod contextual;
mod experts;
mod int4;
mod mixers;
mod projected;
mod right;
mod table;
mod ugly;
