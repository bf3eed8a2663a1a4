//! What a comparison compares.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, unknown};

/// The element type an implementation computes in.
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
}

impl DType {
    /// Every dtype that can be asked for.
    pub const ALL: [Self; 4] = [Self::F64, Self::F32, Self::F16, Self::Bf16];

    /// The name used in plans, SQL and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
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

/// An implementation on a device, in a dtype, on so many threads, from one build.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Variant {
    /// Name of the implementation (`naive`, `burn-attention`, `torch-sdpa`).
    pub implementation: String,
    /// Name of the device (`flex`, `libtorch`).
    pub device: String,
    /// Element type.
    pub dtype: DType,
    /// Worker threads given to every pool the implementation uses.
    pub threads: usize,
    /// Label of the build whose worker runs it; absent: the one worker of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}t", self.implementation, self.device, self.dtype, self.threads)?;
        self.build.as_ref().map_or(Ok(()), |build| write!(f, "@{build}"))
    }
}

impl Variant {
    /// How unlike two variants run: 2 for another device, 1 for another dtype, both together 3.
    pub fn apart(&self, other: &Self) -> u8 {
        2 * u8::from(self.device != other.device) + u8::from(self.dtype != other.dtype)
    }
}

/// The implementation that others are compared with when nobody names it: `naive` where it is among them, else the
/// first by name; nothing where there is none.
pub fn baseline_of<'a>(implementations: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    implementations.into_iter().min_by_key(|name| (*name != "naive", *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_is_naive_or_the_first_by_name() {
        assert_eq!(baseline_of(["flash", "naive", "blocked"]), Some("naive"));
        assert_eq!(baseline_of(["flash", "blocked"]), Some("blocked"));
        assert_eq!(baseline_of([]), None);
    }
}
