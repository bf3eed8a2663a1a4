//! Attention that leaves scores out, chosen from the inputs.

mod blocks;
mod gate;
mod methods;
mod reference;
mod threshold;

pub use methods::ROWS;
