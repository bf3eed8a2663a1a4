//! Formats of few bits: what becomes of weights that are put into them, and how they lie in memory.

mod int4;

pub use int4::Int4;
