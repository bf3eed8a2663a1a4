//! Random indices that are the same on every machine.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The generator of one resample: independent of how many others run, and on which thread.
pub(super) fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}

/// An index below `size`: the high word of a product, with a bias below size / 2^64.
pub(super) fn index_below(size: usize, generator: &mut ChaCha8Rng) -> usize {
    ((u128::from(generator.next_u64()) * size as u128) >> 64) as usize
}
