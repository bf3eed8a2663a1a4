//! SQL over small stores with known contents.

mod common;
mod damage;
mod functions;
mod named;
mod refused;
mod views;
