//! The gate between the two halves of an expert, compiled for each instruction set.
#![expect(unsafe_code, reason = "functions for an instruction set are called where it was detected, and only there")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256;

use crate::isa::sixteen_lanes;
#[cfg(test)]
use crate::matmul::isa::Wide;
#[cfg(target_arch = "x86_64")]
use crate::matmul::isa::{Avx2, Avx512};
use crate::matmul::isa::{Portable, Tile};
use crate::mixers::math::silu;
use crate::portable::Lanes;
use crate::vector::Vector;

/// The arithmetic of experts.
pub trait Gated: Tile {
    /// `gate = silu(gate) · up`, where silu(x) = x / (1 + e^−x), for whole registers of numbers.
    fn gate(&self, gate: &mut [f32], up: &[f32]);
}

/// # Safety
/// The CPU has `V`'s instruction set, and both hold `count` numbers, a multiple of `LANES`.
#[inline(always)]
unsafe fn gate<V: Vector>(count: usize, gate: *mut f32, up: *const f32) {
    // SAFETY: as promised.
    unsafe {
        for at in (0..count).step_by(V::LANES) {
            silu(V::load(gate.add(at))).mul(V::load(up.add(at))).store(gate.add(at));
        }
    }
}

macro_rules! gated {
    ($name:ident, $vector:ty $(, $feature:literal)?) => {
        impl $name {
            $(#[target_feature(enable = $feature)])?
            unsafe fn gates(count: usize, numbers: *mut f32, up: *const f32) {
                // SAFETY: as promised by the caller below.
                unsafe { gate::<$vector>(count, numbers, up) }
            }
        }

        impl Gated for $name {
            fn gate(&self, gate: &mut [f32], up: &[f32]) {
                assert!(gate.len() == up.len() && gate.len() % <$vector as Vector>::LANES == 0);
                // SAFETY: the CPU has the instruction set, and both hold whole registers of numbers.
                unsafe { Self::gates(gate.len(), gate.as_mut_ptr(), up.as_ptr()) }
            }
        }
    };
}

gated!(Portable, Lanes<4>);
#[cfg(target_arch = "x86_64")]
gated!(Avx2, __m256, "avx2,fma");
sixteen_lanes!(gated);
