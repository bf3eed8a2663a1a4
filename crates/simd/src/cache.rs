//! How much the caches of this processor hold.

use std::sync::OnceLock;

/// What the last-level cache is taken to hold where the processor does not say.
const ASSUMED_BYTES: usize = 32 << 20;

/// What the second-level cache is taken to hold where the processor does not say.
const SECOND_ASSUMED_BYTES: usize = 1 << 20;

/// Bytes of the last-level cache that a thread has a share in.
pub fn last_level_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| caches().into_iter().map(|(_, bytes)| bytes).max().unwrap_or(ASSUMED_BYTES))
}

/// Bytes of the second-level cache, which is a core's own on most processors.
pub fn second_level_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    let second = || caches().into_iter().find_map(|(level, bytes)| (level == 2).then_some(bytes));
    *BYTES.get_or_init(|| second().unwrap_or(SECOND_ASSUMED_BYTES))
}

/// The caches that the processor names: of each its level and its bytes.
#[cfg(target_arch = "x86_64")]
fn caches() -> Vec<(u32, usize)> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    // Where Intel's processors list their caches, and where AMD's do, in the same form; the other one is empty or not there.
    let lists = [4, 0x8000_001d_u32].into_iter().filter(|leaf| __cpuid(leaf & 0x8000_0000).eax >= *leaf);
    let caches = |leaf: u32| (0..8).map(move |index| __cpuid_count(leaf, index)).take_while(|one| one.eax & 31 != 0);
    lists.flat_map(caches).map(|one| ((one.eax >> 5) & 7, bytes(one.ebx, one.ecx))).collect()
}

/// As above.
#[cfg(not(target_arch = "x86_64"))]
fn caches() -> Vec<(u32, usize)> {
    Vec::new()
}

/// What a cache holds: ways, partitions and bytes of a line stand in `parts`, each less by one, and so do the `sets`.
#[cfg(target_arch = "x86_64")]
fn bytes(parts: u32, sets: u32) -> usize {
    let part = |shift: u32, bits: u32| ((parts >> shift) & ((1 << bits) - 1)) as usize + 1;
    part(22, 10) * part(12, 10) * part(0, 12) * (sets as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_cache_is_its_ways_times_its_sets() {
        // 16 ways of 32,768 lines of 64 bytes, as a Zen 4 has them; 12 ways of 64 lines, the first level of a Sapphire Rapids.
        assert_eq!(bytes((15 << 22) | 63, 32_767), 32 << 20);
        assert_eq!(bytes((11 << 22) | 63, 63), 48 << 10);
    }

    #[test]
    fn levels_are_such_as_can_be() {
        let (second, last) = (second_level_bytes(), last_level_bytes());
        assert!((1 << 16..1 << 34).contains(&last), "{last}");
        assert!((1 << 16..=last).contains(&second), "{second} of {last}");
    }
}
