//! What follows a product, number by number.
#![expect(unsafe_code, reason = "registers of any instruction set")]

use std::marker::PhantomData;

use crate::error::Result;
use crate::isa::{Isa, with_isa};
use crate::math::{exp, load_first, silu, store_first};
use crate::memory::LINE;
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// A function of single numbers that follows a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The number as it is.
    None,
    /// What is above zero; of NaN, NaN.
    Relu,
    /// The GELU by a hyperbolic tangent (Hendrycks & Gimpel, arXiv 1606.08415), as GPT-2 has it.
    Gelu,
    /// The GELU by the error function (the same paper, section 2), as BERT has it.
    ExactGelu,
    /// x / (1 + e^−x) (the same paper, section 2), as LLaMA has it.
    Silu,
}

/// An activation of each of these numbers, in its place: of the same number the same bits, wherever it stands. Nothing is allocated.
///
/// # Errors
/// An instruction set that is absent.
pub fn activate(isa: Isa, activation: Activation, numbers: &mut [f32]) -> Result<()> {
    with_isa!(isa, |tools| by_parts(&tools, activation, numbers));
    Ok(())
}

fn by_parts<T: Tools + Sync>(tools: &T, activation: Activation, numbers: &mut [f32]) {
    let part = each(numbers.len().div_ceil(LINE), LINE) * LINE;
    parallel_for(numbers.chunks_mut(part), |numbers| match activation {
        Activation::None => {}
        Activation::Relu => tools.run(InPlace::<Relu>(numbers, PhantomData)),
        Activation::Gelu => tools.run(InPlace::<Gelu>(numbers, PhantomData)),
        Activation::ExactGelu => tools.run(InPlace::<ExactGelu>(numbers, PhantomData)),
        Activation::Silu => tools.run(InPlace::<Silu>(numbers, PhantomData)),
    });
}

/// Numbers that are replaced by those of a function.
struct InPlace<'a, F>(&'a mut [f32], PhantomData<F>);

impl<F: Function> Kernel for InPlace<'_, F> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let (count, numbers) = (self.0.len(), self.0.as_mut_ptr());
        for at in (0..count).step_by(V::LANES) {
            let lanes = V::LANES.min(count - at);
            // SAFETY: as promised, and within the numbers.
            unsafe {
                let x = load_first::<V>(numbers.add(at), lanes);
                store_first(F::of(x), numbers.add(at), lanes);
            }
        }
    }
}

/// One of them, chosen when it is compiled.
pub trait Function {
    /// Its values.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    unsafe fn of<V: Vector>(x: V) -> V;
}

/// See [`Activation::None`].
pub struct Same;
/// See [`Activation::Relu`].
pub struct Relu;
/// See [`Activation::Gelu`].
pub struct Gelu;
/// See [`Activation::ExactGelu`].
pub struct ExactGelu;
/// See [`Activation::Silu`].
pub struct Silu;

/// −2 √(2/π) log₂ e: (1 + tanh u) / 2 is 1 / (1 + e^−2u), where u is √(2/π) (x + 0.044715 x³).
pub const INNER: f32 = -2.302_208_2;

/// The same of the cube.
pub const CUBE: f32 = 0.044_715 * INNER;

/// What ln(erfc z / t) + z² is by powers of t = 1 / (1 + z / 2), highest first: erfc z is off by 1.2e-7 of itself at most (Press et
/// al., *Numerical Recipes in C*, 2nd edition, section 6.2).
const ERFC: [f32; 10] = [
    0.170_872_76,
    -0.822_152_26,
    1.488_515_9,
    -1.135_204,
    0.278_868_08,
    -0.186_288_06,
    0.096_784_18,
    0.374_091_95,
    1.000_023_7,
    -1.265_512_2,
];

/// z / 2 for an x of 1, where z is x / √2.
const HALF_Z: f32 = 0.353_553_38;

/// From here on, e^(−x² / 2) is 0 here.
const ENOUGH: f32 = 16.0;

impl Function for Same {
    #[inline(always)]
    unsafe fn of<V: Vector>(x: V) -> V {
        x
    }
}

impl Function for Relu {
    #[inline(always)]
    unsafe fn of<V: Vector>(x: V) -> V {
        // SAFETY: as promised.
        unsafe { x.max(V::splat(0.0)) }
    }
}

impl Function for Gelu {
    #[inline(always)]
    unsafe fn of<V: Vector>(x: V) -> V {
        // SAFETY: as promised.
        unsafe {
            let factor = x.mul(x).mul_add(V::splat(CUBE), V::splat(INNER));
            x.div(V::splat(1.0).add(x.mul(factor).exp2()))
        }
    }
}

impl Function for ExactGelu {
    #[inline(always)]
    unsafe fn of<V: Vector>(x: V) -> V {
        // SAFETY: as promised.
        unsafe {
            let zero = V::splat(0.0);
            let negative = zero.sub(x);
            let size = x.max(negative);
            let t = V::splat(1.0).div(size.mul_add(V::splat(HALF_Z), V::splat(1.0)));
            let mut power = V::splat(ERFC[0]);
            for coefficient in &ERFC[1..] {
                power = power.mul_add(t, V::splat(*coefficient));
            }
            let tail = t.mul(exp(size.mul(size).mul_add(V::splat(-0.5), power)));
            // x (1 + erf) / 2 is what is above zero, less |x| erfc / 2; the bound keeps ∞ · 0 from the product, but for −∞.
            let part = negative.max(x.min(V::splat(ENOUGH))).mul(tail);
            x.max(zero).sub(part.mul(V::splat(0.5)))
        }
    }
}

impl Function for Silu {
    #[inline(always)]
    unsafe fn of<V: Vector>(x: V) -> V {
        // SAFETY: as promised.
        unsafe { silu(x) }
    }
}
