//! What follows a product, number by number.
#![expect(unsafe_code, reason = "registers of any instruction set")]

use crate::math::silu;
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
    /// x / (1 + e^−x) (the same paper, section 2), as LLaMA has it.
    Silu,
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
/// See [`Activation::Silu`].
pub struct Silu;

/// −2 √(2/π) log₂ e: (1 + tanh u) / 2 is 1 / (1 + e^−2u), where u is √(2/π) (x + 0.044715 x³).
const INNER: f32 = -2.302_208_2;

/// The same of the cube.
const CUBE: f32 = 0.044_715 * INNER;

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

impl Function for Silu {
    #[inline(always)]
    unsafe fn of<V: Vector>(x: V) -> V {
        // SAFETY: as promised.
        unsafe { silu(x) }
    }
}
