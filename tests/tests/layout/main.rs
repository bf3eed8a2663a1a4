//! The workspace is laid out as designed. Each rule is a function on text, tried on a planted
//! breach as well as on the workspace itself.
#![expect(clippy::print_stdout, reason = "what is not tested here has to be seen")]

mod additions;
mod code;
mod edges;
mod rules;
mod sources;
mod targets;
mod top;
mod units;
mod versions;
mod wrappers;
