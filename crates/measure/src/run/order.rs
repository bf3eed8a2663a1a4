//! The seeded random order within blocks.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Orders of randomised complete blocks: each member once a block.
pub struct Order(ChaCha8Rng);

impl Order {
    /// The orders of a run follow from its seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The order of the next block of `members`.
    pub fn next(&mut self, members: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..members).collect();
        order.shuffle(&mut self.0);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_stands_once_in_each_block_and_at_each_place_equally_often() {
        let (members, blocks) = (4, 4_000);
        let mut order = Order::new(11);
        let mut at = vec![vec![0_u32; members]; members];
        for _ in 0..blocks {
            let block = order.next(members);
            let mut sorted = block.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            block.iter().enumerate().for_each(|(place, member)| at[*member][place] += 1);
        }
        // Binomial(4000, 1/4): sd 27.4; five of them, over 16 cells, is a chance below 1e-5.
        let bound = 5.0 * (f64::from(blocks) * 0.25 * 0.75).sqrt();
        for count in at.iter().flatten() {
            assert!((f64::from(*count) - f64::from(blocks) / 4.0).abs() < bound, "{at:?}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_orders_again() {
        let (mut first, mut second) = (Order::new(5), Order::new(5));
        assert!((0..20).all(|_| first.next(6) == second.next(6)));
    }
}
