//! The checks that every public function starts or ends with.

use crate::{Error, Result};

/// At least `needed` values, all finite.
pub(crate) fn finite(x: &[f64], needed: usize) -> Result<()> {
    if x.len() < needed {
        return Err(Error::TooFew { needed, got: x.len() });
    }
    match x.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(Error::NotFinite { index }),
        None => Ok(()),
    }
}

/// At least `needed` values, all finite and above zero.
pub(crate) fn positive(x: &[f64], needed: usize) -> Result<()> {
    finite(x, needed)?;
    match x.iter().position(|v| *v <= 0.0) {
        Some(index) => Err(Error::NotPositive { index }),
        None => Ok(()),
    }
}

/// A confidence level, strictly between 0 and 1.
pub(crate) fn level(level: f64) -> Result<()> {
    inside("level", level)
}

/// A setting strictly between 0 and 1.
pub(crate) fn inside(what: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 { Ok(()) } else { Err(Error::OutOfRange { what, value, range: "(0, 1)" }) }
}

/// A power: at least one half, below 1.
pub(crate) fn power(value: f64) -> Result<()> {
    let range = "[0.5, 1)";
    if (0.5..1.0).contains(&value) { Ok(()) } else { Err(Error::OutOfRange { what: "power", value, range }) }
}

/// A setting that is finite and above zero.
pub(crate) fn above_zero(what: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(Error::OutOfRange { what, value, range: "(0, ∞)" }) }
}

/// A setting that is finite and not below zero.
pub(crate) fn not_negative(what: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() { Ok(()) } else { Err(Error::OutOfRange { what, value, range: "[0, ∞)" }) }
}

/// Two samples of one length.
pub(crate) fn same_length(left: &[f64], right: &[f64]) -> Result<()> {
    if left.len() == right.len() { Ok(()) } else { Err(Error::UnequalLength { left: left.len(), right: right.len() }) }
}

/// A result that is a number.
pub(crate) fn number(value: f64) -> Result<f64> {
    if value.is_finite() { Ok(value) } else { Err(Error::Overflow) }
}

/// Whether all values are equal (true for none).
pub(crate) fn all_equal(x: &[f64]) -> bool {
    x.windows(2).all(|w| w[0] == w[1])
}
