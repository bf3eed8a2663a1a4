//! SQL over small stores with known contents.

mod asked;
mod by_metric;
mod claims;
mod common;
mod costs;
mod csv;
mod damage;
mod figures;
mod functions;
mod kernels;
mod limits;
mod lost;
mod matrix;
mod metrics;
mod named;
mod refused;
mod replicates;
mod rules;
mod suites;
mod trust;
mod verdicts;
mod views;
