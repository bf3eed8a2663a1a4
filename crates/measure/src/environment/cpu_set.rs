//! Sets of CPUs as the kernel writes them: `0-3,8`.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};

/// Highest CPU number that is believed; Linux supports 8192.
const HIGHEST: usize = 65_535;

/// Numbers of logical CPUs, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuSet(BTreeSet<usize>);

impl CpuSet {
    /// Reads a kernel list such as `0-3,8,10-11`; nothing for a text that is none or is empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut cpus = BTreeSet::new();
        for part in text.trim().split(',') {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let low: usize = low.trim().parse().ok()?;
            let high: usize = high.trim().parse().ok()?;
            if low > high || high > HIGHEST {
                return None;
            }
            cpus.extend(low..=high);
        }
        Some(Self(cpus))
    }

    /// The first `count` CPUs.
    #[must_use]
    pub fn first(count: usize) -> Self {
        Self((0..count.min(HIGHEST + 1)).collect())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The CPUs in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// Each CPU, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<usize> for CpuSet {
    fn from_iter<I: IntoIterator<Item = usize>>(cpus: I) -> Self {
        Self(cpus.into_iter().collect())
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cpus = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(low) = cpus.next() {
            let mut high = low;
            while let Some(next) = cpus.next_if(|&next| next == high + 1) {
                high = next;
            }
            if low == high {
                write!(f, "{separator}{low}")?;
            } else {
                write!(f, "{separator}{low}-{high}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

impl Serialize for CpuSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_alike() {
        for text in ["0", "0-3", "0-1,4", "1,3,5-7", "0,65535"] {
            let set = CpuSet::parse(text).expect(text);
            assert_eq!(set.to_string(), text);
        }
        assert_eq!(CpuSet::parse(" 3-3, 1 \n").expect("loose").to_string(), "1,3");
        assert_eq!(CpuSet::parse("0-63").expect("many").len(), 64);
    }

    #[test]
    fn nonsense_is_no_list() {
        for text in ["", "a", "3-", "-3", "5-2", "0-4294967295", "1,,2", "0-1-2"] {
            assert_eq!(CpuSet::parse(text), None, "{text:?}");
        }
    }
}
