//! What a comparison compares.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::DType;

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
