//! Number formats of 16 bits and fewer, bit for bit: what a number becomes in each, and what each code stands for.
//!
//! - [`Minifloat`]: floats of 16 to 4 bits, an encoder and a decoder for all of them.
//! - [`Mx`]: blocks of 32 such floats with a scale that is a power of two ([`e8m0`], [`ScaleRule`]).
//! - [`Scaled`]: such floats with a scale in `f32` for each group.
//! - [`Integers`]: integers of 2 to 8 bits with a scale, and perhaps a zero point, for each group.
//! - [`Codebook`]: tables of numbers that codes choose from, such as [`NF4`], with [`Doubled`] scales.
//!
//! A format says which group an element belongs to by [`Groups`]; codes lie one in a byte until they are [`packed`].
//! Whoever multiplies by such numbers has to give what these functions give.

mod codebook;
pub mod e8m0;
mod error;
mod groups;
mod integers;
mod minifloat;
mod mx;
mod packing;
mod rounding;
mod scaled;

pub use codebook::{Codebook, Coded, DYNAMIC, Doubled, NF4};
pub use e8m0::ScaleRule;
pub use error::{Error, Result};
pub use groups::{Axis, Groups};
pub use integers::{Grid, Integers, Whole, ends};
pub use minifloat::{BF16, E2M1, E2M3, E3M2, E4M3FN, E4M3FNUZ, E5M2, E5M2FNUZ, F16, Minifloat, Specials};
pub use mx::{BLOCK, Blocks, Mx};
pub use packing::{Order, packed, unpacked};
pub use rounding::{Cut, Overflow, Rounding};
pub use scaled::{Floats, Scaled};
