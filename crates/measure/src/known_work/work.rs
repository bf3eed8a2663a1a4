//! Work whose length is known: steps that each need the one before.

/// Multiplier and increment of MMIX (Knuth, *The Art of Computer Programming*, volume 2, section 3.3.4).
pub(crate) const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
pub(crate) const INCREMENT: u64 = 1_442_695_040_888_963_407;

/// `operations` steps of a linear congruential generator from `seed`; a step cannot begin before the last has ended.
#[inline(never)]
pub fn dependent(operations: u64, seed: u64) -> u64 {
    // Constants that the compiler knows it would fold: eight steps into one.
    let (multiplier, increment) = std::hint::black_box((MULTIPLIER, INCREMENT));
    let mut state = seed;
    for _ in 0..operations {
        state = state.wrapping_mul(multiplier).wrapping_add(increment);
    }
    state
}
