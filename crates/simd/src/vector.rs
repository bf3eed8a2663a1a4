//! What the kernels ask of an instruction set.
#![expect(unsafe_code, reason = "each method is one instruction, which not every CPU has")]

/// A register of `f32`, and the operations on it.
///
/// The kernels are written once, generic over this trait and inlined into one function per instruction set
/// (see [`crate::isa`]), where the methods become single instructions.
///
/// # Safety
/// `LANES` is the number of `f32` that `load` reads and `store` writes, and `Self` is as large.
pub unsafe trait Vector: Copy {
    /// `f32` in a register.
    const LANES: usize;

    /// The same number in every lane.
    ///
    /// # Safety
    /// As for every method of this trait: the CPU has the instruction set.
    unsafe fn splat(value: f32) -> Self;

    /// # Safety
    /// `LANES` numbers can be read at `from`, aligned or not.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// `LANES` numbers can be written at `to`, aligned or not.
    unsafe fn store(self, to: *mut f32);

    /// `self · b + c`, rounded once where the CPU can.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;

    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn add(self, other: Self) -> Self;

    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn sub(self, other: Self) -> Self;

    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn mul(self, other: Self) -> Self;

    /// The larger one; where either is NaN, `self`.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn max(self, other: Self) -> Self;

    /// The smaller one; where either is NaN, `self`.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn min(self, other: Self) -> Self;

    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn div(self, other: Self) -> Self;

    /// The largest whole number that is not larger.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn floor(self) -> Self;

    /// Lane `l` of the result is the number at `from + self[l] · step + l`.
    ///
    /// # Safety
    /// Lanes are whole numbers, not negative, whose products with `step` are below 2³¹, and what they name can be read.
    unsafe fn look_up(self, from: *const f32, step: usize) -> Self;

    /// 2 to the power of each lane, within 2 units of the last place; 0 below −126, NaN stays NaN.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn exp2(self) -> Self;

    /// The sum of all lanes.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn sum(self) -> f32;

    /// The largest lane.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn largest(self) -> f32;
}

/// Coefficients of 2^x on [−½, ½], highest first: minimax with the last fixed at 1, relative error 9.2e-8, 1.6e-7 as
/// rounded in `f32`.
#[expect(clippy::approx_constant, reason = "a coefficient of the fit, near ln 2 and better than it here")]
pub const EXP2: [f32; 6] = [0.001_326_472_7, 0.009_671_513, 0.055_507_336, 0.240_222_42, 0.693_147, 1.0];

/// Below this, 2^x is 0 here: denormal results would cost more than they carry.
pub const LEAST: f32 = -126.0;
