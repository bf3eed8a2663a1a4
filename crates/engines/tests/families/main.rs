//! Every implementation against its reference, and what is special to a family.

mod burn_attention;
mod coded;
mod common;
mod conformance;
mod contextual;
mod decomposed;
mod fused;
mod knobs;
mod mixers;
mod names;
mod paged;
mod planted;
mod precision;
mod program;
mod projected;
mod pruned;
mod quality;
mod real_inputs;
mod ring;
mod roofs;
mod sparse;
mod training;
mod weight_only;
mod window;
