//! Functions of whole registers, and registers that a row fills in part.
#![expect(
    unsafe_code,
    reason = "registers of any instruction set; pointers, whose bounds callers check per piece of work"
)]

use std::f32::consts::LOG2_E;

use crate::memory::LINE;
use crate::vector::Vector;

/// Coefficients of atanh(s) / s − 1 by powers of s² on [0, ⅓], highest first: least maximum of the relative error, 5e-9.
const ATANH: [f32; 4] = [0.140_122_3, 0.139_995_71, 0.200_108_5, 0.333_332_06];

/// e^x, within 4 units of the last place where x is of size one; 0 below −87, infinity where `f32` ends.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub unsafe fn exp<V: Vector>(x: V) -> V {
    // SAFETY: as promised.
    unsafe { x.mul(V::splat(LOG2_E)).exp2() }
}

/// ln(1 + e^x), also where e^x is no number of `f32` any more.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub unsafe fn softplus<V: Vector>(x: V) -> V {
    // SAFETY: as promised.
    unsafe {
        let zero = V::splat(0.0);
        // Of the smaller of e^x and e^−x: ln(1 + u) = 2 atanh(u / (2 + u)).
        let small = exp(x.min(zero.sub(x)));
        let s = small.div(small.add(V::splat(2.0)));
        let (square, twice) = (s.mul(s), s.add(s));
        let mut sum = V::splat(ATANH[0]);
        for coefficient in &ATANH[1..] {
            sum = sum.mul_add(square, V::splat(*coefficient));
        }
        x.max(zero).add(sum.mul(square).mul_add(twice, twice))
    }
}

/// 1 / (1 + e^−x).
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub unsafe fn sigmoid<V: Vector>(x: V) -> V {
    // SAFETY: as promised.
    unsafe { V::splat(1.0).div(divisor(x)) }
}

/// x / (1 + e^−x).
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub unsafe fn silu<V: Vector>(x: V) -> V {
    // SAFETY: as promised.
    unsafe { x.div(divisor(x)) }
}

/// 1 + e^−x.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn divisor<V: Vector>(x: V) -> V {
    // SAFETY: as promised.
    unsafe { V::splat(1.0).add(exp(V::splat(0.0).sub(x))) }
}

/// The first `count` lanes from memory, and 0 in all others.
///
/// # Safety
/// The CPU has `V`'s instruction set; `count` numbers, no more than a register has, can be read at `from`.
#[inline(always)]
pub unsafe fn load_first<V: Vector>(from: *const f32, count: usize) -> V {
    const { assert!(V::LANES <= LINE) };
    // SAFETY: as promised; a register has no more numbers than a cache line.
    unsafe {
        if count == V::LANES {
            return V::load(from);
        }
        let mut room = [0.0_f32; LINE];
        std::ptr::copy_nonoverlapping(from, room.as_mut_ptr(), count);
        V::load(room.as_ptr())
    }
}

/// The first `count` lanes into memory.
///
/// # Safety
/// The CPU has `V`'s instruction set; `count` numbers, no more than a register has, can be written at `to`.
#[inline(always)]
pub unsafe fn store_first<V: Vector>(from: V, to: *mut f32, count: usize) {
    const { assert!(V::LANES <= LINE) };
    // SAFETY: as promised; a register has no more numbers than a cache line.
    unsafe {
        if count == V::LANES {
            return from.store(to);
        }
        let mut room = [0.0_f32; LINE];
        from.store(room.as_mut_ptr());
        std::ptr::copy_nonoverlapping(room.as_ptr(), to, count);
    }
}

/// The sum of the first `count` lanes.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub unsafe fn sum_first<V: Vector>(from: V, count: usize) -> f32 {
    const { assert!(V::LANES <= LINE) };
    // SAFETY: as promised; a register has no more numbers than a cache line.
    unsafe {
        if count == V::LANES {
            return from.sum();
        }
        let mut room = [0.0_f32; LINE];
        from.store(room.as_mut_ptr());
        room[..count].iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Isa, with_isa};
    use crate::tools::{self as isa, Kernel, Tools};

    /// Four functions of every number of `from`, register by register.
    struct Functions<'a> {
        from: &'a [f32],
        to: [&'a mut Vec<f32>; 4],
    }

    impl Kernel for Functions<'_> {
        #[inline(always)]
        unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
            let [a, b, c, d] = self.to;
            for at in (0..self.from.len()).step_by(V::LANES) {
                let count = V::LANES.min(self.from.len() - at);
                // SAFETY: as promised; these numbers are there.
                unsafe {
                    let x: V = load_first(self.from.as_ptr().add(at), count);
                    store_first(exp(x), a.as_mut_ptr().add(at), count);
                    store_first(softplus(x), b.as_mut_ptr().add(at), count);
                    store_first(sigmoid(x), c.as_mut_ptr().add(at), count);
                    store_first(silu(x), d.as_mut_ptr().add(at), count);
                }
            }
        }
    }

    fn functions(isa: Isa, from: &[f32]) -> crate::Result<[Vec<f32>; 4]> {
        let mut to = [(); 4].map(|()| vec![f32::NAN; from.len()]);
        with_isa!(isa, |tools| tools.run(Functions { from, to: to.each_mut() }));
        Ok(to)
    }

    #[test]
    fn functions_are_right_wherever_they_are_numbers() {
        // No whole number of registers, and past both ends of what `f32` holds of e^x.
        let from: Vec<f32> = (0..40_003).map(|index| (index as f32 - 20_000.0) / 150.0).collect();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.present()) {
            let found = functions(isa, &from).unwrap();
            for (at, x) in from.iter().enumerate().map(|(at, x)| (at, f64::from(*x))) {
                let logistic = 1.0 / (1.0 + (-x).exp());
                let right = [x.exp(), x.max(0.0) + (-x.abs()).exp().ln_1p(), logistic, x * logistic];
                for (which, (found, right)) in found.iter().zip(right).enumerate() {
                    let found = f64::from(found[at]);
                    // What e^x is off by is rounding, and that of x · log₂ e; below 2^−126 it is 0, and above 2^128 infinite.
                    let bound = right.abs() * (4e-7 + 1e-7 * x.abs()) + 1.2e-38 * (1.0 + x.abs());
                    let over = right > f64::from(f32::MAX) * 0.999 && found.is_infinite();
                    assert!(
                        over || (found - right).abs() <= bound,
                        "{} {which} of {x}: {found}, not {right}",
                        isa.name()
                    );
                }
            }
        }
    }

    #[test]
    fn functions_end_where_numbers_do() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.present()) {
            let found = functions(isa, &[f32::INFINITY, f32::MAX, f32::MIN, f32::NEG_INFINITY, f32::NAN]).unwrap();
            let [exp, softplus, sigmoid, silu] = &found;
            assert_eq!(exp[..4], [f32::INFINITY, f32::INFINITY, 0.0, 0.0], "{}", isa.name());
            assert_eq!(softplus[..4], [f32::INFINITY, f32::MAX, 0.0, 0.0], "{}", isa.name());
            assert_eq!(sigmoid[..4], [1.0, 1.0, 0.0, 0.0], "{}", isa.name());
            assert_eq!(silu[..3], [f32::INFINITY, f32::MAX, 0.0], "{}", isa.name());
            assert!(silu[3].is_nan(), "{}: −∞ / ∞, as PyTorch", isa.name());
            assert!(found.iter().all(|of| of[4].is_nan()), "{}", isa.name());
        }
    }
}
