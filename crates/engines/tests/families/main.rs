//! Every family of workloads against its references.

mod attention;
mod burn_attention;
mod common;
mod contextual;
mod fused;
mod gradients;
mod matmul;
mod paged;
mod precision;
mod program;
mod projected;
mod ring;
mod roofs;
mod sparse;
mod window;
