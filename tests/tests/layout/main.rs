//! The workspace is laid out as designed. Each rule is a function on text, tried on a planted
//! breach as well as on the workspace itself.

mod arguments;
mod code;
mod edges;
mod libtorch;
mod rules;
mod sources;
mod top;
mod units;
mod workflows;
