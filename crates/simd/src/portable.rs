//! Any CPU: lanes that the compiler may put into registers.
#![expect(unsafe_code, reason = "one trait serves every instruction set; here it reads and writes through pointers")]

use crate::vector::{EXP2, LEAST, MOST, Vector};

/// So many lanes, a power of two.
#[derive(Clone, Copy)]
pub struct Lanes<const N: usize>(pub [f32; N]);

impl<const N: usize> Lanes<N> {
    #[inline(always)]
    fn zip(self, other: Self, of: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| of(self.0[lane], other.0[lane])))
    }
}

// SAFETY: an array of as many numbers.
unsafe impl<const N: usize> Vector for Lanes<N> {
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; N])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises that a register's worth of numbers can be read at `from`, aligned or not.
        Self(unsafe { from.cast::<[f32; N]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises that a register's worth of numbers can be written at `to`, aligned or not.
        unsafe { to.cast::<[f32; N]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // SAFETY: the caller promises that a register's worth of numbers can be written at `to`.
        unsafe { self.store(to) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // Two roundings: without the instruction, `f32::mul_add` is a call into the C library.
        self.zip(b, |x, y| x * y).zip(c, |xy, z| xy + z)
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |x, y| x + y)
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |x, y| x - y)
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |x, y| x * y)
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |x, y| if y > x { y } else { x })
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |x, y| if y < x { y } else { x })
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |x, y| x / y)
    }

    #[inline(always)]
    unsafe fn floor(self) -> Self {
        Self(self.0.map(f32::floor))
    }

    #[inline(always)]
    unsafe fn look_up(self, from: *const f32, step: usize) -> Self {
        // SAFETY: the caller promises whole lanes, and that what they name can be read.
        Self(std::array::from_fn(|lane| unsafe { *from.add(self.0[lane] as usize * step + lane) }))
    }

    #[inline(always)]
    unsafe fn nibbles(from: *const u8) -> Self {
        // SAFETY: the caller promises that half as many bytes as lanes can be read at `from`.
        let byte = |lane: usize| unsafe { *from.add(lane / 2) };
        Self(std::array::from_fn(|lane| f32::from((byte(lane) >> (4 * (lane % 2))) & 15)))
    }

    #[inline(always)]
    unsafe fn exp2(self) -> Self {
        Self(self.0.map(|x| {
            if x < LEAST {
                return 0.0;
            }
            // Not `min`, which would lose what is no number. Infinity comes from the exponent 128 by itself.
            let within = if x > MOST { MOST } else { x };
            let whole = within.round_ties_even();
            let rest = within - whole;
            let sum = EXP2[1..].iter().fold(EXP2[0], |sum, coefficient| sum * rest + coefficient);
            // Half of the exponent twice, since 2^128 is no number of its own; NaN becomes 0 here and stays in `sum`.
            let power = whole as i32;
            let two_to = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
            sum * two_to(power >> 1) * two_to(power - (power >> 1))
        }))
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // One half is added to the other until a lane is left.
        let (mut sums, mut count) = (self.0, N / 2);
        while count > 0 {
            let (first, second) = sums.split_at_mut(count);
            first.iter_mut().zip(second).for_each(|(sum, other)| *sum += *other);
            count /= 2;
        }
        sums[0]
    }

    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        self.0.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}
