//! Element types: what arrays are stored in, and what implementations compute in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, unknown};

/// The type of an array's elements.
///
/// Four-bit integers lie two to a byte along the last axis; the name says which nibble the first of the two has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// IEEE 754 binary64.
    F64,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32.
    Bf16,
    /// Four exponent and three mantissa bits, no infinity (OCP OFP8, section 5: E4M3, called `e4m3fn` by others).
    F8e4m3,
    /// Five exponent and two mantissa bits (OCP OFP8, section 5: E5M2).
    F8e5m2,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 8 bits.
    U8,
    /// True or false, a byte of one or zero each.
    Bool,
    /// Signed, 4 bits, the first of two in the low nibble.
    I4lo,
    /// Signed, 4 bits, the first of two in the high nibble.
    I4hi,
    /// Unsigned, 4 bits, the first of two in the low nibble.
    U4lo,
    /// Unsigned, 4 bits, the first of two in the high nibble.
    U4hi,
}

impl DType {
    /// Every dtype.
    pub const ALL: [Self; 15] = [
        Self::F64,
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::F8e4m3,
        Self::F8e5m2,
        Self::I64,
        Self::I32,
        Self::I8,
        Self::U8,
        Self::Bool,
        Self::I4lo,
        Self::I4hi,
        Self::U4lo,
        Self::U4hi,
    ];

    /// Those that every engine has arithmetic for.
    pub const FLOATS: [Self; 4] = [Self::F64, Self::F32, Self::F16, Self::Bf16];

    /// The name used in plans, SQL and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F8e4m3 => "f8e4m3",
            Self::F8e5m2 => "f8e5m2",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::Bool => "bool",
            Self::I4lo => "i4lo",
            Self::I4hi => "i4hi",
            Self::U4lo => "u4lo",
            Self::U4hi => "u4hi",
        }
    }

    /// Bits of one element as it is stored.
    pub fn bits(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 64,
            Self::F32 | Self::I32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::F8e4m3 | Self::F8e5m2 | Self::I8 | Self::U8 | Self::Bool => 8,
            Self::I4lo | Self::I4hi | Self::U4lo | Self::U4hi => 4,
        }
    }

    /// Bytes of `rows` rows of `width` elements: a row of packed elements begins with a byte of its own. Nothing where that
    /// is more than memory can have.
    pub fn bytes_of(self, rows: usize, width: usize) -> Option<usize> {
        rows.checked_mul(width.checked_mul(self.bits())?.div_ceil(8))
    }

    /// Bytes of one element; a packed one counts a whole byte.
    pub fn bytes(self) -> usize {
        self.bits().div_ceil(8)
    }

    /// Whether its elements are numbers with a fraction.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::Bf16 | Self::F8e4m3 | Self::F8e5m2)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|dtype| dtype.name() == text)
            .ok_or_else(|| unknown("dtype", text, Self::ALL.map(Self::name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_is_read_by_its_name_and_travels_under_it() {
        for dtype in DType::ALL {
            assert_eq!(dtype.name().parse::<DType>().unwrap(), dtype);
            assert_eq!(toml::Value::try_from(dtype).unwrap().as_str(), Some(dtype.name()));
        }
        assert!("f33".parse::<DType>().unwrap_err().to_string().contains("`f32`"));
    }

    #[test]
    fn packed_rows_begin_with_a_byte_of_their_own() {
        assert_eq!(DType::U4lo.bytes_of(3, 5), Some(9));
        assert_eq!(DType::F16.bytes_of(3, 5), Some(30));
        assert_eq!(DType::F64.bytes_of(usize::MAX, 2), None);
        assert_eq!(DType::U4hi.bytes_of(2, usize::MAX), None);
    }
}
