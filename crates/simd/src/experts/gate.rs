//! The gate between the two halves of an expert.
#![expect(unsafe_code, reason = "registers of any instruction set; pointers, whose bounds are checked once per call")]

use crate::blocks::{Function, Silu};
use crate::mixers::isa::Kernel;
use crate::vector::Vector;

/// Numbers that become silu(gate) · up in the place of the gate, where silu(x) = x / (1 + e^−x): whole registers of them.
pub struct Gate<'a> {
    pub gate: &'a mut [f32],
    pub up: &'a [f32],
}

impl Kernel for Gate<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { gate, up } = self;
        assert!(gate.len() == up.len() && gate.len().is_multiple_of(V::LANES));
        for at in (0..gate.len()).step_by(V::LANES) {
            // SAFETY: as promised; both hold whole registers of numbers.
            unsafe {
                let to = gate.as_mut_ptr().add(at);
                Silu::of(V::load(to)).mul(V::load(up.as_ptr().add(at))).store(to);
            }
        }
    }
}
