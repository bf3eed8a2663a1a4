//! One function for each instruction set, into which a kernel is inlined as a whole.
#![expect(unsafe_code, reason = "functions for an instruction set are called where it was detected, and only there")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256;

use crate::bits::Bits;
use crate::isa::sixteen_lanes;
pub use crate::matmul::isa::Portable;
#[cfg(test)]
pub use crate::matmul::isa::Wide;
#[cfg(target_arch = "x86_64")]
pub use crate::matmul::isa::{Avx2, Avx512};
use crate::portable::Lanes;
use crate::vector::Vector;

/// A piece of work, written once for registers of any kind.
pub trait Kernel {
    /// Does it, with tiles of `ROWS` rows by two registers, or `STATES` registers of states, held in registers.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    unsafe fn run<V: Bits, const ROWS: usize, const STATES: usize>(self);
}

/// An instruction set.
pub trait Tools {
    /// Numbers of a register.
    const LANES: usize;

    /// Does a piece of work with it.
    fn run<K: Kernel>(&self, kernel: K);
}

/// Columns of a panel: two registers of them.
pub fn panel<T: Tools>(_: &T) -> usize {
    2 * T::LANES
}

macro_rules! tools {
    ($name:ident, $vector:ty, $rows:literal, $states:literal $(, $feature:literal)?) => {
        impl $name {
            $(#[target_feature(enable = $feature)])?
            unsafe fn within<K: Kernel>(kernel: K) {
                // SAFETY: as promised by the caller below.
                unsafe { kernel.run::<$vector, $rows, $states>() }
            }
        }

        impl Tools for $name {
            const LANES: usize = <$vector as Vector>::LANES;

            fn run<K: Kernel>(&self, kernel: K) {
                // SAFETY: the CPU has the instruction set, as promised when `Self` was made.
                unsafe { Self::within(kernel) }
            }
        }
    };
}

// Rows divide 64, the usual chunk, and leave registers for the other factor.
tools!(Portable, Lanes<4>, 4, 4);
#[cfg(target_arch = "x86_64")]
tools!(Avx2, __m256, 4, 4, "avx2,fma");
sixteen_lanes!(tools, 8, 8);
