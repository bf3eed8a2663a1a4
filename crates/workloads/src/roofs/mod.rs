//! What a machine gives at best: the roofs that other kernels are measured by.

mod copy;
mod exp2;
mod fma;
mod int8_dot;
mod pattern;
mod read;
mod tile_dot;

pub use copy::{Copy, CopyParams};
pub use exp2::{Exp2, Exp2Params, POWERS, SHRINK};
pub use fma::{CHAINS, FACTOR, Fma, FmaParams, STEPS, TERM};
pub use int8_dot::{BYTE_PRODUCTS, BYTE_SUMS, Int8Dot, Int8DotParams};
pub use pattern::{LINE, ReadPattern, ReadPatternParams, VISITED};
pub use read::{Read, ReadParams, SUMMED};
pub use tile_dot::{INT8, TILE_PRODUCTS, TILE_SUMS, TileDot, TileDotParams};
