//! Attention that leaves scores out, chosen from the inputs.

mod blocks;
mod gate;
mod implementations;
mod kernel;
mod reference;
mod room;
mod threshold;

pub use implementations::Method;
